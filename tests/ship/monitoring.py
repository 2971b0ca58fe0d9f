"""The files for monitoring, by Prometheus itself: Debian's package `prometheus`, which `.ci/ship` installs.

`promtool` checks the rules, and what they make of invented figures. Then a server scrapes a service as packaging/monitoring.md
says, and answers every query of the dashboard and of the alerts.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import pytest
import yaml

from tests.support import asking, monitoring
from tests.support.callers import use
from tests.support.everything import with_everything
from tests.support.monitoring import Query
from tests.support.ports import free_port
from tests.support.redis import RedisServer
from tests.support.service import Service, started
from tests.support.waiting import wait_until

INVENTED: Final = Path(__file__).with_name("alerts.yaml")
STATUS: Final = "Status"
GATEWAY, CLOUD = "a gateway that sends events", "a process in the cloud"
# What no service does that is only used as it should be.
_NEVER: Final = {"Failed attempts", "HTTP errors of the service", "HTTP beyond a limit", "gRPC beyond a limit"}
EMPTY: Final = {GATEWAY: {*_NEVER, "Cloud mode and other services"}, CLOUD: {*_NEVER, "Free disk space"}}


class Watched(NamedTuple):
    """A service, and the address of a Prometheus server that scrapes it."""

    how: str
    service: Service
    prometheus: str

    def ask(self, path: str, **query: str) -> dict[str, Any]:
        """What the server answers, which must be a success."""
        response = asking.get(f"{self.prometheus}/api/v1/{path}", params=query)
        assert response.status_code == httpx.codes.OK, response.text
        found: dict[str, Any] = response.json()["data"]
        return found

    def values(self, query: str) -> list[float]:
        """What a query finds at this moment."""
        return [float(one["value"][1]) for one in self.ask("query", query=query)["result"]]


def program(name: str) -> str:
    """A program of Debian's package."""
    found = shutil.which(name)
    assert found, f"there is no {name} here: install the package prometheus"
    return found


def promtool(*arguments: str | Path) -> str:
    """What it says of files that it finds no fault with."""
    done = subprocess.run([program("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def examples() -> list[dict[str, Any]]:
    """The `prometheus.yml`s of the page."""
    return [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", monitoring.PAGE.read_text(), re.DOTALL)]


@contextmanager
def scraping(how: str, service: Service, folder: Path) -> Iterator[Watched]:
    """A server with the page's example, which scrapes this service, and more often."""
    shutil.copy(monitoring.ALERTS, folder)
    config = examples()[0]
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [service.http.removeprefix("http://")]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = [program("prometheus"), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
        try:
            watched = Watched(how, service, f"http://{address}")
            wait_until(lambda: _is_ready(watched, process, folder / "log"), "Prometheus")
            yield watched
        finally:
            process.terminate()
            process.wait()


def _is_ready(watched: Watched, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return asking.get(f"{watched.prometheus}/-/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module", params=[GATEWAY, CLOUD])
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Each of them, in use."""
    folder = tmp_path_factory.mktemp("watched")
    with ExitStack() as stack:
        if request.param == CLOUD:
            service = stack.enter_context(with_everything(request.getfixturevalue("postgres"), folder)).service
        else:
            redis = stack.enter_context(RedisServer())
            service = stack.enter_context(started(folder / "data", {"MG_CLIENTS_ES_URL": redis.address}))
        use(service)
        yield stack.enter_context(scraping(request.param, service, folder))


def test_prometheus_accepts_the_rules() -> None:
    assert f"{len(list(monitoring.alerts()))} rules found" in promtool("check", "rules", monitoring.ALERTS)


def test_alerts_fire_when_they_should_and_not_before() -> None:
    assert "SUCCESS" in promtool("test", "rules", INVENTED)


def test_every_alert_is_tried_with_invented_figures() -> None:
    tried = {
        name
        for test in yaml.safe_load(INVENTED.read_text())["tests"]
        for query in test["promql_expr_test"]
        for sample in query["exp_samples"]
        for name in re.findall(r'alertname="(\w+)"', sample["labels"])
    }
    assert tried == {rule["alert"] for rule in monitoring.alerts()}


@pytest.mark.parametrize("example", examples(), ids=lambda example: next(iter(example)))
def test_prometheus_accepts_the_pages_examples(example: dict[str, Any], tmp_path: Path) -> None:
    shutil.copy(monitoring.ALERTS, tmp_path)
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(example))
    assert "SUCCESS" in promtool("check", "config", "--syntax-only", tmp_path / "prometheus.yml")


@pytest.mark.parametrize("query", [query for query in monitoring.of_dashboard() if query.row == STATUS], ids=str)
def test_the_state_of_a_service_is_shown(watched: Watched, query: Query) -> None:
    wait_until(lambda: len(watched.values(query.text)) == 1, query.place)


def test_a_service_that_runs_is_up_and_ready(watched: Watched) -> None:
    for name in ("up", "clients_ready", "clients_store_writable"):
        wait_until(lambda name=name: watched.values(name) == [1.0], name)  # type: ignore[misc]


@pytest.mark.parametrize("query", [*monitoring.of_dashboard(), *monitoring.of_alerts()], ids=str)
def test_every_query_is_answered(watched: Watched, query: Query) -> None:
    watched.values(query.text)


@pytest.mark.parametrize("query", list(monitoring.of_dashboard()), ids=str)
def test_every_panel_shows_something_of_what_there_is(watched: Watched, query: Query) -> None:
    if not {query.row, query.panel} & EMPTY[watched.how]:
        wait_until(lambda: bool(watched.values(query.text)), query.place)


def test_every_alert_is_evaluated_and_none_fires(watched: Watched) -> None:
    def rules() -> list[dict[str, Any]]:
        return [rule for group in watched.ask("rules")["groups"] for rule in group["rules"]]

    wait_until(lambda: all(rule["health"] != "unknown" for rule in rules()), "an evaluation of each rule")
    assert {rule["name"]: (rule["health"], rule["state"]) for rule in rules() if rule["state"] == "firing"} == {}
    assert {rule["name"]: rule["health"] for rule in rules()} == {rule["alert"]: "ok" for rule in monitoring.alerts()}
