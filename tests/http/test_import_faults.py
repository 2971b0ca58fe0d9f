"""Files that are wrong, by mistake or on purpose: each fault is told where it is, and costs nobody else anything."""

import json
from typing import Any

import pytest

from edgeclients.core import limits
from tests.http.test_import import CSV, JSONL, counts, imported, viewed
from tests.support.api import Api, error_of
from tests.support.on_postgres import secret_works


def told_of(api: Api, *lines: Any, **query: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """What an import of JSON lines tells."""
    return imported(api, "\n".join(map(json.dumps, lines)), JSONL, **query)


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ({"nmae": "x"}, "nmae", "unknown field"),
        ({"secret": "my device's secret"}, "secret", "write credentials.secret"),
        ({"identity": "i"}, "identity", "write credentials.identity"),
        ({"credentials": {"secrte": "x"}}, "credentials.secrte", "unknown field"),
        ({"_id": "bb7edb32-2eac-4aad-aebe-ed96fe073879", "_secret": "s"}, "_id", "unknown field"),
        ({"_line": 7}, "_line", "unknown field"),
        ({"_secret": "s"}, "_secret", "unknown field"),
        ({"channels": [{"id": "d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c", "type": "publish"}]}, "", "unknown field `type`"),
    ],
)
def test_a_field_without_a_meaning_is_a_bad_line(api: Api, line: dict[str, Any], column: str, reason: str) -> None:
    told, summary = told_of(api, {"external_id": "SN-1"}, {"external_id": "SN-2", **line})
    assert summary == counts(created=1, failed=1)
    bad = told[-1]
    assert (bad["line"], bad["column"], bad["value"]) == (2, column, "")
    assert reason in bad["reason"]
    assert len(api.listed()) == 1


def test_a_client_is_taken_as_any_answer_shows_it(api: Api) -> None:
    client = api.create(external_id="SN-1", name="n", tags=["t"], metadata={"a": 1})
    path = f"/clients/{client['id']}"
    body = {"channel_ids": ["d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c"], "client_ids": [client["id"]], "types": ["publish"]}
    assert api.request("POST", "/channels/connect", json=body).is_success
    assert secret_works(api.service, client)
    shown = [
        viewed(api, client["id"]),
        api.request("GET", path, params={"roles": "true"}).json(),
        api.request("PATCH", path, json={"name": "n"}).json(),
        *api.request("GET", "/clients", params={"channel": body["channel_ids"][0]}).json()["clients"],
    ]
    for one in shown:
        assert told_of(api, one) == ([], counts(unchanged=1)), one


DEEP = "metadata" + ".a" * limits.METADATA_DEPTH


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (",".join(f"metadata.{number}" for number in range(60_000)), "it has 60,001 columns, more than 2,100"),
        ("metadata." + "." * 30_000, "has 30,001 keys, more than 32"),
        (f"{DEEP}.a", "has 33 keys, more than 32"),
        (f"{'x' * 200_000},{'x' * 200_000}", "is unknown"),
        (f"metadata.{'x' * 1000},metadata.{'x' * 1000}", "occurs twice"),
        (f"metadata.{'x' * 1000},metadata.{'x' * 1000}.y", "exclude each other"),
    ],
)
def test_a_header_that_no_table_has(api: Api, header: str, reason: str) -> None:
    response = api.request("POST", "/clients/import", content=f"external_id,{header}\nSN-1\n", headers=CSV)
    assert error_of(response) == (400, "unusable_file")
    assert reason in response.json()["message"]
    assert len(response.text) < 1000, "it does not repeat what was sent"


def test_a_value_as_deep_as_it_may_be_and_deeper(api: Api) -> None:
    for depth, expected in ((0, counts(created=1)), (1, counts(failed=1)), (900, counts(failed=1))):
        value = "[" * depth + "]" * depth if depth else "1"
        told, summary = imported(api, f'external_id,{DEEP}\nSN-{depth},"{value}"\n')
        assert summary == expected, depth
        assert depth == 0 or (told[0]["column"], told[0]["reason"]) == ("metadata", "invalid metadata provided (too deep)")


