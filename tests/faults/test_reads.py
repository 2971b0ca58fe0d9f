"""Reads that take too long, that are too many, or that meet a lock (edgeclients/DECISIONS.md#reads-in-the-loop)."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from edgeclients.errors import Busy, QueryTimedOut, Unavailable
from edgeclients.model import Client, ClientFilter, JournalEntry, JournalFilter, JournalPage
from edgeclients.store.limits import StoreLimits
from edgeclients.store.sqlite import scanner
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.reader import Reader
from edgeclients.store.sqlite.store import SqliteStore
from tests.conformance.harness import add, new_client
from tests.support.waiting import PATIENCE, come_true

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")


def _store(path: Path, query_seconds: float = 5.0) -> SqliteStore:
    limits = StoreLimits(query_seconds=query_seconds)
    return SqliteStore(SqliteDatabase(path / "clients.db"), limits, lambda _: None)


async def test_a_list_has_a_time_limit_and_the_next_one_is_not_its_victim(tmp_path: Path) -> None:
    async with _store(tmp_path, query_seconds=0.000_001) as store:
        await add(store, *(new_client(name=f"name {n}") for n in range(5000)))
        for _ in range(5):
            with pytest.raises(QueryTimedOut):
                await store.page("d1", ClientFilter(name="x%y%z"))
        assert (await store.page("d2", ClientFilter())).total == 0


async def test_too_many_lists_at_a_time_are_refused(tmp_path: Path) -> None:
    async with _store(tmp_path) as store:
        pages = [store.page("d1", ClientFilter()) for _ in range(scanner.WAITING + 5)]
        answers = await asyncio.gather(*pages, return_exceptions=True)
        assert [type(answer) for answer in answers].count(Busy) == 5
        assert (await store.page("d1", ClientFilter())).total == 0


async def test_too_many_reads_of_the_journal_are_refused_and_delay_no_write(tmp_path: Path) -> None:
    async with _store(tmp_path) as store:
        await store.run(lambda tx: tx.record([JournalEntry("client.update", "d1", "", "ann")] * 3000))
        store.note_denied("")
        reads = [asyncio.ensure_future(store.journal(JournalFilter())) for _ in range(scanner.WAITING + 5)]
        flushed = asyncio.ensure_future(store.activity.flush())
        await flushed
        assert not all(read.done() for read in reads), "the flush has not waited for all of them"
        answers = await asyncio.gather(*reads, return_exceptions=True)
        pages = [answer for answer in answers if isinstance(answer, JournalPage)]
        assert [type(answer) for answer in answers].count(Busy) == 5
        assert {page.total for page in pages} == {3001}, "each has the denied login once"


async def test_a_list_whose_caller_left_leaves_nothing_open(tmp_path: Path) -> None:
    async with _store(tmp_path) as store:
        await add(store, *(new_client() for _ in range(2000)))
        for _ in range(10):
            task = asyncio.ensure_future(store.page("d1", ClientFilter(name="%")))
            await asyncio.wait([task], timeout=0)
            task.cancel()
        assert (await store.page("d1", ClientFilter(name="%"))).total == 2000
        with closing(sqlite3.connect(tmp_path / "clients.db", timeout=0)) as writer:  # the loop is to go on

            async def is_free() -> bool:
                busy, _, _ = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                return not busy

            await come_true(is_free, "the last of them to end")


async def test_a_locked_database_is_waited_for_off_the_loop(tmp_path: Path) -> None:
    """In WAL mode readers meet a lock only while a log is recovered; here one is made, and let go by another thread."""
    async with _store(tmp_path) as store:
        (client,) = await add(store, new_client())
        with closing(sqlite3.connect(tmp_path / "other.db", isolation_level=None)) as other:
            other.execute("CREATE TABLE t (x)")
            other.execute("BEGIN EXCLUSIVE")
            attempts: list[Reader] = []

            def read(reader: Reader) -> Client | None:
                attempts.append(reader)
                if len(attempts) == 1:
                    with closing(sqlite3.connect(tmp_path / "other.db", timeout=0)) as locked:
                        locked.execute("SELECT * FROM t")
                return reader.client(client.id)

            assert await store._read(read) == client
            assert attempts[0] is store._reader
            assert attempts[1] is not store._reader


async def test_damage_is_told_as_unavailable(tmp_path: Path) -> None:
    async with _store(tmp_path) as store:
        await add(store, *(new_client(name="x" * 500) for _ in range(200)))
    path = tmp_path / "clients.db"
    first = 40  # pages of data begin behind those of the schema
    with path.open("r+b") as file:
        file.seek(4096 * first)
        file.write(b"\xff" * (path.stat().st_size - 4096 * first))
    async with _store(tmp_path) as store:
        with pytest.raises(Unavailable):
            await store.page("d1", ClientFilter(name="x"))


async def test_a_stop_while_a_connection_opens_leaves_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread would answer to an event loop that is closed by then."""
    SqliteDatabase(tmp_path / "clients.db").close()
    begun, go_on = threading.Event(), threading.Event()
    run, threads = threading.Thread.run, set[threading.Thread]()

    def late(thread: threading.Thread) -> None:
        threads.add(thread)
        begun.set()
        go_on.wait()
        run(thread)

    monkeypatch.setattr(threading.Thread, "run", late)
    opening = asyncio.ensure_future(scanner.Scanner(tmp_path / "clients.db", 5.0).open())

    async def has_begun() -> bool:
        return begun.is_set()

    await come_true(has_begun, "the thread to start")
    opening.cancel()
    for _ in range(10):  # turns of the loop
        await asyncio.sleep(0)
    waited = not opening.done()
    go_on.set()
    assert waited
    await asyncio.wait([opening])
    assert opening.cancelled()
    (thread,) = threads
    thread.join(PATIENCE)
    assert not thread.is_alive()
