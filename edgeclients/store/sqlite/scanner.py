"""Reads that may scan many rows: on a few connections, each with its own thread, each read within a time limit."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
import msgspec

from edgeclients.concurrency import run_to_end
from edgeclients.errors import Busy
from edgeclients.store.clause import Clause
from edgeclients.store.sqlite import activity
from edgeclients.store.sqlite.connect import add_functions, read_only
from edgeclients.store.sqlite.terms import contains, terms

T = TypeVar("T")

Work = Callable[[aiosqlite.Connection], Awaitable[T]]

CONNECTIONS = 2  # a list that delays another costs less than memory for more
WAITING = 64
_SETTINGS: list[activity.Statement] = [
    ("PRAGMA busy_timeout = 1000", ()),
    ("PRAGMA temp_store = MEMORY", ()),
    ("PRAGMA cache_size = -512", ()),  # KiB; the system caches the file as well
]
_ROWS_AT_A_TIME = 64  # fetched by a cursor from the thread
_integers = msgspec.json.Decoder(list[int]).decode
_STEPS = 2000  # virtual machine instructions between checks of the clock: about 20 µs


async def rows(connection: aiosqlite.Connection, clause: Clause) -> list[tuple[Any, ...]]:
    """What a statement selects."""
    return list(await connection.execute_fetchall(clause.sql, clause.parameters))  # type: ignore[arg-type] # object is what SQLite takes


async def numbers(connection: aiosqlite.Connection, clause: Clause, column: str) -> list[int]:
    """A column of integers of what a statement selects, in its order: as one text, which costs a third of as many rows."""
    ((text,),) = await rows(connection, Clause(f"SELECT group_concat({column}) FROM ({clause.sql})", clause.parameters))
    return _integers(f"[{text or ''}]")


class Scanner:
    """Runs reads that may take long, off the event loop.

    Args:
        path: the database.
        limit: seconds one read may take.
    """

    def __init__(self, path: Path, limit: float) -> None:
        self._path = path
        self._limit = limit
        self._idle: asyncio.LifoQueue[_TimedConnection] = asyncio.LifoQueue()
        self._all: list[_TimedConnection] = []
        self._running: set[asyncio.Task[Any]] = set()

    async def read(self, work: Work[T]) -> T:
        """Run `work` in one read transaction.

        Raises:
            Busy: too many reads wait already.
            sqlite3.OperationalError: among others "interrupted": the time limit was reached.
        """
        if len(self._running) >= WAITING:
            raise Busy("too many reads waiting", retry_after=1)
        # In a separate task: a cancelled caller must not leave a transaction open.
        task = asyncio.ensure_future(self._read(work))
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    async def open(self) -> None:
        """Open the connections now: later no file descriptor may be left for them. `close` also closes a partial set.

        Raises:
            sqlite3.Error: one cannot be opened.
            RuntimeError: its thread cannot be started.
        """
        for _ in range(CONNECTIONS):
            timed = await _TimedConnection.open(self._path)
            self._all.append(timed)
            self._idle.put_nowait(timed)

    async def close(self) -> None:
        """Interrupt running reads, cancel waiting ones, then close the connections."""
        for timed in self._all:
            timed.deadline = 0.0
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
        for timed in self._all:
            await timed.connection.close()

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as retrieved: the caller may be gone

    async def _read(self, work: Work[T]) -> T:
        timed = await self._idle.get()
        try:
            try:
                return await self._within_limit(timed, work)
            except sqlite3.Error as error:
                if not activity.is_damage(error) or timed.activity_detached:
                    raise
                await timed.detach_activity()
                return await self._within_limit(timed, work)
        finally:
            self._idle.put_nowait(timed)

    async def _within_limit(self, timed: "_TimedConnection", work: Work[T]) -> T:
        timed.deadline = time.monotonic() + self._limit
        await timed.connection.execute("BEGIN")
        try:
            return await work(timed.connection)
        finally:
            timed.deadline = float("inf")
            await timed.connection.rollback()


class _TimedConnection:
    """A connection and the deadline of its current work."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.connection = connection
        self.deadline = float("inf")
        self.activity_detached = False

    @classmethod
    async def open(cls, path: Path) -> "_TimedConnection":
        # Opened here, not in its thread, which would keep running after a failure: nothing can fail after its start.
        connection = sqlite3.connect(read_only(path), uri=True, isolation_level=None, check_same_thread=False)
        try:
            for statement in (*_SETTINGS, *activity.attaching(path)):
                connection.execute(*statement)
            connection.create_function("metadata_contains", 2, _metadata_contains, deterministic=True)
            connection.create_function("metadata_has", 3, _metadata_has, deterministic=True)
            add_functions(connection)
            timed = cls(aiosqlite.Connection(lambda: connection, iter_chunk_size=_ROWS_AT_A_TIME))
            connection.set_progress_handler(timed.expired, _STEPS)
            try:
                await run_to_end(_start(timed.connection))
            except asyncio.CancelledError:
                await timed.connection.close()  # its thread answers to the event loop, which must not be closed before
                raise
        except BaseException:
            connection.close()
            raise
        return timed

    async def run(self, statements: list[activity.Statement]) -> None:
        for statement in statements:
            await self.connection.execute(*statement)

    async def detach_activity(self) -> None:
        self.activity_detached = True
        await self.run(activity.detaching())

    def expired(self) -> bool:
        return time.monotonic() > self.deadline


async def _start(connection: aiosqlite.Connection) -> None:
    await connection


@lru_cache(maxsize=16)
def _decoded(text: str) -> object:
    return msgspec.json.decode(text)


def _metadata_contains(text: str, wanted: str) -> bool:
    return contains(msgspec.json.decode(text), _decoded(wanted))


def _metadata_has(text: str | None, path: str, value: str) -> bool:
    if text is None or not _may_have(text, value):
        return False
    return (path, value) in terms(msgspec.json.decode(text))


def _may_have(text: str, value: str) -> bool:
    """Whether a JSON text may have the value of a term: False in a fraction of the time that it takes to decode it."""
    return not (value[0] == "s" and value[1:].isalnum() and value.isascii()) or f'"{value[1:]}"' in text
