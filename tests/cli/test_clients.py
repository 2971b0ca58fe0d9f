"""`edgeclients clients` and `edgeclients roles`, on the data directory and at a service's address."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.api import Api
from tests.support.commands import Ended, run
from tests.support.database import rows
from tests.support.on_postgres import secret_works
from tests.support.service import Service, started
from tests.support.waiting import wait_until

CHANNEL = "d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c"


class Place(NamedTuple):
    """Where commands work, and the service, if it runs."""

    data: Path
    arguments: tuple[str, ...]
    service: Service | None

    def __call__(self, *arguments: str) -> Ended:
        return run(*arguments, *self.arguments, data=self.data, env={"EDGECLIENTS_DOMAIN": "plant"})

    def found(self, *arguments: str) -> Any:
        ended = self(*arguments, "--output", "json")
        assert (ended.code, ended.err) == (0, ""), ended
        return json.loads(ended.out) if ended.out else None


@pytest.fixture(params=["running", "stopped", "elsewhere"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with started(tmp_path / "data") as service:
        if request.param != "stopped":
            token = ("--url", service.http, "--token-file", str(service.data / "operator.token"))
            yield Place(service.data, token if request.param == "elsewhere" else (), service)
            return
    yield Place(service.data, (), None)


def test_the_life_of_a_client(at: Place) -> None:
    made = at.found("clients", "create", "boiler", "--external-id", "SN-1", "--tag", "a", "--tag", "b", "--metadata", '{"r":1}')
    assert (made["name"], made["external_id"], made["tags"], made["metadata"]) == ("boiler", "SN-1", ["a", "b"], {"r": 1})
    for name in (made["id"], "SN-1", "boiler"):
        assert at.found("clients", "get", name) == {**made, "credentials": {}}
    changed = at.found("clients", "update", "boiler", "--name", "pump", "--tag", "c")
    assert (changed["name"], changed["tags"], changed["metadata"]) == ("pump", ["c"], {"r": 1})
    rotated = at.found("clients", "rotate", "SN-1")
    if at.service is not None:
        assert secret_works(at.service, rotated)
        assert not secret_works(at.service, made)
    assert at.found("clients", "disable", "SN-1")["status"] == "disabled"
    if at.service is not None:
        assert not secret_works(at.service, rotated), "it is denied when the command has ended"
    assert at("clients", "disable", "SN-1").line == "edgeclients: status already assigned"
    assert at.found("clients", "enable", "SN-1")["status"] == "enabled"
    assert at.found("clients", "connect", "SN-1", CHANNEL, "--type", "publish") is None
    assert rows(at.data, "SELECT client_id, type FROM connections") == [(made["id"], 1)]
    assert at.found("clients", "disconnect", "SN-1", CHANNEL) is None
    assert rows(at.data, "SELECT count(*) FROM connections") == [(0,)]
    role = at.found("roles", "create", "SN-1", "reader", "--action", "read", "--member", "bob")
    admin, reader = at.found("roles", "list", "SN-1")
    assert (admin["name"], reader["name"], reader["actions"], reader["members"]) == ("admin", "reader", ["read"], ["bob"])
    assert reader["id"] == role["id"]
    assert at.found("clients", "delete", "SN-1") is None
    ended = at("clients", "get", "SN-1")
    assert (ended.code, ended.line) == (1, "edgeclients: there is no client 'SN-1'")


def test_lists_in_every_form(at: Place) -> None:
    for number in range(120):
        if number < 3 or at.service is not None:
            at.found("clients", "create", f"n{number}", "--external-id", f"=SN-{number}", "--tag", "t")
    found = at.found("clients", "list")
    assert len(found) == (120 if at.service is not None else 3)
    assert len(at.found("clients", "list", "--limit", "2")) == 2
    assert at.found("clients", "list", "--tag", "none") == []
    lines = at("clients", "list", "--output", "jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == found
    table = list(csv.DictReader(io.StringIO(at("clients", "list", "--output", "csv").out)))
    assert [row["id"] for row in table] == [one["id"] for one in found]
    assert all(row["external_id"].startswith("'=SN-") for row in table), "no spreadsheet runs it"
    head, first, *_ = at("clients", "list").out.splitlines()
    assert head.split() == ["ID", "NAME", "EXTERNAL", "ID", "STATUS", "TAGS"]
    assert found[0]["id"] in first


def test_a_name_of_several_clients(at: Place) -> None:
    one = at.found("clients", "create", "same", "--external-id", "SN-1")
    other = at.found("clients", "create", "same", "--external-id", "other")
    third = at.found("clients", "create", "other")
    for name, ids in (("same", [one, other]), ("other", [other, third])):
        ended = at("clients", "get", name)
        assert ended.code == 1
        assert all(client["id"] in ended.line for client in ids)
    assert at.found("clients", "get", "other", "--by", "name")["id"] == third["id"]
    assert at.found("clients", "get", "other", "--by", "external_id")["id"] == other["id"]
    assert at("clients", "get", "other", "--by", "id").code == 1
    assert at("clients", "get", "%").code == 1, "it is no pattern"


def test_who_still_uses_a_retiring_secret(at: Place) -> None:
    made = [at.found("clients", "create", name, "--external-id", f"=SN-{name}") for name in ("boiler", "pump", "never rotated")]
    assert at.found("secrets") == []
    for client, grace in zip(made, ("2h", "1h"), strict=False):
        at.found("clients", "rotate", client["id"], "--grace", grace)
    pump, boiler = at.found("secrets")
    assert [(one["client_id"], one["name"]) for one in (pump, boiler)] == [(made[1]["id"], "pump"), (made[0]["id"], "boiler")]
    assert pump["expires_at"] < boiler["expires_at"]
    assert "last_used_at" not in pump
    assert at.found("secrets", "boiler") == [boiler]
    assert at.found("secrets", "pump", "--by", "name") == [pump]
    assert at.found("secrets", "never rotated") == []
    if at.service is not None:
        assert secret_works(at.service, made[0])
        wait_until(lambda: "last_used_at" in at.found("secrets", "boiler")[0], "the use is noted")
        (boiler,) = at.found("secrets", "boiler")
    assert [json.loads(line) for line in at("secrets", "--output", "jsonl").out.splitlines()] == [pump, boiler]
    first, second = csv.DictReader(io.StringIO(at("secrets", "--output", "csv").out))
    assert (first["external_id"], first["last_used_at"], first["expires_at"]) == ("'=SN-pump", "never", pump["expires_at"])
    assert second["last_used_at"] == boiler.get("last_used_at", "never")
    head, line, _ = at("secrets").out.splitlines()
    assert head.split() == ["CLIENT", "ID", "NAME", "EXTERNAL", "ID", "STATUS", "LAST", "USED", "AT", "EXPIRES", "AT"]
    assert all(text in line for text in (made[1]["id"], "pump", "never", pump["expires_at"]))
    at.found("clients", "rotate", "boiler")
    assert at.found("secrets") == [pump]
    at.found("clients", "disable", "pump")
    (row,) = csv.DictReader(io.StringIO(at("secrets", "--output", "csv").out))
    assert row["status"] == "disabled", "it works no more until the client is enabled"


def test_more_retiring_secrets_than_a_page_has(tmp_path: Path) -> None:
    with started(tmp_path / "data") as service, Api(service, "plant") as api:
        many = api.request("POST", "/clients/bulk", json=[{}] * 205).json()["clients"]
        for client in many:
            assert api.request("PATCH", f"/clients/{client['id']}/secret", json={"generate": True, "grace": 60}).is_success
        ended = run("secrets", "--domain", "plant", "--output", "json", data=service.data)
    assert [one["client_id"] for one in json.loads(ended.out)] == [client["id"] for client in many]


def test_an_empty_name_is_nobodys(at: Place) -> None:
    made = at.found("clients", "create", "")
    assert at("clients", "delete", "").code == 2
    assert [one["id"] for one in at.found("clients", "list")] == [made["id"]]


def test_an_update_is_whole_or_nothing(at: Place) -> None:
    at.found("clients", "create", "old", "--external-id", "SN-1", "--tag", "a")
    for wrong in (("--tag", "t" * 3000), ("--name", "n" * 3000, "--tag", "b")):
        ended = at("clients", "update", "SN-1", "--name", "new", *wrong)
        assert (ended.code, "invalid" in ended.line) == (1, True), ended
        found = at.found("clients", "get", "SN-1")
        assert (found["name"], found["tags"]) == ("old", ["a"])


def test_tags_that_look_like_a_filter(at: Place) -> None:
    tags = {"plus": ["a+b"], "comma": ["c,d"], "both": ["a+b", "c,d"], "parts": ["a", "b", "c", "d"], "blank": [" e", "c,d"]}
    for name, those in tags.items():
        at.found("clients", "create", name, *(argument for tag in those for argument in ("--tag", tag)))

    def names(*wanted: str) -> set[str]:
        listed = at.found("clients", "list", *(argument for tag in wanted for argument in ("--tag", tag)))
        return {one["name"] for one in listed}

    for wanted in (["a+b"], ["c,d"], ["a+b", "c,d"], ["a", "c"], [" e"], [" e", "c,d"], ["e"]):
        assert names(*wanted) == {name for name, those in tags.items() if set(wanted) <= set(those)}, wanted
    assert len(at.found("clients", "list", "--tag", "a+b", "--limit", "1")) == 1


@pytest.mark.parametrize("name", ["żółć", "two\nlines", "plain"])
def test_the_user_has_any_name(at: Place, name: str) -> None:
    assert run("clients", "list", *at.arguments, data=at.data, env={"LOGNAME": name, "EDGECLIENTS_DOMAIN": "d"}).code == 0


@pytest.mark.parametrize("runs", [True, False])
def test_a_data_directory_with_a_long_path(tmp_path: Path, runs: bool) -> None:
    data = tmp_path / ("long" * 25) / "data"
    data.parent.mkdir()
    place = Place(data, (), None)
    with started(data) as service:
        if runs:
            assert place.found("clients", "create", "n")["name"] == "n"
            assert len(str(service.data / "control.sock")) > 107
    if not runs:
        assert place.found("clients", "create", "n")["name"] == "n"
    assert [one["name"] for one in place.found("clients", "list")] == ["n"]
    assert not [path.name for path in data.iterdir() if path.is_socket()]


class TestWrongUse:
    def test_arguments(self, at: Place) -> None:
        for arguments in (
            ("clients", "create", "n", "--metadata", "[]"),
            ("clients", "rotate", "n", "--grace", "soon"),
            ("clients", "list", "--limit", "0"),
            ("secrets", "a", "b"),
            ("clients",),
            ("clients", "get", ""),
            ("clients", "delete", "", "--by", "name"),
            ("roles", "list", ""),
            ("clients", "connect", "n", ""),
        ):
            assert at(*arguments).code == 2, arguments
        at.found("clients", "create", "n")
        assert "there is no client" in at("secrets", "m").line
        ended = at("clients", "update", "n")
        assert (ended.code, "nothing to change" in ended.line) == (2, True)

    def test_without_a_domain_or_a_token(self, tmp_path: Path) -> None:
        ended = run("clients", "list", data=tmp_path)
        assert (ended.code, "EDGECLIENTS_DOMAIN" in ended.line) == (2, True)
        arguments = ("clients", "list", "--domain", "d", "--url")
        ended = run(*arguments, "http://localhost:1", data=tmp_path)
        assert (ended.code, "EDGECLIENTS_TOKEN" in ended.line) == (2, True)
        token = {"EDGECLIENTS_TOKEN": "0123456789abcdef"}
        assert "cannot be reached" in run(*arguments, "http://localhost:1", data=tmp_path, env=token).line
        for wrong in ("localhost:1", "ftp://x", "http://x/y", "http://x:y"):
            assert "is no address of a service" in run(*arguments, wrong, data=tmp_path, env=token).line
        assert "has no token" in run(*arguments, "http://x", "--token-file", str(tmp_path / "none"), data=tmp_path).line
        assert "start the service once" in run("clients", "list", "--domain", "d", data=tmp_path / "none").line


def test_who_may_open_the_socket(tmp_path: Path) -> None:
    """Its owner only; and it is gone with the service."""
    with started(tmp_path / "data") as service:
        socket = service.data / "control.sock"
        assert socket.is_socket()
        assert socket.stat().st_mode & 0o777 == 0o600
    assert not socket.exists()


def test_a_service_that_was_killed_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    service = Service.launch(tmp_path / "data").wait_ready()
    service.kill()
    assert run("clients", "list", "--domain", "d", data=service.data).code == 0
    with started(tmp_path / "data"):
        assert run("clients", "list", "--domain", "d", data=service.data).code == 0
