"""Users of a Redis server that have the rights the page names: everything works, and what is taken from them is named."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from edgeclients.cache import hints as hints_module
from edgeclients.cache import redis as redis_module
from edgeclients.cache.hints import Hints
from edgeclients.cache.redis import RedisProofs, connect
from edgeclients.cache.shared import SharedTokenCache
from edgeclients.errors import NotSent
from edgeclients.events import streams
from edgeclients.model import Effects
from tests.support import asking
from tests.support.api import Api, basic
from tests.support.on_postgres import Cloud
from tests.support.pages import in_language
from tests.support.redis import RedisServer
from tests.support.service import Service, started
from tests.support.streams import metric, relay_of, wait_until_all_is_sent
from tests.support.waiting import come_true, wait_until

(COMMANDS,) = in_language("packaging/operations/events.md", "text")
PASSWORD = "a-password"
_LINES = [line.split() for line in COMMANDS.splitlines()]
RIGHTS = {words[2]: words[3:] for words in _LINES}
EVENTS, CACHE = "edgeclients-events", "edgeclients-cache"
SOON = 0.05


def needed(user: str) -> list[str]:
    """The rights of a user, one by one."""
    return [word for word in RIGHTS[user] if word[0] in "+~&"]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A server that knows both users."""
    with RedisServer() as server:
        for user in RIGHTS:
            define(server, user)
        yield server


def define(server: RedisServer, user: str, without: str = "") -> None:
    """Give a user its rights, but for one."""
    with server.client() as caller:
        caller.execute_command("ACL", "SETUSER", user, "reset", *(word for word in RIGHTS[user] if word != without))


def url(server: RedisServer, user: str) -> str:
    return f"redis://{user}:{PASSWORD}@{server.address}/0"


def denied(server: RedisServer, user: str) -> int:
    """How often the server has denied a user something it needs."""
    with server.client() as caller:
        found: Any = caller.execute_command("ACL", "LOG")
    entries = [dict(zip(one[::2], one[1::2], strict=True)) if isinstance(one, list) else one for one in found]
    plain = [{_text(name): _text(value) for name, value in one.items()} for one in entries]
    return sum(int(one["count"]) for one in plain if one["username"] == user and not one["object"].startswith("client|"))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def test_with_the_rights_the_readme_names_everything_works(cloud: Cloud, redis: RedisServer, tmp_path: Path) -> None:
    env = {**cloud.env, "MG_CLIENTS_ES_URL": url(redis, EVENTS), "MG_CLIENTS_CACHE_URL": url(redis, CACHE)}
    with ExitStack() as stack:
        one, other = (stack.enter_context(started(tmp_path / name, env)) for name in ("one", "other"))
        for each in (one, other):
            wait_until(lambda each=each: is_live(each), "hints to arrive")  # type: ignore[misc]
        api = stack.enter_context(Api(one))
        client = api.create(credentials={"secret": "open sesame"})
        token = basic(client["id"], "open sesame")
        assert lets_in(one, token)
        with redis.client() as caller:
            wait_until(lambda: bool(caller.keys("edgeclients:proof:*")), "a proof")
        assert lets_in(other, token)
        assert metric(other, "clients_redis_proofs_found_total") == 1
        heard = metric(other, "clients_redis_hints_heard_total")
        assert api.request("POST", f"/clients/{client['id']}/disable").status_code == httpx.codes.OK
        wait_until(lambda: metric(other, "clients_redis_hints_heard_total") > heard, "a hint")
        assert metric(one, "clients_redis_hints_lost_total") == 0
        wait_until_all_is_sent(one)
        assert [entry.event["id"] for entry in redis.entries("client.create")] == [client["id"]]
        assert {relay_of(each)["relay"] for each in (one, other)} == {"on"}
        assert denied(redis, EVENTS) == denied(redis, CACHE) == 0
    for each in (one, other):
        assert not [line for line in each.lines if line.get("level") in {"WARNING", "ERROR"} and "Redis" in line["msg"]]


