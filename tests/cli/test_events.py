"""`edgeclients events status`: how far events have been sent, asked beside a service that runs or does not."""

import json
from pathlib import Path
from typing import Any

from tests.cli.test_upgrade import Used, used, with_schema_1  # noqa: F401 - a fixture
from tests.support.api import Api
from tests.support.commands import run
from tests.support.database import keep_events
from tests.support.redis import RedisServer
from tests.support.service import started
from tests.support.streams import create_many, wait_until_all_is_sent


def status(data: Path) -> dict[str, Any]:
    ended = run("events", "status", "--output", "json", data=data)
    assert (ended.code, ended.err) == (0, ""), ended
    shown: dict[str, Any] = json.loads(ended.out)
    return shown


def lines(data: Path) -> dict[str, str]:
    ended = run("events", "status", data=data)
    assert (ended.code, ended.err) == (0, ""), ended
    return {name: text.strip() for name, text in (line.split(":", 1) for line in ended.out.splitlines())}


def test_nothing_has_happened(tmp_path: Path) -> None:
    with started(tmp_path / "data"):
        shown = status(tmp_path / "data")
        assert len(shown.pop("store_id")) == 32
        assert shown == {
            "waiting": 0,
            "first": None,
            "last": None,
            "oldest_age": None,
            "dropped": 0,
            "gap": None,
            "sent_through": None,
            "sent_at": None,
        }
        told = lines(tmp_path / "data")
    assert (told["waiting"], told["oldest"], told["last sent"], told["dropped"]) == ("0", "none", "nothing yet", "0")


def test_what_waits_is_told_with_the_service_running_and_stopped(tmp_path: Path) -> None:
    with started(tmp_path / "data") as service, Api(service) as api:
        keep_events(service)
        create_many(api, 7)
        running = status(service.data)
    stopped = status(tmp_path / "data")
    for shown in (running, stopped):
        assert (shown["waiting"], shown["first"], shown["last"], shown["sent_through"]) == (7, 1, 7, None)
    assert 0 < running["oldest_age"] < stopped["oldest_age"]
    told = lines(tmp_path / "data")
    assert told["waiting"] == "7, number 1 to 7"
    assert told["oldest"].endswith(" s old")


def test_what_was_dropped_and_nobody_was_told_of_is_shown(tmp_path: Path) -> None:
    with started(tmp_path / "data", {"MG_CLIENTS_OUTBOX_MAX_ROWS": "5"}) as service, Api(service) as api:
        keep_events(service)
        create_many(api, 12)
        shown = status(service.data)
        told = lines(service.data)
    assert (shown["waiting"], shown["first"], shown["last"], shown["dropped"]) == (5, 8, 12, 7)
    assert shown["gap"] == {"count": 7, "first": 1, "last": 7}
    assert told["unreported"] == "7 dropped, number 1 to 7"


def test_what_was_sent_is_shown(tmp_path: Path) -> None:
    with RedisServer() as redis:
        with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service, Api(service) as api:
            create_many(api, 3)
            wait_until_all_is_sent(service)
            shown = status(service.data)
        ((_, event),) = redis.entries("client.create")[-1:]
    assert (shown["waiting"], shown["sent_through"]) == (0, 3)
    assert shown["sent_at"]
    assert event["event_id"].startswith(shown["store_id"])
    assert lines(tmp_path / "data")["last sent"].startswith("number 3, recorded 20")


def test_what_a_command_has_changed_is_sent_too(tmp_path: Path) -> None:
    """Nobody tells the service of that: it looks now and then."""
    with RedisServer() as redis:
        with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service, Api(service) as api:
            client = api.create(name="n")
            assert run("operators", "add", "bob", data=service.data).code == 0
            role = api.give_role(client["id"], "r", ["read"], ["bob"])
            redis.wait_for(2)
            wait_until_all_is_sent(service)
            assert run("operators", "remove", "bob", data=service.data).code == 0
            redis.wait_for(3)
        event = redis.entries("client.roles")[-1].event
    assert (event["operation"], event["role_id"], event["members"]) == ("client.role.members.remove", role["id"], ["bob"])


def test_where_there_is_no_data_nothing_is_made(tmp_path: Path) -> None:
    ended = run("events", "status", data=tmp_path / "data")
    assert ended.code == 1
    assert "there is no data in" in ended.line
    assert not list(tmp_path.iterdir())


def test_data_of_an_older_version_is_left_alone(used: Used, tmp_path: Path) -> None:  # noqa: F811 - a fixture
    data = with_schema_1(used.data, tmp_path / "data", tmp_path / "schema")
    ended = run("events", "status", data=data)
    assert ended.code == 1
    assert "older edgeclients" in ended.line
