"""Group commit: one thread runs the waiting units of work in one transaction, each in a savepoint of its own.

Many callers share one fsync. What a batch changes is announced in the event loop only after COMMIT, effects first, whether
or not a caller still waits.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar, cast

from edgeclients.errors import Busy, DomainError, StorageFull, Unavailable
from edgeclients.model import Effects
from edgeclients.ports import Unit
from edgeclients.store.clock import Clock, KeptTime
from edgeclients.store.limits import OutboxBounds
from edgeclients.store.rows import keep_time
from edgeclients.store.sqlite import settlement
from edgeclients.store.sqlite.faults import translate
from edgeclients.store.sqlite.transaction import SqliteTransaction

T = TypeVar("T")

_log = logging.getLogger(__name__)

_FAULTS = (Busy, StorageFull, Unavailable)
_KEPT = keep_time(":at", ":plausible", ":jumped", greatest="max")
_KEEP_TIME = f"UPDATE store_state SET {_KEPT} WHERE id = 1 RETURNING newest_at, steady_since"

BATCH = 256  # units a transaction takes at most, so that the first of them is not kept waiting by an endless queue


class _Job(NamedTuple, Generic[T]):
    unit: Unit[T]
    future: asyncio.Future[T]


class _Outcome(NamedTuple):
    job: _Job[Any]
    result: object = None
    error: BaseException | None = None


class SqliteWriter:
    """The only one that changes the database.

    Args:
        connection: used by the writer's thread alone from now on.
        clock: what rows are stamped with.
        bounds: of the outbox.
        on_commit: called in the event loop after each commit, before its callers hear of it.
        longest_queue: units that may wait.
        last: statements to end with.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        clock: Clock,
        bounds: OutboxBounds,
        on_commit: Callable[[Effects], None],
        longest_queue: int,
        last: Sequence[str] = (),
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._bounds = bounds
        self._on_commit = on_commit
        self._longest_queue = longest_queue
        self._last = last
        self._batches: queue.SimpleQueue[list[_Job[Any]] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        # The loop's own: jobs collected while the thread is at work, and what else stands between them and it.
        self._collected: deque[_Job[Any]] = deque()
        self._under_way = 0
        self._handing_over = False
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._ended = asyncio.Event()
        threading.Thread(target=self._serve, name="sqlite-writer", daemon=True).start()
        self.last_commit_at: int | None = None
        self.failing = False
        self.commits = 0

    async def run(self, unit: Unit[T]) -> T:
        """`Store.run`."""
        if self._closing:
            raise Unavailable("closing")
        if len(self._collected) + self._under_way >= self._longest_queue:
            raise Busy("write queue is full", retry_after=1)
        job = _Job(unit, self._loop.create_future())
        self._collected.append(job)
        self._idle.clear()
        self._plan_hand_over()
        result: T = await job.future
        return result

    async def close(self) -> None:
        """Finish what waits, then close the connection."""
        self._closing = True
        await self._idle.wait()
        self._batches.put(None)
        await self._ended.wait()

    def _plan_hand_over(self) -> None:
        """Hand over at the end of the loop's round, so that all who want to write in this round share one commit."""
        if not self._handing_over and not self._under_way:
            self._handing_over = True
            self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._handing_over = False
        jobs = [self._collected.popleft() for _ in range(min(BATCH, len(self._collected)))]
        if jobs:
            self._under_way = len(jobs)
            self._batches.put(jobs)
        else:
            self._idle.set()

    def _serve(self) -> None:
        while (jobs := self._batches.get()) is not None:
            self._commit(jobs)
        try:
            for statement in self._last:
                self._connection.execute(statement)
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            _log.warning("the log stays as it is until the next start", extra={"error": str(error)})
        finally:
            self._connection.close()
            self._in_loop(self._ended.set)

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
                self._connection.execute("ROLLBACK")  # whoever is refused shall not wear out the disk
        except BaseException as error:  # noqa: BLE001 - this thread must outlive whatever it was
            failure = translate(error)
            self._roll_back()
        if failure is not None:
            outcomes = [_Outcome(job, error=failure) for job in jobs]
            done = []
        self._tell(outcomes, [transaction.effects() for transaction in done], committed_at, failed=failure is not None)

    def _tell(self, outcomes: list[_Outcome], effects: list[Effects], committed_at: int | None, *, failed: bool) -> None:
        if not self._in_loop(partial(self._settle, outcomes, effects, committed_at, failed=failed)):
            _log.warning("a commit finished after its callers had gone")

    def _in_loop(self, work: Callable[[], None]) -> bool:
        """Have `work` done in the event loop; False if that is closed, and nobody is left to tell."""
        try:
            self._loop.call_soon_threadsafe(work)
        except RuntimeError:
            return False
        return True

    def _finish(self, done: Sequence[SqliteTransaction]) -> None:
        kept = self._connection.execute(_KEEP_TIME, self._clock.reading()._asdict()).fetchall()[0]
        if added := [one for transaction in done for one in transaction.added]:
            settlement.settle(self._connection, added, self._bounds)
        self._connection.execute("COMMIT")
        self._clock.committed(KeptTime(*kept))

    def _try(self, job: _Job[Any], done: list[SqliteTransaction]) -> _Outcome:
        """Run one unit in a savepoint; what succeeds joins `done`.

        Raises:
            sqlite3.Error: the whole transaction is gone, with what other units of the batch did.
        """
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

    def _settle(self, outcomes: list[_Outcome], effects: list[Effects], committed_at: int | None, *, failed: bool) -> None:
        self._under_way = 0
        if committed_at is not None:
            self.last_commit_at = committed_at
            self.commits += 1
        if failed or committed_at is not None:
            self.failing = failed
        for effect in effects:
            try:
                self._on_commit(effect)
            except Exception:  # noqa: BLE001 - the writer goes on, and the log has it all
                _log.exception("an effect of a commit failed")
        for outcome in outcomes:
            if outcome.job.future.done():
                continue
            if outcome.error is not None:
                outcome.job.future.set_exception(_own(outcome.error))
            else:
                outcome.job.future.set_result(outcome.result)
        # Behind the callers that were just woken: what they write next shares the next commit.
        self._plan_hand_over()


def _is_refusal(outcome: _Outcome) -> bool:
    """Whether a unit that did not succeed was at fault itself, and not the storage."""
    return outcome.error is None or (isinstance(outcome.error, DomainError) and not isinstance(outcome.error, _FAULTS))


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
