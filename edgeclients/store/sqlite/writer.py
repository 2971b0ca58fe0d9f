"""Group commit: one thread runs the queued units of work in one transaction, each in its own savepoint.

Many callers share one fsync. The event loop learns of a batch only after COMMIT: effects first, then results, whether or
not a caller still waits.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, cast

from edgeclients.errors import Busy, DomainError, StorageFull, Unavailable, reason_of
from edgeclients.model import Effects
from edgeclients.ports import Unit
from edgeclients.progress import Progress
from edgeclients.store.clock import Clock, StoredTime
from edgeclients.store.journal import Ages
from edgeclients.store.limits import StoreLimits
from edgeclients.store.rows import keep_time
from edgeclients.store.sqlite import journal, settlement
from edgeclients.store.sqlite.faults import translate
from edgeclients.store.sqlite.log import WriteAheadLog
from edgeclients.store.sqlite.transaction import SqliteTransaction

T = TypeVar("T")

_log = logging.getLogger(__name__)

_FAULTS = (Busy, StorageFull, Unavailable)
_KEPT = keep_time(":at", ":plausible", ":jumped", greatest="max")
_KEEP_TIME = f"UPDATE store_state SET {_KEPT} WHERE id = 1 RETURNING newest_at, steady_since"

_RETRY_SECONDS = 1.0  # after a reader has kept the log from being truncated

_MANY_CHANGES = 5000  # rows; they fill the page cache, which is needed no longer

BATCH = 256  # maximum units in a transaction, so that an endless queue does not delay the first of them


class _Job(NamedTuple, Generic[T]):
    unit: Unit[T]
    future: asyncio.Future[T]


class _Outcome(NamedTuple):
    job: _Job[Any]
    result: object = None
    error: BaseException | None = None


class SqliteWriter:
    """Makes all changes of the database.

    Args:
        connection: from now on used by the writer's thread only.
        path: of its file.
        clock: gives rows their timestamps.
        limits: how much is kept, and how many units may wait.
        on_commit: called in the event loop after each commit, before its callers get their results.
        final_statements: run before the connection is closed.
        progress: receives a step for each unit and each commit.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        clock: Clock,
        limits: StoreLimits,
        on_commit: Callable[[Effects], None],
        final_statements: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> None:
        self._connection = connection
        self._path = path
        self._clock = clock
        self._limits = limits
        self._ages = Ages()
        self._on_commit = on_commit
        self._final_statements = final_statements
        self._progress = progress or Progress()
        self._batches: queue.SimpleQueue[list[_Job[Any]] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        # Used in the event loop only: jobs collected while the thread works, and the state of handing them over.
        self._collected: deque[_Job[Any]] = deque()
        self._under_way = 0
        self._handing_over = False
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._ended = asyncio.Event()
        threading.Thread(target=self._serve, name="sqlite-writer", daemon=True).start()
        self.last_commit_at: int | None = None
        self.fault = ""
        self.commits = 0

    @property
    def failing(self) -> bool:
        """Whether the last transaction failed; `fault` has the reason."""
        return bool(self.fault)

    @property
    def active(self) -> int:
        """The number of units that wait or are being run."""
        return len(self._collected) + self._under_way

    async def run(self, unit: Unit[T]) -> T:
        """`Store.run`."""
        if self._closing:
            raise Unavailable("closing")
        if self.active >= self._limits.waiting_writes:
            raise Busy("write queue is full", retry_after=1)
        job = _Job(unit, self._loop.create_future())
        self._collected.append(job)
        self._idle.clear()
        self._plan_hand_over()
        result: T = await job.future
        return result

    async def close(self) -> None:
        """Finish queued units, then close the connection."""
        self._closing = True
        await self._idle.wait()
        self._batches.put(None)
        await self._ended.wait()

    def _plan_hand_over(self) -> None:
        """Hand over at the end of the loop's current round, so that all units queued in this round share one commit."""
        if not self._handing_over and not self._under_way:
            self._handing_over = True
            self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._handing_over = False
        jobs = [self._collected.popleft() for _ in range(min(BATCH, len(self._collected)))]
        if jobs:
            self._under_way = len(jobs)
            self._progress.begin()
            self._batches.put(jobs)
        else:
            self._idle.set()

    def _serve(self) -> None:
        self._progress.counter = partial(_transferred, threading.get_native_id())
        log = WriteAheadLog(self._connection, self._path)
        while (jobs := self._next(None if log.is_bounded else _RETRY_SECONDS)) is not None:
            changes = self._connection.total_changes
            if jobs:
                self._commit(jobs)
            del jobs  # while it waits for others, a bulk in memory would wait with it
            log.bound()
            if self._connection.total_changes - changes > _MANY_CHANGES:
                self._connection.execute("PRAGMA shrink_memory").close()
        try:
            for statement in self._final_statements:
                self._connection.execute(statement)
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            _log.warning("the write-ahead log could not be truncated: the next start does it", extra={"error": str(error)})
        finally:
            self._connection.close()
            self._in_loop(self._ended.set)

    def _next(self, seconds: float | None) -> list[_Job[Any]] | None:
        """The next batch; an empty one if none comes for so long, None at the end."""
        try:
            return self._batches.get(timeout=seconds)
        except queue.Empty:
            return []

    def _commit(self, jobs: list[_Job[Any]]) -> None:
        outcomes: list[_Outcome] = []
        done: list[SqliteTransaction] = []
        failure: BaseException | None = None
        committed_at: int | None = None
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes += [self._try(job, done) for job in jobs]
            if done or not all(map(_is_refusal, outcomes)):
                self._finish(done)
                committed_at = self._clock.now()
            else:
                self._connection.execute("ROLLBACK")  # refused units must not wear out the disk
        except BaseException as error:  # noqa: BLE001 - the thread must survive any error
            failure = translate(error)
            self._roll_back()
        if failure is not None:
            outcomes = [_Outcome(job, error=failure) for job in jobs]
            done = []
        effects = [transaction.effects() for transaction in done]
        if not self._in_loop(partial(self._resolve, outcomes, effects, committed_at, failure)):
            _log.warning("a commit finished after the event loop had closed")

    def _in_loop(self, work: Callable[[], None]) -> bool:
        """Run `work` in the event loop; False if the loop is closed."""
        try:
            self._loop.call_soon_threadsafe(work)
        except RuntimeError:
            return False
        return True

    def _finish(self, done: Sequence[SqliteTransaction]) -> None:
        kept = self._connection.execute(_KEEP_TIME, self._clock.reading()._asdict()).fetchall()[0]
        if any(transaction.appended for transaction in done):
            settlement.settle(self._connection, self._limits.outbox)
        if any(transaction.recorded for transaction in done):
            journal.settle(self._connection, self._limits.journal, self._ages, self._clock.purge_cutoff())
        self._connection.execute("COMMIT")
        self._clock.committed(StoredTime(*kept))

    def _try(self, job: _Job[Any], done: list[SqliteTransaction]) -> _Outcome:
        """Run one unit in a savepoint; a successful transaction joins `done`.

        Raises:
            sqlite3.Error: the whole transaction was rolled back, including the other units of the batch.
        """
        self._progress.step()
        if job.future.cancelled():
            return _Outcome(job)
        transaction = SqliteTransaction(self._connection, self._clock)
        self._connection.execute("SAVEPOINT unit")
        try:
            result = _drive(cast("Coroutine[Any, Any, object]", job.unit(transaction)))
            self._connection.execute("RELEASE unit")
        except BaseException as error:
            if not self._connection.in_transaction:
                # Some errors (disk full) roll everything back, not just the savepoint.
                raise error if isinstance(error, sqlite3.Error) else sqlite3.OperationalError("rolled back") from error
            self._connection.execute("ROLLBACK TO unit")
            self._connection.execute("RELEASE unit")
            return _Outcome(job, error=translate(error) if isinstance(error, Exception) else RuntimeError(repr(error)))
        done.append(transaction)
        return _Outcome(job, result)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                _log.error("rollback failed", extra={"error": str(error)})

    def _resolve(
        self,
        outcomes: list[_Outcome],
        effects: list[Effects],
        committed_at: int | None,
        failure: BaseException | None,
    ) -> None:
        self._under_way = 0
        self._progress.end()
        if committed_at is not None:
            self.last_commit_at = committed_at
            self.commits += 1
        if failure is not None:
            self.fault = reason_of(failure)
        elif committed_at is not None:
            self.fault = ""
        for effect in effects:
            try:
                self._on_commit(effect)
            except Exception:  # noqa: BLE001 - the writer continues, and the log holds the traceback
                _log.exception("an effect of a commit failed")
        for outcome in outcomes:
            if outcome.job.future.done():
                continue
            if outcome.error is not None:
                outcome.job.future.set_exception(_copy_of(outcome.error))
            else:
                outcome.job.future.set_result(outcome.result)
        # Runs after the callers that were just woken: their next units share the next commit.
        self._plan_hand_over()


def _is_refusal(outcome: _Outcome) -> bool:
    """Whether the storage had no fault: the unit succeeded, or a domain error refused it."""
    return outcome.error is None or (isinstance(outcome.error, DomainError) and not isinstance(outcome.error, _FAULTS))


def _transferred(thread: int) -> str:
    """What a thread has read and written, as the kernel counts it: a commit or a checkpoint runs no statement."""
    try:
        return Path(f"/proc/self/task/{thread}/io").read_text()
    except OSError:  # this kernel does not count it, or the thread has ended
        return ""


def _copy_of(error: BaseException) -> BaseException:
    """A separate error object for one caller: callers share the failure of a batch, and raising adds a traceback to it."""
    return type(error)(error.detail, retry_after=error.retry_after) if isinstance(error, DomainError) else error


def _drive(unit: Coroutine[Any, Any, T]) -> T:
    """Run a unit to completion: nothing it may await suspends here."""
    try:
        unit.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    unit.close()
    raise RuntimeError("a unit of work awaited something outside its transaction")
