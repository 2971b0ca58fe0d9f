"""What a gateway writes to its card for each client that is created, among 100,000, and how large its database is."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import uvloop

from edgeclients.progress import Progress
from edgeclients.store.sqlite.connect import open_writer
from edgeclients.store.sqlite.database import SqliteDatabase
from tests.perf.fleet import BULK, SESSION, Registry, drafts
from tests.perf.homes import registry
from tests.perf.measure import Figure, Row, Run, Spread, chunks

_SECTOR = 512  # bytes, in the kernel's statistics of any device
_SECTORS_WRITTEN = 6  # field 7 of /sys/dev/block/*/stat

Create = Callable[[Registry, Iterator[int]], Awaitable[None]]


class _Way(NamedTuple):
    """A way to create clients, how many each time has, how often, and what the issue of a small box allows, in KB a client."""

    title: str
    clients: int
    times: int
    budget: int
    create: Create


class _Bytes(NamedTuple):
    """Bytes written so far: by write calls of this process, and by the device, whoever caused it; None without a device."""

    called: int
    device: int | None


def written(run: Run) -> list[Row]:
    """Bytes that each way of creating a client writes, until they are in the database itself."""
    return uvloop.run(_written(run))


async def _written(run: Run) -> list[Row]:
    base = run.pick(100_000, 300)
    numbers = itertools.count(base)
    rows: list[Row] = []
    database = run.folder / "written.db"
    with contextlib.closing(SqliteDatabase(database)) as new:
        new.use(have_reader=False)  # as a gateway that sends no events
    async with registry(run.home, "written") as ours:
        for some in chunks(base, BULK):
            await ours.clients.create(SESSION, drafts(some))
        rows.append(_size(database, base))
        for way in _ways(run):
            _write_back(database)
            before = _bytes(run.folder)
            for _ in range(way.times):
                await way.create(ours, numbers)
            _write_back(database)
            rows += _rows(way, base, before, _bytes(run.folder))
    return rows


def _ways(run: Run) -> list[_Way]:
    bulk = run.pick(BULK, 100)
    return [
        _Way("created alone", 1, run.pick(1_000, 5), 60, lambda ours, numbers: _bulk(ours, numbers, 1)),
        _Way("64 at once", 64, run.pick(50, 1), 25, lambda ours, numbers: _at_once(ours, numbers, 64)),
        _Way("bulk of 90", 90, run.pick(50, 1), 12, lambda ours, numbers: _bulk(ours, numbers, 90)),
        _Way(f"bulk of {bulk:,}", bulk, 1, 5, lambda ours, numbers: _bulk(ours, numbers, bulk)),
    ]


async def _bulk(ours: Registry, numbers: Iterator[int], count: int) -> None:
    await ours.clients.create(SESSION, drafts(itertools.islice(numbers, count)))


async def _at_once(ours: Registry, numbers: Iterator[int], count: int) -> None:
    await asyncio.gather(*(_bulk(ours, numbers, 1) for _ in range(count)))


def _rows(way: _Way, base: int, before: _Bytes, after: _Bytes) -> Iterator[Row]:
    clients = way.clients * way.times
    called = (after.called - before.called) / clients / 1000
    yield Row(
        "written",
        f"{way.title}, {clients:,} clients after {base:,}: written by our own calls, a client",
        Figure(Spread(called, called, called), 1, " KB"),
        f"≤ {way.budget} KB",
        called <= way.budget,
    )
    if before.device is not None and after.device is not None:
        device = (after.device - before.device) / clients / 1000
        yield Row("written", "…by the device, whoever wrote", Figure(Spread(device, device, device), 1, " KB"))


def _size(database: Path, base: int) -> Row:
    _write_back(database)
    with contextlib.closing(open_writer(database, Progress())) as connection:
        of_tables = connection.execute("SELECT sum(pgsize) FROM dbstat WHERE name <> 'outbox'").fetchall()[0][0]
    each = of_tables / base / 1000
    return Row(
        "written",
        f"size of the database without its outbox, a client of {base:,}",
        Figure(Spread(each, each, each), 2, " KB"),
        "≤ 0.70 KB",
        each <= 0.7,
    )


def _write_back(database: Path) -> None:
    """Bring everything from the write-ahead log into the database, as happens by itself sooner or later."""
    with contextlib.closing(open_writer(database, Progress())) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _bytes(folder: Path) -> _Bytes:
    counted = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    os.sync()
    number = folder.stat().st_dev
    statistics = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/stat")
    device = int(statistics.read_text().split()[_SECTORS_WRITTEN]) * _SECTOR if statistics.exists() else None
    return _Bytes(int(counted["wchar"]), device)
