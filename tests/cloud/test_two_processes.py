"""Two processes on one database: what is taken away through one is dead at the other, whatever happens to Redis.

See edgeclients/README.md#trip-revocation.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from tests.support import asking
from tests.support.api import Api, basic, of_domain
from tests.support.on_postgres import TOKEN, Cloud
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer
from tests.support.service import Service, started
from tests.support.waiting import PATIENCE

CHOSEN = "open sesame"


class Process(NamedTuple):
    """One of them, with a way of its own to Redis."""

    service: Service
    stub: Any
    way: Proxy

    def is_let_in(self, token: str) -> bool:
        """Whether it lets somebody in."""
        try:
            return bool(self.stub.Authenticate(clients_pb2.AuthnReq(token=token)).authenticated)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
                raise
            return False

    def counted(self, name: str) -> float:
        """What a metric of it says."""
        found = re.search(rf"^{name} (\S+)$", asking.get(f"{self.service.http}/metrics").text, re.MULTILINE)
        assert found, name
        return float(found[1])

    def cache(self) -> dict[str, Any]:
        """What it says of its cache when asked whether it is ready."""
        response = asking.get(f"{self.service.http}/ready")
        assert response.status_code == 200, response.text
        shown: dict[str, Any] = response.json()["cache"]
        return shown


class Two(NamedTuple):
    """Both, and what they share."""

    one: Process
    other: Process
    api: Api  # at `one`
    redis: RedisServer


def _until(holds: Callable[[], bool]) -> float:
    """Look until it holds; how long that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < PATIENCE, "it does not come true"
        time.sleep(0.005)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def module_server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture
def server(module_server: RedisServer) -> Iterator[RedisServer]:
    """It runs again at the end, however a test ends."""
    yield module_server
    module_server.bring_back()


@pytest.fixture
def two(cloud: Cloud, server: RedisServer, tmp_path: Path) -> Iterator[Two]:
    with ExitStack() as stack:

        def process(name: str) -> Process:
            way = stack.enter_context(Proxy(server.port))
            env = {**cloud.env, "MG_CLIENTS_CACHE_URL": way.address}
            service = stack.enter_context(started(tmp_path / name, env))
            channel = stack.enter_context(grpc.insecure_channel(service.grpc))
            return Process(service, clients_pb2_grpc.ClientsServiceStub(channel), way)  # type: ignore[no-untyped-call]

        one, other = process("one"), process("other")
        api = stack.enter_context(Api(one.service, token=TOKEN))
        for each in (one, other):
            _until(lambda each=each: each.cache()["redis"] == "live")  # type: ignore[misc]
        yield Two(one, other, api, server)
        for each in (one, other):
            assert not [line for line in each.service.lines if line.get("level") == "ERROR" and line.get("status") != 503]


def _disable(api: Api, client_id: str) -> None:
    assert api.request("POST", f"/clients/{client_id}/disable").status_code == 200


def _delete(api: Api, client_id: str) -> None:
    assert api.request("DELETE", f"/clients/{client_id}").status_code == 204


def _rotate(api: Api, client_id: str) -> None:
    assert api.request("PATCH", f"/clients/{client_id}/secret", json={"generate": True}).status_code == 200


CHANGES = {"disable": _disable, "delete": _delete, "rotate": _rotate}


def _known_to_both(two: Two, secret: str = "") -> tuple[str, list[str]]:
    """A client that both have let in, from their caches, in both forms of its token."""
    client = two.api.create(credentials={"secret": secret} if secret else {})
    tokens = [basic(client["id"], client["credentials"]["secret"]), of_domain(two.api.domain, client["credentials"]["secret"])]
    for process in (two.one, two.other):
        for token in tokens * 2:
            assert process.is_let_in(token)
    return client["id"], tokens


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("secret", ["", CHOSEN], ids=["generated", "chosen"])
def test_what_one_takes_away_is_dead_at_the_other_by_a_hint(two: Two, change: Callable[[Api, str], None], secret: str) -> None:
    client_id, tokens = _known_to_both(two, secret)
    heard = two.other.counted("clients_redis_hints_heard_total")
    change(two.api, client_id)
    took = [_until(lambda token=token: not two.other.is_let_in(token)) for token in tokens]  # type: ignore[misc]
    print(f"{max(took) * 1000:.1f} ms")
    assert two.other.counted("clients_redis_hints_heard_total") > heard
    assert not any(map(two.one.is_let_in, tokens))


