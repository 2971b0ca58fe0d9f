"""The dashboard and the alerts ask for what services report, and the page names it all (packaging/monitoring.md#metrics)."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import httpx
import pytest
import yaml
from prometheus_client import Metric as Family

from edgeclients.errors import TABLE
from edgeclients.settings import PEERS
from tests.support import asking, monitoring, promql
from tests.support.api import Api
from tests.support.callers import use
from tests.support.documents import anchors
from tests.support.everything import with_everything
from tests.support.monitoring import DATA_SOURCE, Query
from tests.support.postgres import Server
from tests.support.redis import RedisServer
from tests.support.service import Service, started
from tests.support.waiting import wait_until

EVENTS, CACHE, TRACES = (f"with `MG_{name}_URL`" for name in ("CLIENTS_ES", "CLIENTS_CACHE", "JAEGER"))
DATA, CLOUD, NEIGHBOURS = "with a data directory", "in cloud mode", "with other services"
# What the page says of a metric that a service has, by how it is run.
PRESENT: Final = {
    "alone": {"always", DATA},
    "sending events": {"always", DATA, EVENTS},
    "everything there is": {"always", EVENTS, CLOUD, CACHE, NEIGHBOURS, TRACES},
}
FOLDED: Final = {
    "Events (with MG_CLIENTS_ES_URL)": {"always", EVENTS},
    "Cloud mode and other services": PRESENT["everything there is"],
}
# What has not happened here can be asked for as well.
POSSIBLE: Final = {
    ("clients_api_", "code"): {str(row.http) for row in TABLE},
    ("clients_grpc_", "code"): {row.grpc for row in TABLE},
    ("clients_service_up", "service"): PEERS,
}
QUERIES: Final = [*monitoring.of_dashboard(), *monitoring.of_alerts()]


class Report(NamedTuple):
    """What a service that was used has reported."""

    families: Mapping[str, Family]
    metrics: Mapping[str, promql.Metric]

    def labels(self, name: str) -> set[str]:
        """The labels of a family, but for the one that all histograms have."""
        return {label for sample in self.families[name].samples for label in sample.labels} - {"le"}


@pytest.fixture(scope="module")
def reports(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """Of a gateway without settings, of one that sends events, and of a process in the cloud with all that can be set."""
    folder = tmp_path_factory.mktemp("reports")
    found = {}
    with started(folder / "alone") as service:
        use(service)
        found["alone"] = report(service)
    with RedisServer() as redis, started(folder / "events", {"MG_CLIENTS_ES_URL": redis.address}) as service:
        use(service)
        lose(redis, service)
        found["sending events"] = report(service)
    with with_everything(postgres, folder) as everything:
        use(everything.service)
        lose(everything.redis, everything.service)
        found["everything there is"] = report(everything.service)
    return found


def lose(redis: RedisServer, service: Service) -> None:
    """Events arrive, until the server of the stream is gone."""
    redis.wait_for(2)
    redis.stop()
    with Api(service) as api:
        api.create()
    wait_until(lambda: "clients_events_failures_total{" in scraped(service), "an attempt that fails")


def scraped(service: Service) -> str:
    """What Prometheus gets."""
    response = asking.get(f"{service.http}/metrics")
    assert response.status_code == httpx.codes.OK
    return response.text


def report(service: Service) -> Report:
    text = scraped(service)
    return Report(promql.families(text), promql.scraped(text, POSSIBLE))


def present(query: Query, report: Report) -> bool:
    """Whether a service has all metrics that a query asks for."""
    return promql.names(query.text) <= report.metrics.keys()


@pytest.mark.parametrize("how", PRESENT)
def test_the_page_names_every_metric_with_its_type_and_labels(reports: dict[str, Report], how: str) -> None:
    named = {
        row["metric"].strip("`"): (row["type"], set(re.findall(r"`(\w+)`", row["labels"])))
        for row in monitoring.table("metric")
        if row["present"] in PRESENT[how]
    }
    report = reports[how]
    assert {name: (family.type, report.labels(name)) for name, family in report.families.items()} == named


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_query_asks_for_what_there_is(reports: dict[str, Report], query: Query) -> None:
    """Everywhere, unless the metrics are of parts that not everybody has; then where these are."""
    there = [report for report in reports.values() if present(query, report)]
    assert there, f"no service has all of {promql.names(query.text)}"
    for report in there:
        labels = promql.labels(query.text, report.metrics)
        assert query.shown <= labels, f"{query.text} has the labels {sorted(labels)}"


@pytest.mark.parametrize("query", [query for query in monitoring.of_dashboard() if query.row not in FOLDED], ids=str)
def test_what_is_not_folded_is_there_for_a_gateway_without_settings(reports: dict[str, Report], query: Query) -> None:
    assert present(query, reports["alone"])


def test_every_metric_of_ours_is_in_the_dashboard() -> None:
    shown = {name for query in monitoring.of_dashboard() for name in promql.names(query.text)}
    ours = {row["metric"].strip("`") for row in monitoring.table("metric") if row["metric"].startswith("`clients_")}
    assert {name for name in ours if name not in shown and f"{name}_bucket" not in shown} == set()


def test_the_dashboard_can_be_imported_from_its_file() -> None:
    """It asks for the data source, uses no other, and depends on nothing that only one Grafana has."""
    board = monitoring.board()
    assert [(one["name"], one["type"], one["pluginId"]) for one in board["__inputs"]] == [
        ("DS_PROMETHEUS", "datasource", "prometheus")
    ]
    assert board["id"] is None
    assert set(re.findall(r"\$\{\w+\}", monitoring.BOARD.read_text())) == {DATA_SOURCE["uid"]}
    required = {one["id"] for one in board["__requires"] if one["type"] == "panel"}
    assert {panel["type"] for _, panel in monitoring.panels()} == required
    for _, panel in monitoring.panels():
        assert [panel["datasource"], *(target["datasource"] for target in panel["targets"])] == [DATA_SOURCE] * (
            1 + len(panel["targets"])
        )
    assert [(one["name"], one["type"], one["datasource"]) for one in monitoring.variables()] == [
        ("job", "query", DATA_SOURCE),
        ("instance", "query", DATA_SOURCE),
    ]


def test_every_panel_can_be_told_from_the_others() -> None:
    found = [*monitoring.rows(), *(panel for _, panel in monitoring.panels())]
    assert [number for number, times in Counter(panel["id"] for panel in found).items() if times > 1] == []
    titles = Counter((row, panel["title"]) for row, panel in monitoring.panels())
    assert [title for title, times in titles.items() if times > 1] == []
    for row, panel in monitoring.panels():
        assert row, panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters) > 0
    assert {row["title"] for row in monitoring.rows() if row["collapsed"]} == set(FOLDED)


def test_no_panel_lies_on_another() -> None:
    taken: Counter[tuple[int, int]] = Counter()
    for panel in [*monitoring.rows(), *(panel for _, panel in monitoring.panels())]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken.update(
            (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
        )
    assert {spot for spot, times in taken.items() if times > 1} == set()


@pytest.mark.parametrize("rule", list(monitoring.alerts()), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"\d+[mh]", rule["for"])
    assert set(rule["labels"]) == {"severity"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert all(text and "\n" not in text for text in rule["annotations"].values())
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert page == "packaging/monitoring.md"
    assert anchor == re.sub(r"(?<!^)(?=[A-Z])", "-", rule["alert"]).lower()
    assert anchor in anchors(monitoring.PAGE.read_text())


def test_the_page_explains_every_alert() -> None:
    explained = [(row["alert"].rpartition(">")[2].strip("`"), row["severity"]) for row in monitoring.table("alert")]
    assert explained == [(rule["alert"], rule["labels"]["severity"]) for rule in monitoring.alerts()]
    assert len(set(explained)) == len(explained)
    assert all(row["meaning"] and row["what to do"] for row in monitoring.table("alert"))


def test_the_pages_that_alerts_name_exist() -> None:
    titles = {page.read_text().partition("\n")[0].removeprefix("# ") for page in monitoring.OPERATIONS.glob("*.md")}
    told = " ".join(rule["annotations"]["description"] for rule in monitoring.alerts())
    named = re.findall(r'See "([^"]+)" in packaging/operations\.', told)
    assert len(named) == told.count("See ")
    assert set(named) <= titles


def test_the_pages_examples_name_the_job_that_alerts_select() -> None:
    examples = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", monitoring.PAGE.read_text(), re.DOTALL)]
    assert len(examples) == 2
    assert {one["job_name"] for example in examples for one in example["scrape_configs"]} == {"edgeclients"}
    assert examples[0]["rule_files"] == [monitoring.ALERTS.name]
    selected = {job for query in monitoring.of_alerts() for job in re.findall(r'\bjob="(.*?)"', query.text)}
    assert selected == {"edgeclients"}
