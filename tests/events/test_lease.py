"""Several relays on one store: one sends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from edgeclients.events.relay import Relay
from edgeclients.events.streams import connect
from edgeclients.model import Event
from edgeclients.store.limits import StoreLimits
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.store import SqliteStore
from tests.support.redis import RedisServer
from tests.support.waiting import PATIENCE, come_true

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")

COUNT = 3000


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[list[SqliteStore]]:
    """Two stores on one file, as two processes have it, with events."""
    async with AsyncExitStack() as stack:
        made = [SqliteStore(SqliteDatabase(tmp_path / "clients.db"), StoreLimits(), lambda _: None) for _ in range(2)]
        for store in made:
            await stack.enter_async_context(store)
        events = [Event("client.update", str(number), b'{"id":"%d"}' % number, number) for number in range(COUNT)]
        await made[0].run(lambda tx: tx.append(events))
        yield made


@asynccontextmanager
async def relaying(store: SqliteStore, redis: RedisServer, owner: str) -> AsyncIterator[Relay]:
    relay = Relay(store, connect(f"redis://{redis.address}"), asyncio.Event(), owner, ("client.update",))
    relay.start()
    try:
        yield relay
    finally:
        await relay.stop(PATIENCE)


async def until_empty(store: SqliteStore) -> None:
    async def is_empty() -> bool:
        return not (await store.outbox_state()).waiting

    await come_true(is_empty, "an empty outbox")


async def test_of_two_relays_one_sends(stores: list[SqliteStore], redis: RedisServer) -> None:
    async with relaying(stores[0], redis, "a") as a, relaying(stores[1], redis, "b") as b:
        await until_empty(stores[0])
        assert sorted([a.sent, b.sent]) == [0, COUNT]
    assert [one.event["sequence"] for one in redis.entries("client.update")] == list(range(1, COUNT + 1))


async def test_what_one_has_left_the_other_sends(stores: list[SqliteStore], redis: RedisServer) -> None:
    """The first has the lease and is gone without a word; its lease ends."""
    assert await stores[0].run(lambda tx: tx.lease_outbox("gone", 3))
    async with relaying(stores[1], redis, "b") as b:
        await until_empty(stores[1])
        assert b.sent == COUNT


async def test_a_crashed_owner_takes_over_from_itself(stores: list[SqliteStore], redis: RedisServer) -> None:
    assert await stores[0].run(lambda tx: tx.lease_outbox("a", 3600))
    async with relaying(stores[1], redis, "a") as again:
        await until_empty(stores[1])
        assert again.sent == COUNT


async def test_whoever_lost_the_lease_leaves_the_rest_alone(stores: list[SqliteStore], redis: RedisServer) -> None:
    async with relaying(stores[0], redis, "a"):
        await asyncio.to_thread(redis.wait_for, 1)
        taken = await stores[1].run(_take_away)
        async with relaying(stores[1], redis, "b"):
            await until_empty(stores[1])
    assert taken
    found = redis.entries("client.update")
    first = list(dict.fromkeys(one.event["event_id"] for one in found))
    assert [int(one.split("-")[1]) for one in first] == list(range(1, COUNT + 1)), "in order, each for the first time"


async def _take_away(tx: object) -> bool:
    await tx.release_outbox("a")  # type: ignore[attr-defined]
    return bool(await tx.lease_outbox("b", 3600))  # type: ignore[attr-defined]
