"""Events are dropped while others are being sent: whatever did not arrive was said to be missing, and nothing else was."""

import asyncio
import random
from pathlib import Path

import pytest

from edgeclients.events.relay import Relay
from edgeclients.events.streams import connect
from edgeclients.model import Event
from edgeclients.store.limits import OutboxBounds, StoreLimits
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.store import SqliteStore
from tests.support.redis import RedisServer
from tests.support.streams import GAP
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")

STREAM = "client.update"


@pytest.mark.parametrize("rows", [5, 150, 600])
async def test_all_that_is_missing_is_told_where_it_is_missing(tmp_path: Path, redis: RedisServer, rows: int) -> None:
    draw = random.Random(rows)
    wake = asyncio.Event()
    limits = StoreLimits(OutboxBounds(rows, 1_000_000))
    total = 0
    async with SqliteStore(SqliteDatabase(tmp_path / "clients.db"), limits, lambda _: wake.set()) as store:
        relay = Relay(store, connect(f"redis://{redis.address}"), wake, "a", (STREAM,))
        relay.start()
        for _ in range(150):
            count = draw.choice([1, 2, rows // 2, rows])
            events = [Event(STREAM, "c", b'{"operation":"%s"}' % STREAM.encode(), n) for n in range(total, total + count)]
            total += count
            await store.run(lambda tx, events=events: tx.append(events))  # type: ignore[misc]
            await asyncio.sleep(draw.choice([0, 0, 0.002, 0.01]))  # so that they meet the relay at different steps
        async with asyncio.timeout(PATIENCE):
            while (await store.outbox_state()).waiting:
                await asyncio.sleep(0.01)
        await relay.stop(PATIENCE)
        dropped = (await store.outbox_state()).dropped
    newest = 0
    told: set[int] = set()
    arrived: set[int] = set()
    for _, event in redis.entries(STREAM):
        assert event["sequence"] > newest
        newest = event["sequence"]
        if event["operation"] == GAP:
            missing = set(range(event["from"], event["to"] + 1)) - arrived
            assert len(missing) == event["count"]
            told |= missing
        else:
            arrived.add(event["sequence"])
    assert arrived | told == set(range(1, total + 1))
    assert not arrived & told
    assert len(told) == dropped