@pytest.mark.parametrize("whose", ["one", "other"], ids=["the publisher's", "the subscriber's"])
@pytest.mark.parametrize("how", ["cut", "freeze"])
def test_a_connection_to_redis_that_is_gone_or_silent_lets_nobody_in_for_long(two: Two, whose: str, how: str) -> None:
    client_id, tokens = _known_to_both(two)
    getattr(getattr(two, whose).way, how)()
    _disable(two.api, client_id)
    _until(lambda: not any(map(two.other.is_let_in, tokens)))
    process: Process = getattr(two, whose)
    process.way.thaw()
    process.way.mend()
    _until(lambda: process.cache()["redis"] == "live")


def test_who_is_enabled_again_is_let_in_by_both(two: Two) -> None:
    client_id, tokens = _known_to_both(two, CHOSEN)
    for _ in range(3):
        _disable(two.api, client_id)
        _until(lambda: not any(map(two.other.is_let_in, tokens)))
        assert two.api.request("POST", f"/clients/{client_id}/enable").status_code == 200
        _until(lambda: all(map(two.other.is_let_in, tokens)))


def test_authentication_goes_on_without_redis_and_it_comes_back_by_itself(two: Two) -> None:
    _, tokens = _known_to_both(two, CHOSEN)
    two.redis.stop()
    for process in (two.one, two.other):
        _until(lambda process=process: process.cache()["redis"] == "away")  # type: ignore[misc]
        assert process.cache()["trusted"] is True
        assert process.counted("clients_redis_live") == 0
        assert all(map(process.is_let_in, tokens))
    client = two.api.create(credentials={"secret": "another one"})
    assert two.other.is_let_in(basic(client["id"], "another one"))
    _disable(two.api, client["id"])
    _until(lambda: not two.other.is_let_in(basic(client["id"], "another one")))
    two.redis.start()
    for process in (two.one, two.other):
        _until(lambda process=process: process.cache()["redis"] == "live")  # type: ignore[misc]
    client_id, tokens = _known_to_both(two)
    heard = two.other.counted("clients_redis_hints_heard_total")
    _disable(two.api, client_id)
    _until(lambda: two.other.counted("clients_redis_hints_heard_total") > heard)


def test_a_change_that_is_not_made_in_the_end_keeps_nobody_out(two: Two, cloud: Cloud) -> None:
    """The commit fails, and how, nobody can know: neither process may wait for a revision that there is not."""
    client_id, tokens = _known_to_both(two)
    cloud.execute(
        """
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$;
        CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON revocations DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION fail()
        """
    )
    assert two.api.request("POST", f"/clients/{client_id}/disable").status_code == 503
    assert all(process.is_let_in(token) for process in (two.one, two.other) for token in tokens)
    cloud.execute("DROP TRIGGER fail ON revocations")
    _disable(two.api, client_id)
    _until(lambda: not any(map(two.other.is_let_in, tokens)))


def test_after_the_database_was_set_back_what_is_taken_away_is_dead_all_the_same(two: Two, cloud: Cloud) -> None:
    for _ in range(5):
        _disable(two.api, two.api.create()["id"])
    client_id, tokens = _known_to_both(two)
    cloud.execute("DELETE FROM revocations; UPDATE store_state SET revision = 0")  # as a backup from before has it
    said = "the database was replaced or restored to an older state: the cache is cleared"
    for process in (two.one, two.other):
        _until(lambda process=process: any(line["msg"] == said for line in process.service.lines))  # type: ignore[misc]
    assert all(process.is_let_in(token) for process in (two.one, two.other) for token in tokens * 2)
    _disable(two.api, client_id)
    for process in (two.one, two.other):
        _until(lambda process=process: not any(map(process.is_let_in, tokens)))  # type: ignore[misc]


