"""The store by itself: a read by key, and creates that share their commits, each against the plain driver."""

import asyncio
import os
import random
import time
from pathlib import Path

import uvloop

from tests.perf.fleet import BULK, SESSION, Registry, drafts
from tests.perf.homes import registry
from tests.perf.measure import Figure, Row, Run, Spread, pair

_CALLERS = 64


def read(run: Run) -> list[Row]:
    """A client by its id."""
    return uvloop.run(_read(run))


async def _read(run: Run) -> list[Row]:
    count, rounds = run.pick(20_000, 200), run.pick(5, 1)
    async with registry(run.home, "read") as ours:
        created = await ours.clients.create(SESSION, drafts(range(run.pick(BULK, 1_000))))
        ids = [random.choice(created).client.id for _ in range(count)]
        measured = []
        for _ in range(rounds + 1):
            base = await run.home.read_plainly("read", ids)
            started = time.perf_counter()
            for client_id in ids:
                await ours.store.client(client_id)
            measured.append((base, time.perf_counter() - started))
    found = pair(measured[1:])
    each = 1_000_000 / count
    return [
        Row(
            "read",
            f"read by primary key: {found.ours.median * each:.2f} µs through the store, raw {run.home.raw} "
            f"{found.base.median * each:.2f} µs; {rounds} rounds of {count:,} among {len(created):,} clients",
            Figure(found.ratio, 2, " ×"),
            "≤ 1.50 ×",
            found.ratio.median <= 1.5,
        )
    ]


def create(run: Run) -> list[Row]:
    """64 callers that create clients, against a commit per client."""
    return uvloop.run(_create(run))


async def _create(run: Run) -> list[Row]:
    each, plain, rounds = run.pick(40, 5), run.pick(200, 20), run.pick(5, 1)
    async with registry(run.home, "rows") as ours:
        await ours.clients.create(SESSION, drafts(range(plain * (rounds + 1))))
    rows = await run.home.rows_of_clients("rows")
    measured, syncs = [], []
    async with registry(run.home, "create") as ours:
        before = run.home.commits(ours.store)
        for number in range(rounds + 1):
            slow = plain / await run.home.insert_plainly("plain", rows[number * plain : (number + 1) * plain])
            started = time.perf_counter()
            await asyncio.gather(*(_caller(ours, each) for _ in range(_CALLERS)))
            measured.append((slow, _CALLERS * each / (time.perf_counter() - started)))
            syncs.append(_sync_seconds(run.folder / "sync"))
        batch = _CALLERS * each * (rounds + 1) / (run.home.commits(ours.store) - before)
    found, sync = pair(measured[1:]), Spread.of(value * 1000 for value in syncs[1:])
    return [
        Row(
            "create",
            f"{_CALLERS} concurrent creates: {found.ours.median:,.0f}/s in the store ({batch:.0f} share a commit), raw "
            f"{run.home.raw} with a commit each {found.base.median:,.0f}/s; {rounds} rounds",
            Figure(found.ratio, 1, " ×"),
            "≥ 15 ×",
            found.ratio.median >= 15,
        ),
        Row("create", "…the disk: 4 KiB written and fdatasync", Figure(sync, 2, " ms")),
    ]


async def _caller(ours: Registry, count: int) -> None:
    for (draft,) in zip(drafts(range(count)), strict=True):
        await ours.clients.create(SESSION, [draft])


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
