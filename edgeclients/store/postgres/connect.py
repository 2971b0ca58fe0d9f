"""Connections to PostgreSQL: the address of the server, and the settings of every session."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple, Protocol

import asyncpg

from edgeclients.addresses import authority

_CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 60.0  # a bulk request of thousands takes a few
LOCK_SECONDS = 5.0  # waiting for another change; then the caller may try again
_IDLE_SECONDS = 30.0  # within a transaction: a stalled process must not hold its locks
_STATEMENTS = 256

# By SET: poolers refuse most startup parameters, or lose them. JIT compilation takes longer than any read here.
_SETTINGS = f"""
SET statement_timeout = '{STATEMENT_SECONDS}s';
SET lock_timeout = '{LOCK_SECONDS}s';
SET idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s';
SET jit = off
"""

# The server must not continue for a client that has disconnected: there would be more sessions than configured.
_CHECK_CLIENT = "SET client_connection_check_interval = '2s'"


class Statements(Protocol):
    """Runs statements: the part of a connection that a unit of work uses."""

    async def execute(self, query: str, *args: object) -> str:
        """Run one statement, or several without arguments; returns the command tag."""

    async def executemany(self, command: str, args: Sequence[Sequence[object]]) -> None:
        """Run a statement for each of `args`."""

    async def fetch(self, query: str, *args: object) -> list[Any]:
        """All rows."""

    async def fetchrow(self, query: str, *args: object) -> Sequence[Any] | None:
        """The first row."""

    async def fetchval(self, query: str, *args: object) -> Any:
        """The first column of the first row."""


class PostgresConnection(Statements, Protocol):
    """The part of asyncpg's connection that is used here."""

    def cursor(self, query: str, *args: object, prefetch: int = 50) -> AsyncIterator[Sequence[Any]]:
        """Rows, `prefetch` at a time; within a transaction."""

    async def copy_records_to_table(
        self, table_name: str, *, records: Sequence[Sequence[object]], columns: Sequence[str]
    ) -> str:
        """Add many rows to a table; returns the command tag."""

    def get_server_pid(self) -> int:
        """The id of the server's process for this session."""

    def is_in_transaction(self) -> bool:
        """Whether a transaction is open."""

    def is_closed(self) -> bool:
        """Whether it is closed."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's
        """Close it gracefully: notify the server."""

    def terminate(self) -> None:
        """Close it at once, without notifying the server."""


class PostgresAddress(NamedTuple):
    """A database and its user; `tls` returns the TLS context of a new connection, None means no TLS."""

    host: str
    port: int
    user: str
    password: str
    name: str
    tls: Callable[[], ssl.SSLContext] | None = None

    def __str__(self) -> str:
        return f"PostgreSQL at {authority(self.host, self.port)}"


async def connect(address: PostgresAddress, call_seconds: float | None = None) -> PostgresConnection:
    """A new connection with the settings of every session.

    Args:
        address: of the database.
        call_seconds: timeout of a call; None: no timeout.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: untranslated; see `faults.start_error`.
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
    """A connection with the server's default settings and a cache of `statements` prepared statements. See `connect`."""
    # All parameters are given, so that no `PG…` variable applies.
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
    """Apply the settings of every session."""
    async with asyncio.timeout(_CONNECT_SECONDS):
        try:
            await connection.execute(f"{_SETTINGS}; {_CHECK_CLIENT}")
        except asyncpg.InvalidParameterValueError:  # a server that cannot check
            await connection.execute(_SETTINGS)


async def roll_back(connection: PostgresConnection) -> None:
    """Roll back an open transaction, unless the connection is closed."""
    if not connection.is_closed() and connection.is_in_transaction():
        await connection.execute("ROLLBACK")
