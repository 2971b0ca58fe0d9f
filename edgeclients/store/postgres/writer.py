"""Units of work, each in a transaction of its own, some at a time."""

import asyncio
import logging
import random
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from edgeclients.errors import DomainError, StorageFull, Unavailable
from edgeclients.model import Effects
from edgeclients.ports import Unit
from edgeclients.store.clock import Clock, ServerTime, ticks
from edgeclients.store.limits import OutboxBounds
from edgeclients.store.postgres.connect import PostgresConnection, roll_back
from edgeclients.store.postgres.faults import is_transient
from edgeclients.store.postgres.pool import Pool
from edgeclients.store.postgres.settlement import settle
from edgeclients.store.postgres.transaction import PostgresTransaction

T = TypeVar("T")

_log = logging.getLogger(__name__)

ATTEMPTS = 5  # at one unit that others got in the way of
_PAUSE_SECONDS = 0.05

# Whatever the server's defaults are: decisions are kept true by locks.
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"


class PostgresWriter:
    """All changes of this process go through here.

    Args:
        pool: of connections.
        clock: what rows are stamped with.
        server_time: what it reads; told what the server says.
        bounds: of the outbox.
        on_commit: called in the event loop after each commit, before its caller hears of it.
    """

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        server_time: ServerTime,
        bounds: OutboxBounds,
        on_commit: Callable[[Effects], None],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._server_time = server_time
        self._bounds = bounds
        self._on_commit = on_commit
        self.last_commit_at: int | None = None
        self.failing = False
        self.commits = 0

    async def run(self, unit: Unit[T]) -> T:
        """`Store.run`."""
        try:
            return await self._pool.run(self._pool.changes, partial(self._attempts, unit))
        except DomainError as error:
            self.failing = self.failing or isinstance(error, Unavailable | StorageFull)
            raise

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
        transaction = PostgresTransaction(connection, self._clock)
        await connection.execute(_BEGIN)
        try:
            result = await unit(transaction)
            asked, reading = ticks(), self._clock.reading()
            settled = await settle(connection, transaction.now, reading, transaction.revoked, transaction.events, self._bounds)
            self._server_time.heard(settled.server_time, asked)
        except BaseException:
            await roll_back(connection)
            raise
        told, roles = bool(transaction.events), transaction.roles_changed
        effects = Effects(settled.revoked, transaction.granted, tuple(transaction.removed), told, roles)
        try:
            await connection.execute("COMMIT")
        except BaseException:
            # It may be committed all the same, or not at all: then there is no such revision, and nobody may wait for it.
            self._tell(Effects(granted=True, told=True, roles=roles, unsure=True))
            raise
        self._clock.committed(settled.time)
        self.last_commit_at = self._clock.now()
        self.commits += 1
        self.failing = False
        self._tell(effects)
        return result

    def _tell(self, effects: Effects) -> None:
        try:
            self._on_commit(effects)
        except Exception:  # noqa: BLE001 - the writer goes on, and the log has it all
            _log.exception("an effect of a commit failed")
