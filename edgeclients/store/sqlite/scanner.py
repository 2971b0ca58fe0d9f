"""Reads that may scan: on a few connections with threads of their own, each within a time limit."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
import msgspec

from edgeclients.errors import Busy
from edgeclients.store.sqlite import activity
from edgeclients.store.sqlite.connect import read_only
from edgeclients.store.sqlite.terms import contains

T = TypeVar("T")

Work = Callable[[aiosqlite.Connection], Awaitable[T]]

CONNECTIONS = 2  # a list in the way of another costs less than memory for more
WAITING = 64
_SETTINGS: list[activity.Statement] = [("PRAGMA busy_timeout = 1000", ()), ("PRAGMA temp_store = MEMORY", ())]
_ROWS_AT_A_TIME = 64  # that a cursor fetches from the thread
_STEPS = 2000  # virtual machine instructions between looks at the clock: about 20 µs


class Scanner:
    """Runs reads that may take long, off the event loop.

    Args:
        path: the database.
        limit: seconds one read may take.
    """

    def __init__(self, path: Path, limit: float) -> None:
        self._path = path
        self._limit = limit
        self._idle: asyncio.LifoQueue[_Timed] = asyncio.LifoQueue()
        self._all: list[_Timed] = []
        self._running: set[asyncio.Task[Any]] = set()

    async def read(self, work: Work[T]) -> T:
        """Run `work` in one read transaction.

        Raises:
            Busy: too many reads wait already.
            sqlite3.OperationalError: among others, interrupted: the time limit was reached.
        """
        if len(self._running) >= WAITING:
            raise Busy("too many reads waiting", retry_after=1)
        # A task of its own: a caller that goes away must not leave a transaction open behind it.
        task = asyncio.ensure_future(self._read(work))
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    async def open(self) -> None:
        """Open the connections: later there may be no file descriptor left for them. `close` closes those there are.

        Raises:
            sqlite3.Error: one cannot be opened.
            RuntimeError: there can be no thread for it.
        """
        for _ in range(CONNECTIONS):
            timed = await _Timed.open(self._path)
            self._all.append(timed)
            self._idle.put_nowait(timed)

    async def close(self) -> None:
        """Cut short what runs or waits, then close."""
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
            task.exception()  # its caller may be gone; it is not news then

    async def _read(self, work: Work[T]) -> T:
        timed = await self._idle.get()
        try:
            try:
                return await self._within_limit(timed, work)
            except sqlite3.Error as error:
                if not activity.is_damage(error) or timed.without_activity:
                    raise
                await timed.do_without_activity()
                return await self._within_limit(timed, work)
        finally:
            self._idle.put_nowait(timed)

    async def _within_limit(self, timed: "_Timed", work: Work[T]) -> T:
        timed.deadline = time.monotonic() + self._limit
        await timed.connection.execute("BEGIN")
        try:
            return await work(timed.connection)
        finally:
            timed.deadline = float("inf")
            await timed.connection.rollback()


class _Timed:
    """A connection and the moment its present work must end."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.connection = connection
        self.deadline = float("inf")
        self.without_activity = False

    @classmethod
    async def open(cls, path: Path) -> "_Timed":
        # Not in its thread, which would go on without us if this failed: nothing that fails comes behind its start.
        connection = sqlite3.connect(read_only(path), uri=True, isolation_level=None, check_same_thread=False)
        try:
            for statement in (*_SETTINGS, *activity.attaching(path)):
                connection.execute(*statement)
            connection.create_function("metadata_contains", 2, _metadata_contains, deterministic=True)
            timed = cls(aiosqlite.Connection(lambda: connection, iter_chunk_size=_ROWS_AT_A_TIME))
            connection.set_progress_handler(timed.expired, _STEPS)
            await timed.connection
        except BaseException:
            connection.close()
            raise
        return timed

    async def run(self, statements: list[activity.Statement]) -> None:
        for statement in statements:
            await self.connection.execute(*statement)

    async def do_without_activity(self) -> None:
        self.without_activity = True
        await self.run(activity.doing_without())

    def expired(self) -> bool:
        return time.monotonic() > self.deadline


@lru_cache(maxsize=16)
def _decoded(text: str) -> object:
    return msgspec.json.decode(text)


def _metadata_contains(text: str, wanted: str) -> bool:
    return contains(msgspec.json.decode(text), _decoded(wanted))
