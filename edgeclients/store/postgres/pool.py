"""Connections, shared out between kinds of work: a kind that is slow keeps no other from its own."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from edgeclients.errors import Busy, MalformedRequest, QueryTimedOut, Unavailable
from edgeclients.store.postgres.connect import STATEMENT_SECONDS, PostgresAddress, PostgresConnection, connect
from edgeclients.store.postgres.faults import is_spent, translate

T = TypeVar("T")

Work = Callable[[PostgresConnection], Awaitable[T]]

FEWEST = 3  # connections: one for each kind of work
_IDLE_SECONDS = 300.0
_CLOSE_SECONDS = 1.0  # whoever is still worked for has been waited for before
_ANSWER_SECONDS = 5.0
_USUAL = (Busy, QueryTimedOut, MalformedRequest)  # told to the caller, and no news to an operator

_log = logging.getLogger(__name__)


class Lane:
    """One kind of work: so much of it at a time, so much waiting, and none waiting for long.

    Args:
        name: for the error.
        places: how much is done at a time.
        waiting: how much more may wait.
        patience: seconds it waits at most.
        limit: seconds it may take; longer means that the server is not there any more, for its own limits come first.
    """

    def __init__(self, name: str, places: int, waiting: int, patience: float, limit: float) -> None:
        self.limit = limit
        self._name = name
        self._free = asyncio.Semaphore(places)
        self._most = waiting
        self._waiting = 0
        self._patience = patience

    async def enter(self) -> None:
        """Take a place; give it back with `leave`.

        Raises:
            Busy: too many wait already, or this one has waited too long.
        """
        if not self._free.locked():
            await self._free.acquire()
            return
        if self._waiting >= self._most:
            raise Busy(f"too many {self._name} waiting", retry_after=1)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError as error:
            raise Busy(f"{self._name} waited too long for a connection", retry_after=1) from error
        finally:
            self._waiting -= 1

    def leave(self) -> None:
        """Give the place back."""
        self._free.release()


class Links:
    """Connections, used one after the other. The one used last is used first, so that those that are not needed get old.

    How many there are is bounded by whoever takes them. Sessions are left as they were found, no setting outlives its
    transaction: so none is reset, which would cost a round trip.

    Args:
        address: where they lead.
        clock: seconds that never go back.
    """

    def __init__(self, address: PostgresAddress, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = address
        self._clock = clock
        self._idle: deque[tuple[PostgresConnection, float]] = deque()
        self._used: set[PostgresConnection] = set()
        self._coming: set[asyncio.Task[PostgresConnection]] = set()
        self._closing = False

    async def take(self) -> PostgresConnection:
        """One that is there, or a new one; to be given back.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: as it comes; see `faults.translate`.
        """
        connection = self._open()
        if connection is None:
            connection = await self._connect()
        self._used.add(connection)
        return connection

    def give(self, connection: PostgresConnection) -> None:
        """Keep one, if it can be used again; those that were not for long are closed."""
        self._used.discard(connection)
        if connection.is_closed():
            return
        if self._closing or connection.is_in_transaction():
            connection.terminate()
            return
        self._idle.append((connection, self._clock()))
        while self._clock() - self._idle[0][1] > _IDLE_SECONDS:
            self._idle.popleft()[0].terminate()

    async def close(self, seconds: float) -> None:
        """End what is still used, say goodbye to the others, and keep none that is given back later."""
        self._closing = True
        for task in self._coming:
            task.cancel()
        for connection in self._used:
            connection.terminate()
        connections = [connection for connection, _ in self._idle]
        self._idle.clear()
        await asyncio.gather(*(connection.close(timeout=seconds) for connection in connections), return_exceptions=True)

    async def _connect(self) -> PostgresConnection:
        task = asyncio.ensure_future(connect(self._address))
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)
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

    def _open(self) -> PostgresConnection | None:
        while self._idle:
            connection, _ = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None


class Pool:
    """Runs work on connections that are opened as needed and opened anew when the server was away.

    Args:
        address: of the database.
        size: how many connections there are at most, `FEWEST` or more.
        waiting: how much of each kind may wait.
        patience: seconds it waits for a connection.
    """

    def __init__(self, address: PostgresAddress, size: int, waiting: int, patience: float) -> None:
        self._links = Links(address)
        scans = max(1, size // 4)
        changes = max(1, size // 2)
        self.changes = Lane("changes", changes, waiting, patience, STATEMENT_SECONDS + _ANSWER_SECONDS)
        self.scans = Lane("lists", scans, waiting, patience, patience + _ANSWER_SECONDS)
        self.reads = Lane("reads", size - scans - changes, waiting, patience, _ANSWER_SECONDS)
        self._running: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._away = False

    async def run(self, lane: Lane, work: Work[T]) -> T:
        """What `work` gives. Once it has begun it is finished, whether or not the caller waits for it.

        Raises:
            Busy: too much work of this kind waits.
            DomainError: what the database's errors mean.
        """
        self._check_open()
        await lane.enter()
        try:
            self._check_open()
        except Unavailable:
            lane.leave()
            raise
        # A task of its own: a caller that goes away must not leave a transaction open, nor have the server asked to cancel.
        task = asyncio.ensure_future(self._run(lane, work))
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Let finish what has begun, for some seconds, then close every connection."""
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
            task.exception()  # its caller may be gone; it is not news then

    async def _run(self, lane: Lane, work: Work[T]) -> T:
        try:
            connection = await self._links.take()
            # Not by cancelling: `work` would try to roll back, and wait for a server that is not there.
            watch = asyncio.get_running_loop().call_later(lane.limit, connection.terminate)
            try:
                result = await work(connection)
            except BaseException as error:
                if is_spent(error) or isinstance(error, asyncio.CancelledError):
                    connection.terminate()
                raise
            finally:
                watch.cancel()
                self._links.give(connection)
        except Exception as error:
            raise self._told(error) from error
        finally:
            lane.leave()
        self._note(away=False)
        return result

    def _told(self, error: Exception) -> BaseException:
        meaning = translate(error)
        if isinstance(meaning, Unavailable):
            self._note(away=True, detail=meaning.detail)
        elif meaning is not error and not isinstance(meaning, _USUAL):
            _log.error("postgresql failed", extra={"error": getattr(meaning, "detail", "")})
        return meaning

    def _note(self, *, away: bool, detail: str = "") -> None:
        """Log that the database went away, or is back: once, however many callers meet it."""
        if away == self._away:
            return
        self._away = away
        if away:
            _log.error("the database is away", extra={"error": detail})
        else:
            _log.info("the database answers again")