def test_what_one_has_hashed_the_other_need_not(two: Two) -> None:
    client = two.api.create(credentials={"secret": CHOSEN})
    token = basic(client["id"], CHOSEN)
    assert two.one.is_let_in(token)
    with two.redis.client() as caller:
        _until(lambda: bool(caller.keys("edgeclients:proof:*")))
    assert two.other.is_let_in(token)
    assert two.other.counted("clients_argon2_checks_total") == 0
    assert two.other.counted("clients_redis_proofs_found_total") == 1
    # The proof stays; the row decides.
    _rotate(two.api, client["id"])
    _until(lambda: not two.other.is_let_in(token))


def test_nothing_in_redis_can_be_read_or_used(two: Two) -> None:
    secrets = [CHOSEN, "another secret"]
    clients = [two.api.create(credentials={"secret": secret})["id"] for secret in secrets]
    generated = two.api.create()
    tokens = [basic(client, secret) for client, secret in zip(clients, secrets, strict=True)]
    for token in [*tokens, basic(generated["id"], generated["credentials"]["secret"])]:
        assert two.one.is_let_in(token)
    with two.redis.client() as caller:
        _until(lambda: len(caller.keys("edgeclients:proof:*")) >= 2)
        everything = b"\n".join(key + b"=" + caller.dump(key) for key in caller.keys("*"))
    for secret in [*secrets, *tokens, generated["credentials"]["secret"], TOKEN]:
        assert secret.encode() not in everything


def test_nothing_is_believed_that_somebody_else_wrote(two: Two) -> None:
    """Whoever can write to Redis gets nobody in: not by proofs of their own, nor by others' in another place."""
    mine, victim = (two.api.create(credentials={"secret": secret})["id"] for secret in ("mine", "theirs"))
    with two.redis.client() as caller:
        caller.flushall()
        assert two.one.is_let_in(basic(mine, "mine"))
        _until(lambda: len(caller.keys("edgeclients:proof:*")) == 1)
        (known,) = caller.keys("edgeclients:proof:*")
        value: bytes = caller.get(known)
        written: set[str] = set()

        def asked_for(number: int) -> tuple[str, list[str]]:
            """The name of a proof is not to be guessed: it is seen when Redis is asked, as a slow one may not be."""
            with caller.monitor() as watched, two.redis.client() as marker:
                tried: list[str] = []
                while len(tried) < 100:
                    token = basic(victim, f"guess {number} {len(tried)}")
                    tried.append(token)
                    assert not two.other.is_let_in(token)
                    marker.echo(token)
                    for line in watched.listen():
                        if found := re.match(r"GET (edgeclients:proof:\w+)", line["command"]):
                            return found[1], tried
                        if line["command"] == f"ECHO {token}":
                            break
            raise AssertionError("nobody asked Redis for a proof")

        for number, forged in enumerate(
            (value, b"\0" * 32 + victim.encode(), value[:32] + victim.encode(), b"", b"\xff" * 5000)
        ):
            name, tried = asked_for(number)
            with two.redis.client() as writer:
                writer.set(name, forged)
            written.add(name)
            for token in tried:
                assert not two.one.is_let_in(token)
        assert len(written) == 5
        (channel,) = caller.pubsub_channels("edgeclients:hints:*")
        for message in (b"", b"x" * 10, b"\0" * 100, value):
            assert caller.publish(channel, message) == 2
    assert two.one.is_let_in(basic(mine, "mine"))
    assert two.one.cache()["redis"] == "live"