def is_live(service: Service) -> bool:
    return bool(asking.get(f"{service.http}/ready").json()["cache"]["redis"] == "live")


def lets_in(service: Service, token: str) -> bool:
    with grpc.insecure_channel(service.grpc) as channel:
        stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
        return bool(stub.Authenticate(clients_pb2.AuthnReq(token=token)).authenticated)


@pytest.fixture
async def cache(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Hints, RedisProofs]]:
    """What uses the server of the cache, and tries again soon."""
    monkeypatch.setattr(hints_module, "_DENIED_SECONDS", SOON)
    monkeypatch.setattr(redis_module, "_PAUSE_SECONDS", SOON)
    caller = connect(url(redis, CACHE))
    key = bytes(32)
    hints = Hints(caller, key, SharedTokenCache(60, 10, lambda: 0), lambda: None, "a store", b"sender")
    yield hints, RedisProofs(caller, key, 60)
    await hints.close()
    await caller.aclose()


@pytest.mark.source_only("it calls parts of the program, without the program")
@pytest.mark.parametrize("right", needed(CACHE))
async def test_a_right_the_cache_lacks_is_named_once(
    cache: tuple[Hints, RedisProofs], redis: RedisServer, caplog: pytest.LogCaptureFixture, right: str
) -> None:
    define(redis, CACHE, without=right)
    caplog.set_level(logging.INFO)
    hints, proofs = cache
    hints.start()
    uses_keys = right[0] == "~" or right in {"+get", "+set"}

    async def has_met_it() -> bool:
        hints.publish(Effects(granted=True))
        if uses_keys:
            await proofs.keep(b"token", "client", "kept")
            await proofs.recall(b"token")
        return denied(redis, CACHE) >= 4

    await come_true(has_met_it, "denials")
    assert [(record.levelname, vars(record)["error"]) for record in caplog.records] == [
        ("WARNING", f"the right {right} is missing")
    ]


@pytest.mark.source_only("it calls parts of the program, without the program")
@pytest.mark.parametrize("right", needed(EVENTS))
async def test_a_right_the_relay_lacks_is_named(redis: RedisServer, right: str) -> None:
    define(redis, EVENTS, without=right)
    sink = streams.connect(url(redis, EVENTS))
    with pytest.raises(NotSent) as refused:
        await sink.send([("events.magistrala.client.create", b"the '+get' command")])
    assert (refused.value.kind, refused.value.detail) == ("denied", f"the right {right} is missing")
    define(redis, EVENTS)
    await sink.send([("events.magistrala.client.create", b"1")])
    await sink.close()


@pytest.mark.source_only("it calls parts of the program, without the program")
async def test_where_it_may_the_relay_says_who_it_is(redis: RedisServer) -> None:
    sink = streams.connect(f"redis://{redis.address}")
    await sink.send([("events.magistrala.client.create", b"1")])
    with redis.client() as caller:
        assert "edgeclients-events" in {one["name"] for one in caller.client_list()}
    await sink.close()


def test_a_service_names_one_after_the_other_and_goes_on_when_it_has_them(redis: RedisServer, tmp_path: Path) -> None:
    define(redis, EVENTS, without="+xadd")
    with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": url(redis, EVENTS)}) as service, Api(service) as api:
        api.create()
        wait_until(lambda: relay_of(service)["failures"].get("denied", 0) >= 3, "three attempts")
        define(redis, EVENTS, without="+exec")
        before = denied(redis, EVENTS)
        wait_until(lambda: denied(redis, EVENTS) >= before + 2, "two more")
        define(redis, EVENTS)
        wait_until_all_is_sent(service)
    told = [line["error"] for line in service.lines if line["msg"] == "events cannot be sent: they wait in the outbox"]
    assert told == ["the right +xadd is missing", "the right +exec is missing"]
