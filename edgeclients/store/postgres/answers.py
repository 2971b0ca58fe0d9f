"""Progress on PostgreSQL: each answer of the server is a step."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import asyncpg

from edgeclients.concurrency import cancel_and_wait
from edgeclients.progress import Progress
from edgeclients.store.postgres.connect import PostgresAddress, Statements, bare

_ASK_EVERY = 5.0  # seconds
_ANSWER_SECONDS = 5.0
_WORKS = "SELECT state = 'active' FROM pg_stat_activity WHERE pid = $1"


class Answered(Statements):
    """The statements of a unit of work on `connection`; reports each answer to `progress`."""

    def __init__(self, connection: Statements, progress: Progress) -> None:
        self._connection = connection
        self._step = progress.step

    async def execute(self, query: str, *args: object) -> str:
        """See `Statements`."""
        tag = await self._connection.execute(query, *args)
        self._step()
        return tag

    async def executemany(self, command: str, args: Sequence[Sequence[object]]) -> None:
        """See `Statements`."""
        await self._connection.executemany(command, args)
        self._step()

    async def fetch(self, query: str, *args: object) -> list[Any]:
        """See `Statements`."""
        rows = await self._connection.fetch(query, *args)
        self._step()
        return rows

    async def fetchrow(self, query: str, *args: object) -> Sequence[Any] | None:
        """See `Statements`."""
        row = await self._connection.fetchrow(query, *args)
        self._step()
        return row

    async def fetchval(self, query: str, *args: object) -> Any:
        """See `Statements`."""
        value = await self._connection.fetchval(query, *args)
        self._step()
        return value


class ServerWatch:
    """Asks the server every few seconds whether it works on a session's statement; each "yes" is a step.

    A migration is one statement for the driver, which gets no answer before the end.

    Args:
        address: of the database.
        session: the server's process id of the session.
        progress: receives the steps.
    """

    def __init__(self, address: PostgresAddress, session: int, progress: Progress) -> None:
        self._address = address
        self._session = session
        self._progress = progress
        self._task = asyncio.ensure_future(self._watch())

    async def stop(self) -> None:
        """Stop asking."""
        await cancel_and_wait([self._task])

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_ASK_EVERY)
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await self._ask()

    async def _ask(self) -> None:
        connection = await bare(self._address, _ANSWER_SECONDS)
        try:
            while await connection.fetchval(_WORKS, self._session):
                self._progress.step()
                await asyncio.sleep(_ASK_EVERY)
        finally:
            connection.terminate()
