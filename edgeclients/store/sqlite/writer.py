"""Group commit: one thread runs the waiting units of work in one transaction, each in a savepoint of its own.

Many callers share one fsync. What a batch changes is announced in the event loop only after COMMIT, effects first, whether
or not a caller still waits.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Generic, NamedTuple, TypeVar, cast

from edgeclients.errors import Busy, DomainError, Unavailable
from edgeclients.model import Effects
from edgeclients.ports import Unit
from edgeclients.store.clock import Clock
from edgeclients.store.sqlite.faults import translate
from edgeclients.store.sqlite.outbox import OutboxBounds
from edgeclients.store.sqlite.transaction import SqliteTransaction

T = TypeVar("T")

_log = logging.getLogger(__name__)

BATCH = 256  # units a transaction takes at most, so that the first of them is not kept waiting by an endless queue


class _Job(NamedTuple, Generic[T]):
    unit: Unit[T]
    future: asyncio.Future[T]


class _Outcome(NamedTuple):
    job: _Job[Any]
    result: object = None
    error: BaseException | None = None


class Writer:
    """The only one that changes the database.

    Args:
        connection: used by the writer's thread alone from now on.
        clock: what rows are stamped with.
        bounds: of the outbox.
        on_commit: called in the event loop after each commit, before its callers hear of it.
        longest_queue: units that may wait.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        clock: Clock,
        bounds: OutboxBounds,
        on_commit: Callable[[Effects], None],
        longest_queue: int,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._bounds = bounds
        self._on_commit = on_commit
        self._longest_queue = longest_queue
        self._queue: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._waiting = 0
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="sqlite-writer", daemon=True)
        self._thread.start()
        self.last_commit_at: int | None = None
        self.failing = False
        self.commits = 0

    async def run(self, unit: Unit[T]) -> T:
        """`Store.run`."""
        if self._closing:
            raise Unavailable("closing")
        if self._waiting >= self._longest_queue:
            raise Busy("write queue is full", retry_after=1)
        job = _Job(unit, self._loop.create_future())
        self._waiting += 1
        self._queue.put(job)
        result: T = await job.future
        return result

    async def close(self) -> None:
        """Finish what waits, then close the connection."""
        self._closing = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _serve(self) -> None:
        while True:
            jobs, last = self._take()
            if jobs:
                self._commit(jobs)
            if last:
                break
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._connection.close()

    def _take(self) -> tuple[list[_Job[Any]], bool]:
        """The next batch, and whether nothing comes after it."""
        jobs: list[_Job[Any]] = []
        job = self._queue.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == BATCH:
                return jobs, False
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _commit(self, jobs: list[_Job[Any]]) -> None:
        outcomes: list[_Outcome] = []
        effects: list[Effects] = []
        failure: BaseException | None = None
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes += [self._try(job, effects) for job in jobs]
            self._connection.execute("UPDATE store_state SET newest_at = max(newest_at, ?) WHERE id = 1", (self._clock.now(),))
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - this thread must outlive whatever it was
            failure = translate(error)
            self._roll_back()
        if failure is not None:
            outcomes = [_Outcome(job, error=failure) for job in jobs]
            effects = []
        committed_at = None if failure else time.time_ns() // 1000
        try:
            self._loop.call_soon_threadsafe(self._settle, outcomes, effects, committed_at)
        except RuntimeError:  # the loop is closed: nobody is left to tell
            _log.warning("a commit finished after its callers had gone")

    def _try(self, job: _Job[Any], effects: list[Effects]) -> _Outcome:
        """Run one unit in a savepoint.

        Raises:
            sqlite3.Error: the whole transaction is gone, with what other units of the batch did.
        """
        if job.future.cancelled():
            return _Outcome(job)
        transaction = SqliteTransaction(self._connection, self._clock, self._bounds)
        self._connection.execute("SAVEPOINT unit")
        try:
            result = _drive(cast("Coroutine[Any, Any, object]", job.unit(transaction)))
            self._connection.execute("RELEASE unit")
        except Exception as error:
            if not self._connection.in_transaction:
                # Some errors (disk full) roll everything back, not just the savepoint.
                raise error if isinstance(error, sqlite3.Error) else sqlite3.OperationalError("rolled back") from error
            self._connection.execute("ROLLBACK TO unit")
            self._connection.execute("RELEASE unit")
            return _Outcome(job, error=translate(error))
        effects.append(transaction.effects())
        return _Outcome(job, result)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                _log.error("rollback failed", extra={"error": str(error)})

    def _settle(self, outcomes: list[_Outcome], effects: list[Effects], committed_at: int | None) -> None:
        self._waiting -= len(outcomes)
        self.failing = committed_at is None
        if committed_at is not None:
            self.last_commit_at = committed_at
            self.commits += 1
        for effect in effects:
            self._on_commit(effect)
        for outcome in outcomes:
            if outcome.job.future.done():
                continue
            if outcome.error is not None:
                outcome.job.future.set_exception(_own(outcome.error))
            else:
                outcome.job.future.set_result(outcome.result)


def _own(error: BaseException) -> BaseException:
    """An error object for one caller: several share the failure of a batch, and raising writes a traceback into it."""
    return type(error)(error.detail, retry_after=error.retry_after) if isinstance(error, DomainError) else error


def _drive(unit: Coroutine[Any, Any, T]) -> T:
    """Run a unit to its end: nothing it may await ever suspends here."""
    try:
        unit.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    unit.close()
    raise RuntimeError("a unit of work awaited something outside its transaction")
