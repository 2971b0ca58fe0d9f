"""What it costs to keep the outbox within its bounds: as much when it is full of 20,000 events as when it is full of 2,000.

The planner of PostgreSQL is tempted to read all of them only where rows lie out of order: so they are filled, vacuumed as
that server does by itself, and half of them filled again.
"""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgeclients.model import Event
from edgeclients.ports import Store
from edgeclients.store.limits import OutboxBounds, StoreLimits
from edgeclients.store.postgres import settlement
from edgeclients.store.postgres.connect import connect
from edgeclients.store.postgres.store import PostgresStore
from edgeclients.store.sqlite import settlement as on_sqlite
from edgeclients.store.sqlite.database import SqliteDatabase
from tests.support.postgres import Server
from tests.support.waiting import come_true

ROWS = 20_000
CHANGES = 200
PER_CHANGE = 40  # rows that may be read for one
BOUNDS = OutboxBounds(ROWS, 1 << 30)
PAYLOAD = b"x" * 400

STATISTICS = "SELECT seq_scan, idx_tup_fetch, n_tup_ins FROM pg_stat_user_tables WHERE relname = 'outbox'"


def events(count: int) -> list[Event]:
    return [Event("client.update", "c", PAYLOAD, number) for number in range(count)]


async def change(store: Store, times: int) -> None:
    for _ in range(times):
        await store.run(lambda tx: tx.append(events(1)))


@pytest.fixture
async def full(postgres: Server, prepared_postgres: str) -> AsyncIterator[str]:
    """A database with a full outbox whose rows lie out of order."""
    async with postgres.database(prepared_postgres) as name:
        async with opened(postgres, name) as store:
            await store.run(lambda tx: tx.append(events(ROWS)))
            for _ in range(2):
                await store.run(lambda tx: tx.append(events(ROWS // 2)))
                await postgres.execute("VACUUM ANALYZE", name)  # only then there is room where the oldest were
        yield name


def opened(postgres: Server, name: str) -> PostgresStore:
    return PostgresStore(postgres.address(name), 3, StoreLimits(BOUNDS), lambda _: None)


async def test_postgresql_reads_the_oldest_by_their_key(postgres: Server, full: str) -> None:
    before = await read(postgres, full, 0)
    async with opened(postgres, full) as store:
        await change(store, CHANGES)
        state = await store.outbox_state()
    after = await read(postgres, full, before[2] + CHANGES)
    assert ROWS - ROWS // 1000 <= state.waiting <= ROWS
    assert after[0] == before[0], "nobody went through all of it"
    assert after[1] - before[1] < CHANGES * PER_CHANGE


async def test_postgresql_sends_from_its_front_by_key(postgres: Server, full: str) -> None:
    before = await read(postgres, full, 0)
    async with opened(postgres, full) as store:
        for _ in range(CHANGES // 10):
            numbers = [number for number, _ in await store.outbox(0, 100)]
            await store.run(lambda tx, numbers=numbers: tx.remove_sent(numbers))  # type: ignore[misc]
        await change(store, CHANGES)
    after = await read(postgres, full, before[2] + CHANGES)
    assert after[0] == before[0], "nobody went through all of it"


async def read(postgres: Server, name: str, written: int) -> tuple[int, ...]:
    """Scans of the whole outbox, rows found by key, rows written; once so many have been."""
    found: list[tuple[int, ...]] = []

    async def there() -> bool:
        found[:] = await postgres.rows(name, STATISTICS)
        return found[0][2] >= written

    await come_true(there, "the server to have counted")
    return found[0]


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_postgresql_plans_by_key_whatever_it_is_asked_for(postgres: Server, full: str, mode: str) -> None:
    async with opened(postgres, full) as store:
        state = await store.outbox_state()
    assert state.first is not None
    for sql, values in ((settlement.OLDEST, [state.first - 1]), (settlement.DROP, [state.first - 1, state.first + 9])):
        types = ", ".join("bigint" for _ in values)
        named = f"one{len(values)}"
        prepared = f"SET plan_cache_mode = {mode}; PREPARE {named} ({types}) AS {sql}"
        plan = await explained(postgres, full, prepared, f"{named} ({', '.join(map(str, values))})")
        assert "outbox_pkey" in plan
        assert "Seq Scan" not in plan


async def explained(postgres: Server, name: str, before: str, statement: str) -> str:
    """How a prepared statement is done."""
    link = await connect(postgres.address(name))
    try:
        await link.execute(before)
        return "\n".join(line for (line,) in await link.fetch(f"EXPLAIN EXECUTE {statement}"))
    finally:
        link.terminate()


def test_sqlite_reads_no_more_of_a_larger_one(tmp_path: Path) -> None:
    small, large = (steps(tmp_path / f"{rows}.db", rows) for rows in (ROWS // 10, ROWS))
    assert large < 1.1 * small


def steps(path: Path, rows: int) -> int:
    """Instructions that SQLite takes for some changes when the outbox holds so many events."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    with contextlib.closing(SqliteDatabase(path)) as database:
        connection = database.connection
        connection.execute("BEGIN")
        settle(connection, rows, rows)
        for _ in range(10):
            settle(connection, rows // 20, rows)
        connection.set_progress_handler(count, 1)
        for _ in range(CHANGES):
            settle(connection, 1, rows)
        connection.set_progress_handler(None, 1)
        (kept,) = connection.execute("SELECT count(*) FROM outbox").fetchone()
        connection.execute("COMMIT")
    assert rows - rows // 1000 <= kept <= rows
    return counted


def settle(connection: sqlite3.Connection, count: int, rows: int) -> None:
    """What a transaction does that adds so many events."""
    on_sqlite.append(connection, events(count), 0)
    on_sqlite.settle(connection, OutboxBounds(rows, 1 << 30))
