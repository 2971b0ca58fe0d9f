"""Connections, shared out between kinds of work: a kind that is slow keeps no other from its own."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from edgeclients.errors import Busy, MalformedRequest, QueryTimedOut, Unavailable
from edgeclients.store.postgres.connect import CONNECT_SECONDS, STATEMENT_SECONDS, Address, Link, arguments
from edgeclients.store.postgres.faults import is_spent, translate

T = TypeVar("T")

Work = Callable[[Link], Awaitable[T]]

FEWEST = 3  # connections: one for each kind of work
_IDLE_SECONDS = 300.0
_CLOSE_SECONDS = 5.0
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


class Pool:
    """Runs work on connections that are opened as needed and opened anew when the server was away.

    Args:
        address: of the database.
        size: how many connections there are at most, `FEWEST` or more.
        waiting: how much of each kind may wait.
        patience: seconds it waits for a connection.
    """

    def __init__(self, address: Address, size: int, waiting: int, patience: float) -> None:
        self._pool = asyncpg.create_pool(
            **arguments(address),
            min_size=0,  # else it logs each try to keep one
            max_size=size,
            max_inactive_connection_lifetime=_IDLE_SECONDS,
            reset=_nothing_to_reset,
        )
        scans = max(1, size // 4)
        changes = max(1, size // 2)
        self.changes = Lane("changes", changes, waiting, patience, STATEMENT_SECONDS + _ANSWER_SECONDS)
        self.scans = Lane("lists", scans, waiting, patience, patience + _ANSWER_SECONDS)
        self.reads = Lane("reads", size - scans - changes, waiting, patience, _ANSWER_SECONDS)
        self._running: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._away = False

    async def open(self) -> None:
        """Get ready; the first connection is opened by the first work."""
        await self._pool

    async def run(self, lane: Lane, work: Work[T]) -> T:
        """What `work` gives. Once it has begun it is finished, whether or not the caller waits for it.

        Raises:
            Busy: too much work of this kind waits.
            DomainError: what the database's errors mean.
        """
        if self._closing:
            raise Unavailable("closing")
        await lane.enter()
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
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()
            if self._running:
                await asyncio.wait(self._running)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may be gone; it is not news then

    async def _run(self, lane: Lane, work: Work[T]) -> T:
        try:
            link = await self._pool.acquire(timeout=2 * CONNECT_SECONDS)
            try:
                async with asyncio.timeout(lane.limit):
                    result = await work(link)
            except BaseException as error:
                if is_spent(error):
                    link.terminate()
                raise
            finally:
                with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                    await self._pool.release(link, timeout=CONNECT_SECONDS)  # what was done is done, whatever comes of this
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


async def _nothing_to_reset(_: Link) -> None:
    """Sessions are left as they were found: no setting outlives its transaction, and asking the server costs a round trip."""
