"""The store by itself: a read by key, and creates that share their commits, each against plain sqlite3."""

import asyncio
import os
import random
import sqlite3
import time
from pathlib import Path

import uvloop

from edgeclients.store.sqlite.connect import open_reader
from edgeclients.store.sqlite.rows import CLIENT_COLUMNS
from edgeclients.store.sqlite.store import SqliteDatabase
from tests.perf.fleet import BULK, SESSION, Registry, drafts, registry
from tests.perf.measure import Figure, Row, Run, Spread, pair, seconds

_CALLERS = 64

# A client's rows: table, and the column that says whose they are.
_ROWS = {
    "clients": "id",
    "client_tags": "client_id",
    "client_metadata": "client_id",
    "clients_roles": "entity_id",
    "clients_role_members": "entity_id",
    "outbox": "client_id",
}
_Rows = list[tuple[str, tuple[object, ...]]]  # statements with their parameters


def read(run: Run) -> list[Row]:
    """A client by its id."""
    return uvloop.run(_read(run))


async def _read(run: Run) -> list[Row]:
    count, rounds = run.pick(20_000, 2_000), run.pick(5, 3)
    path = run.folder / "read.db"
    async with registry(path) as ours:
        created = await ours.clients.create(SESSION, drafts(range(run.pick(BULK, 1_000))))
        ids = [random.choice(created).client.id for _ in range(count)]
        connection = open_reader(path)
        query = f"SELECT {CLIENT_COLUMNS} FROM clients WHERE id = ?"
        measured = []
        for _ in range(rounds + 1):
            base = seconds(lambda: _read_plainly(connection, query, ids))
            started = time.perf_counter()
            for client_id in ids:
                await ours.store.client(client_id)
            measured.append((base, time.perf_counter() - started))
        connection.close()
    found = pair(measured[1:])
    each = 1_000_000 / count
    return [
        Row(
            "read",
            f"read by primary key: {found.ours.median * each:.2f} µs through the store, raw sqlite3 "
            f"{found.base.median * each:.2f} µs; {rounds} rounds of {count:,} among {len(created):,} clients",
            Figure(found.ratio, 2, " ×"),
            "≤ 1.50 ×",
            found.ratio.median <= 1.5,
        )
    ]


def _read_plainly(connection: sqlite3.Connection, query: str, ids: list[str]) -> None:
    for client_id in ids:
        cursor = connection.execute(query, (client_id,))
        cursor.fetchall()
        cursor.close()


def create(run: Run) -> list[Row]:
    """64 callers that create clients, against a commit per client."""
    return uvloop.run(_create(run))


async def _create(run: Run) -> list[Row]:
    each, plain, rounds = run.pick(40, 5), run.pick(200, 20), run.pick(5, 2)
    rows = await _rows_of_clients(run.folder / "rows.db", plain * (rounds + 1))
    base = SqliteDatabase(run.folder / "plain.db")
    measured, syncs = [], []
    async with registry(run.folder / "create.db") as ours:
        before = ours.store.writer.commits
        for number in range(rounds + 1):
            share = rows[number * plain : (number + 1) * plain]
            slow = plain / seconds(lambda share=share: _insert_plainly(base.connection, share))  # type: ignore[misc]
            started = time.perf_counter()
            await asyncio.gather(*(_caller(ours, each) for _ in range(_CALLERS)))
            measured.append((slow, _CALLERS * each / (time.perf_counter() - started)))
            syncs.append(_sync_seconds(run.folder / "sync"))
        batch = _CALLERS * each * (rounds + 1) / (ours.store.writer.commits - before)
    base.close()
    found, sync = pair(measured[1:]), Spread.of(value * 1000 for value in syncs[1:])
    return [
        Row(
            "create",
            f"{_CALLERS} concurrent creates: {found.ours.median:,.0f}/s in the store ({batch:.0f} share a commit), raw sqlite3 "
            f"with a commit each {found.base.median:,.0f}/s; {rounds} rounds",
            Figure(found.ratio, 1, " ×"),
            "≥ 15 ×",
            found.ratio.median >= 15,
        ),
        Row("create", "…the disk: 4 KiB written and fdatasync", Figure(sync, 2, " ms")),
    ]


async def _caller(ours: Registry, count: int) -> None:
    for (draft,) in zip(drafts(range(count)), strict=True):
        await ours.clients.create(SESSION, [draft])


async def _rows_of_clients(path: Path, count: int) -> list[_Rows]:
    """What the store writes for `count` clients, client by client."""
    async with registry(path) as ours:
        created = await ours.clients.create(SESSION, drafts(range(count)))
    found: dict[str, _Rows] = {one.client.id: [] for one in created}
    connection = sqlite3.connect(path)
    for table, owner in _ROWS.items():
        cursor = connection.execute(f"SELECT {owner}, * FROM {table}")
        marks = ", ".join("?" for _ in cursor.description[1:])
        for client_id, *row in cursor:
            found[client_id].append((f"INSERT INTO {table} VALUES ({marks})", tuple(row)))
    connection.close()
    return list(found.values())


def _insert_plainly(connection: sqlite3.Connection, clients: list[_Rows]) -> None:
    for rows in clients:
        connection.execute("BEGIN IMMEDIATE")
        for statement, parameters in rows:
            connection.execute(statement, parameters)
        connection.execute("COMMIT")


def _sync_seconds(path: Path, count: int = 50) -> float:
    """How long the disk takes to have written a page, each behind the last as a log is."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        started = time.perf_counter()
        for _ in range(count):
            os.write(descriptor, bytes(4096))
            os.fdatasync(descriptor)
        return (time.perf_counter() - started) / count
    finally:
        os.close(descriptor)
