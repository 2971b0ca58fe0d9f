"""Connections and their settings: where the server is, and what every session is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple, Protocol

import asyncpg

from edgeclients.addresses import authority

_CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 60.0  # a bulk of thousands takes a few
LOCK_SECONDS = 5.0  # behind another change; then the caller may try again
_IDLE_SECONDS = 30.0  # within a transaction: a process that stands still must not hold its locks
_STATEMENTS = 256

# By SET, as poolers refuse most of what a connection may begin with, or lose it. Compiling takes longer than any of our reads.
_SETTINGS = f"""
SET statement_timeout = '{STATEMENT_SECONDS}s';
SET lock_timeout = '{LOCK_SECONDS}s';
SET idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s';
SET jit = off
"""

# Whom we have hung up on must not go on working for us: there would be more sessions than were agreed on.
_LOOK_FOR_US = "SET client_connection_check_interval = '2s'"


class PostgresConnection(Protocol):
    """A connection, as far as it is used here; see asyncpg's."""

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement, or without arguments several; gives the command tag."""

    async def executemany(self, command: str, args: Sequence[Sequence[object]]) -> None:
        """Run a statement for each of `args`."""

    async def fetch(self, query: str, *args: object) -> list[Any]:
        """All rows."""

    async def fetchrow(self, query: str, *args: object) -> Sequence[Any] | None:
        """The first row."""

    async def fetchval(self, query: str, *args: object) -> Any:
        """The first column of the first row."""

    def cursor(self, query: str, *args: object, prefetch: int = 50) -> AsyncIterator[Sequence[Any]]:
        """Rows, `prefetch` at a time; within a transaction."""

    async def copy_records_to_table(
        self, table_name: str, *, records: Sequence[Sequence[object]], columns: Sequence[str]
    ) -> str:
        """Add many rows to a table; gives the command tag."""

    def is_in_transaction(self) -> bool:
        """Whether a transaction is open."""

    def is_closed(self) -> bool:
        """Whether it can be used no more."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's
        """Close it, with a word to the server."""

    def terminate(self) -> None:
        """Close at once, without a word."""


class PostgresAddress(NamedTuple):
    """A database and who uses it; `tls` gives what a new connection takes, None is for those in clear."""

    host: str
    port: int
    user: str
    password: str
    name: str
    tls: Callable[[], ssl.SSLContext] | None = None

    def __str__(self) -> str:
        return f"PostgreSQL at {authority(self.host, self.port)}"


async def connect(address: PostgresAddress, call_seconds: float | None = None) -> PostgresConnection:
    """A connection of one's own.

    Args:
        address: where to.
        call_seconds: after which a call is given up that the server has not answered; None: never.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: as it comes; see `faults.unusable`.
    """
    connection = await bare(address, call_seconds)
    try:
        await prepare(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def bare(
    address: PostgresAddress, call_seconds: float | None = None, statements: int = _STATEMENTS
) -> PostgresConnection:
    """A connection whose session is as the server began it; `statements` are kept prepared there. See `connect`."""
    # Nothing is left to `PG…` variables.
    connection: PostgresConnection = await asyncpg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=address.name,
        ssl=address.tls() if address.tls else False,
        direct_tls=False,
        target_session_attrs="any",
        timeout=_CONNECT_SECONDS,
        command_timeout=call_seconds,
        statement_cache_size=statements,
        server_settings={"application_name": "edgeclients"},
    )
    return connection


async def prepare(connection: PostgresConnection) -> None:
    """Make the settings that each session of ours has."""
    async with asyncio.timeout(_CONNECT_SECONDS):
        try:
            await connection.execute(f"{_SETTINGS}; {_LOOK_FOR_US}")
        except asyncpg.InvalidParameterValueError:  # a server that cannot look
            await connection.execute(_SETTINGS)


async def roll_back(connection: PostgresConnection) -> None:
    """End what is begun, if there is still a server that could have begun it."""
    if not connection.is_closed() and connection.is_in_transaction():
        await connection.execute("ROLLBACK")
