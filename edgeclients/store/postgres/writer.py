"""Runs units of work, each in its own transaction, several at a time."""

import asyncio
import logging
import random
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from edgeclients.errors import DomainError, StorageFull, Unavailable, reason_of
from edgeclients.model import Effects
from edgeclients.ports import Unit
from edgeclients.progress import Progress
from edgeclients.store.clock import Clock, ServerTime, ticks
from edgeclients.store.journal import Ages
from edgeclients.store.limits import StoreLimits
from edgeclients.store.postgres.answers import Answered
from edgeclients.store.postgres.connect import PostgresConnection, roll_back
from edgeclients.store.postgres.faults import is_transient
from edgeclients.store.postgres.pool import Pool
from edgeclients.store.postgres.settlement import settle
from edgeclients.store.postgres.transaction import PostgresTransaction

T = TypeVar("T")

_log = logging.getLogger(__name__)

ATTEMPTS = 5  # at one unit, if other transactions interfere
_PAUSE_SECONDS = 0.05

# Independent of the server's defaults: locks keep decisions true.
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"


class PostgresWriter:
    """Makes all changes of this process.

    Args:
        pool: of connections.
        clock: gives rows their timestamps.
        server_time: the source of the clock; updated with the server's answers.
        limits: how much is kept.
        on_commit: called in the event loop after each commit, before its caller gets the result.
        progress: receives a step for each answer of the server.
    """

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        server_time: ServerTime,
        limits: StoreLimits,
        on_commit: Callable[[Effects], None],
        progress: Progress | None = None,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._server_time = server_time
        self._limits = limits
        self._ages = Ages()
        self._on_commit = on_commit
        self._progress = progress or Progress()
        self.last_commit_at: int | None = None
        self.fault = ""
        self.commits = 0
        self.active = 0
        """The number of units that wait or are being run."""

    @property
    def failing(self) -> bool:
        """Whether the last change failed in the storage; `fault` has the reason."""
        return bool(self.fault)

    async def run(self, unit: Unit[T]) -> T:
        """`Store.run`."""
        self.active += 1
        try:
            return await self._pool.run(self._pool.changes, partial(self._watched, unit))
        except DomainError as error:
            if isinstance(error, Unavailable | StorageFull):
                self.fault = reason_of(error)
            raise
        finally:
            self.active -= 1

    async def _watched(self, unit: Unit[T], connection: PostgresConnection) -> T:
        self._progress.begin()
        try:
            return await self._attempts(unit, connection)
        finally:
            self._progress.end()

    async def _attempts(self, unit: Unit[T], connection: PostgresConnection) -> T:
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._once(unit, connection)
            except Exception as error:
                if not is_transient(error):
                    raise
                await asyncio.sleep(random.uniform(0, attempt * _PAUSE_SECONDS))  # noqa: S311 - no secret
        return await self._once(unit, connection)

    async def _once(self, unit: Unit[T], connection: PostgresConnection) -> T:
        answered = Answered(connection, self._progress)
        transaction = PostgresTransaction(answered, self._clock)
        await answered.execute(_BEGIN)
        try:
            result = await unit(transaction)
            asked, reading = ticks(), self._clock.reading()
            cutoff = self._clock.purge_cutoff()
            settled = await settle(answered, transaction, reading, self._limits, self._ages, cutoff)
            self._server_time.observe(settled.server_time, asked)
        except BaseException:
            await roll_back(connection)
            raise
        appended, roles = bool(transaction.events), transaction.roles_changed
        effects = Effects(settled.revoked, transaction.granted, tuple(transaction.removed), appended, roles)
        try:
            await connection.execute("COMMIT")
        except BaseException:
            # The commit may have succeeded, or not: then these revisions do not exist, and no process may wait for them.
            self._announce(Effects(granted=True, events=True, roles=roles, unsure=True))
            raise
        self._clock.committed(settled.time)
        self.last_commit_at = self._clock.now()
        self.commits += 1
        self.fault = ""
        self._announce(effects)
        return result

    def _announce(self, effects: Effects) -> None:
        try:
            self._on_commit(effects)
        except Exception:  # noqa: BLE001 - the writer continues, and the log holds the traceback
            _log.exception("an effect of a commit failed")