@pytest.mark.parametrize("depth", range(900, 1000, 9))
def test_a_depth_near_to_what_the_program_can_read(api: Api, depth: int) -> None:
    """Where the end is depends on who reads: no place may end as a fault of the service."""
    line = '{"external_id":"SN-1","metadata":{"a":' + "[" * depth + "]" * depth + "}}"
    assert imported(api, line, JSONL)[1] == counts(failed=1)
    body = line.encode()
    assert error_of(api.request("POST", "/clients", content=body))[0] == 400
    assert imported(api, f'external_id,metadata.a\nSN-1,"{"[" * depth + "]" * depth}"\n', dry_run=True)[1]["updated"] == 0


TYPED = [True, 1, 1.0, "1", [1], [True], {"a": 1}, {"a": True}, None, False, 0, 0.0, "", [], {}]


@pytest.mark.parametrize("field", ["metadata", "private_metadata"])
def test_values_of_different_types_are_different(api: Api, field: str) -> None:
    """Also where Python takes them to be equal: 1, 1.0 and true."""
    api.create(external_id="SN-1")
    for value in TYPED:
        line = {"external_id": "SN-1", field: {"v": value, "w": {"x": [value]}}}
        assert told_of(api, line) == ([], counts(updated=1)), value
        assert told_of(api, line) == ([], counts(unchanged=1)), value
        found = viewed(api, api.listed()[0])[field]
        assert json.dumps(found, sort_keys=True) == json.dumps(line[field], sort_keys=True)


def test_the_order_of_keys_is_no_difference(api: Api) -> None:
    api.create(external_id="SN-1", metadata={"a": {"x": 1, "y": 1e300}, "b": -0.0})
    line = {"external_id": "SN-1", "metadata": {"b": -0.0, "a": {"y": 1e300, "x": 1}}}
    assert told_of(api, line) == ([], counts(unchanged=1))
    assert imported(api, "external_id,metadata.b\nSN-1,0\n")[1] == counts(updated=1)


class TestTheKeyOfJsonLines:
    """The first line that has one decides."""

    @pytest.mark.parametrize(
        "before",
        [
            [{"external_id": "SN-1", "status": "bogus"}],
            [{"external_id": "SN-1", "id": "", "status": "bogus"}],
            [{"name": "neither"}, {"nmae": "x"}, 7, []],
            [{"id": "nonsense", "nmae": "x"}],
        ],
    )
    def test_a_bad_line_decides_nothing(self, api: Api, before: list[Any]) -> None:
        told, summary = told_of(api, *before, {"external_id": "SN-2", "id": ""}, {"external_id": "SN-3"})
        assert summary == counts(created=2, failed=len(before))
        assert [one["line"] for one in told] == list(range(1, len(before) + 3))

    def test_many_bad_lines(self, api: Api) -> None:
        told, summary = told_of(api, *[{"nmae": "x"}] * 400, {"external_id": "SN-2"}, *[{"nmae": "x"}] * 400)
        assert summary == counts(created=1, failed=800)
        assert [one["line"] for one in told] == list(range(1, 802))

    def test_an_id_first(self, api: Api) -> None:
        client = api.create(external_id="SN-1")
        told, summary = told_of(api, {"nmae": "x"}, {"id": client["id"], "external_id": "new"}, {"external_id": "SN-2"})
        assert summary == counts(updated=1, failed=2)
        assert told[-1]["column"] == "id"
        assert viewed(api, client["id"])["external_id"] == "new"

    def test_a_key_that_is_named(self, api: Api) -> None:
        client = api.create(external_id="SN-1")
        assert told_of(api, {"id": client["id"], "external_id": "SN-1", "name": "n"}, key="external_id")[1] == counts(updated=1)
