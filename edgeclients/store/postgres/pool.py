"""A connection pool with a share for each kind of work, so that a slow kind cannot starve the others."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from edgeclients.errors import Busy, MalformedRequest, QueryTimedOut, Unavailable
from edgeclients.store.postgres.connect import STATEMENT_SECONDS, PostgresAddress, PostgresConnection, connect
from edgeclients.store.postgres.faults import breaks_connection, translate

T = TypeVar("T")

Work = Callable[[PostgresConnection], Awaitable[T]]

MIN_CONNECTIONS = 3  # connections: one for each kind of work
_IDLE_SECONDS = 300.0
_CLOSE_SECONDS = 1.0  # the shutdown has waited for callers before
_ANSWER_SECONDS = 5.0
_EXPECTED = (Busy, QueryTimedOut, MalformedRequest)  # returned to the caller, not logged as errors

_log = logging.getLogger(__name__)


class Lane:
    """One kind of work: limits how much runs at a time, how much waits, and for how long.

    Args:
        name: for error texts.
        places: how much runs at a time.
        waiting: how much more may wait.
        max_wait: seconds it may wait.
        limit: seconds it may run; longer means that the server is unreachable, because the server's limits are shorter.
    """

    def __init__(self, name: str, places: int, waiting: int, max_wait: float, limit: float) -> None:
        self.limit = limit
        self._name = name
        self._free = asyncio.Semaphore(places)
        self._max_waiting = waiting
        self._waiting = 0
        self._max_wait = max_wait

    async def enter(self) -> None:
        """Take a place; `leave` returns it.

        Raises:
            Busy: too many wait already, or this one has waited too long.
        """
        if not self._free.locked():
            await self._free.acquire()
            return
        if self._waiting >= self._max_waiting:
            raise Busy(f"too many {self._name} waiting", retry_after=1)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._max_wait):
                await self._free.acquire()
        except TimeoutError as error:
            raise Busy(f"{self._name} waited too long for a connection", retry_after=1) from error
        finally:
            self._waiting -= 1

    def leave(self) -> None:
        """Return the place."""
        self._free.release()


class Links:
    """Connections for one caller at a time. The last one returned is reused first, so that unneeded ones expire.

    Lanes bound how many there are. No setting outlives its transaction, so sessions are not reset: that would cost a
    round trip.

    Args:
        address: of the database.
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, address: PostgresAddress, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = address
        self._clock = clock
        self._idle: deque[tuple[PostgresConnection, float]] = deque()
        self._in_use: set[PostgresConnection] = set()
        self._connecting: set[asyncio.Task[PostgresConnection]] = set()
        self._closing = False

    async def take(self) -> PostgresConnection:
        """An idle connection, or a new one; return it with `give`.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: untranslated; see `faults.translate`.
        """
        connection = self._idle_connection()
        if connection is None:
            connection = await self._connect()
        self._in_use.add(connection)
        return connection

    def give(self, connection: PostgresConnection) -> None:
        """Keep a connection if it is reusable, and close those that were idle too long."""
        self._in_use.discard(connection)
        if connection.is_closed():
            return
        if self._closing or connection.is_in_transaction():
            connection.terminate()
            return
        self._idle.append((connection, self._clock()))
        while self._clock() - self._idle[0][1] > _IDLE_SECONDS:
            self._idle.popleft()[0].terminate()

    async def close(self, seconds: float) -> None:
        """Terminate connections in use, close idle ones, and keep none that is returned later."""
        self._closing = True
        for task in self._connecting:
            task.cancel()
        for connection in self._in_use:
            connection.terminate()
        connections = [connection for connection, _ in self._idle]
        self._idle.clear()
        await asyncio.gather(*(connection.close(timeout=seconds) for connection in connections), return_exceptions=True)

    async def _connect(self) -> PostgresConnection:
        task = asyncio.ensure_future(connect(self._address))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        try:
            connection = await task
        except asyncio.CancelledError:
            if self._closing:
                raise asyncpg.InterfaceError("closing") from None
            raise
        if self._closing:
            connection.terminate()
            raise asyncpg.InterfaceError("closing")
        return connection

    def _idle_connection(self) -> PostgresConnection | None:
        while self._idle:
            connection, _ = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None


class Pool:
    """Runs work on connections that are opened on demand, and reopened after the server was unavailable.

    Args:
        address: of the database.
        size: maximum number of connections, at least `MIN_CONNECTIONS`.
        waiting: how many changes, and how many lists, may wait.
        waiting_reads: how many reads may wait.
        max_wait: seconds one waits for a connection.
    """

    def __init__(self, address: PostgresAddress, size: int, waiting: int, waiting_reads: int, max_wait: float) -> None:
        self._links = Links(address)
        scans = max(1, size // 4)
        changes = max(1, size // 2)
        self.changes = Lane("changes", changes, waiting, max_wait, STATEMENT_SECONDS + _ANSWER_SECONDS)
        self.scans = Lane("lists", scans, waiting, max_wait, max_wait + _ANSWER_SECONDS)
        self.reads = Lane("reads", size - scans - changes, waiting_reads, max_wait, _ANSWER_SECONDS)
        self._running: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._unavailable = False

    async def run(self, lane: Lane, work: Work[T]) -> T:
        """Run `work` and return its result. Work that has started completes, whether or not the caller still waits.

        Raises:
            Busy: too much work of this kind waits.
            DomainError: the translated error of the database.
        """
        self._check_open()
        await lane.enter()
        try:
            self._check_open()
        except Unavailable:
            lane.leave()
            raise
        # In a separate task: a cancelled caller must not leave a transaction open, nor send a cancel request to the server.
        task = asyncio.ensure_future(self._run(lane, work))
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Give running work a second to finish, then close every connection."""
        self._closing = True
        if self._running:
            await asyncio.wait(self._running, timeout=_CLOSE_SECONDS)
        await self._links.close(_CLOSE_SECONDS)
        if self._running:
            await asyncio.wait(self._running)

    def _check_open(self) -> None:
        if self._closing:
            raise Unavailable("closing")

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as retrieved: the caller may be gone

    async def _run(self, lane: Lane, work: Work[T]) -> T:
        try:
            connection = await self._links.take()
            # Terminates instead of cancelling: `work` would try to roll back, and wait for an unreachable server.
            watch = asyncio.get_running_loop().call_later(lane.limit, connection.terminate)
            try:
                result = await work(connection)
            except BaseException as error:
                if breaks_connection(error) or isinstance(error, asyncio.CancelledError):
                    connection.terminate()
                raise
            finally:
                watch.cancel()
                self._links.give(connection)
        except Exception as error:
            raise self._translated(error) from error
        finally:
            lane.leave()
        self._log_change(unavailable=False)
        return result

    def _translated(self, error: Exception) -> BaseException:
        meaning = translate(error)
        if isinstance(meaning, Unavailable):
            self._log_change(unavailable=True, detail=meaning.detail)
        elif meaning is not error and not isinstance(meaning, _EXPECTED):
            _log.error("postgresql failed", extra={"error": getattr(meaning, "detail", "")})
        return meaning

    def _log_change(self, *, unavailable: bool, detail: str = "") -> None:
        """Log that the database has become unavailable, or available again: once, however many callers notice."""
        if unavailable == self._unavailable:
            return
        self._unavailable = unavailable
        if unavailable:
            _log.error("the database is unavailable", extra={"error": detail})
        else:
            _log.info("the database is available again")
