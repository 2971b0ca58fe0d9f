"""The first connection of a process: refuses a connection pooler that shares sessions.

Sessions here have settings, prepared statements and a lock. A pooler that passes a session on after each transaction would
lose them here and leave them to other clients. So this is checked before there are any; the check leaves nothing behind.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg

from edgeclients.errors import StartError
from edgeclients.store.postgres.connect import PostgresAddress, PostgresConnection, bare, prepare, roll_back
from edgeclients.store.postgres.faults import pooler_message

_TIMEOUT = 5.0  # seconds; a pooler would make a transaction wait for minutes
_BACKEND = "SELECT pg_backend_pid()"
_ROUNDS = 3  # other clients may use the pool meanwhile, and get the session that would reveal it

_SHARED = (
    "{address} is reached through a connection pooler, such as PgBouncer, in transaction or statement mode: set "
    "pool_mode=session there for database {name!r}, or set MG_CLIENTS_DB_HOST and MG_CLIENTS_DB_PORT to the server itself"
)
_ONE_AT_A_TIME = (
    "{address} serves no second connection while the first is open, as a connection pooler with a full pool does: raise its "
    "pool size (PgBouncer: default_pool_size, max_db_connections) to MG_CLIENTS_DB_MAX_CONNECTIONS of all processes together, "
    "or disconnect other clients"
)


async def first(address: PostgresAddress, call_seconds: float | None = None) -> PostgresConnection:
    """A connection as from `connect`, to a server or pooler that gives each connection its own session.

    Raises:
        StartError: a pooler shares sessions, or has none left; nothing remains in its sessions.
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: untranslated; see `faults.start_error`.
    """
    # Without a cache no statement is prepared by name: it would stay in a session that another client may get.
    connection = await bare(address, call_seconds, statements=0)
    try:
        await _refuse_shared_sessions(connection, address)
        await prepare(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def _refuse_shared_sessions(connection: PostgresConnection, address: PostgresAddress) -> None:
    try:
        own = await _backend(connection)
    except asyncpg.PostgresConnectionError as error:
        if pooler_message(error):  # in statement mode: there are no transactions at all
            raise _start_error(_SHARED, address) from error
        raise
    async with _second(address) as other:
        for _ in range(_ROUNDS):
            # A pooler that rotates sessions gives this connection another one.
            kept = await _keeps_backend(connection, own)
            # One that reuses the last session first gives this connection's to the other.
            kept &= await _open_transaction(other, address) != own
            # With any other pooler, another client may have got it.
            kept &= await _keeps_backend(connection, own)
            await roll_back(other)
            if not kept:
                raise _start_error(_SHARED, address)


@contextlib.asynccontextmanager
async def _second(address: PostgresAddress) -> AsyncIterator[PostgresConnection]:
    """A second connection, closed at the end."""
    try:
        connection = await bare(address, statements=0)
    except (TimeoutError, asyncpg.PostgresConnectionError) as error:
        raise _start_error(_ONE_AT_A_TIME, address) from error
    try:
        yield connection
        await connection.close(timeout=_TIMEOUT)
    finally:
        connection.terminate()


async def _backend(connection: PostgresConnection) -> int:
    """The server process that runs a transaction on `connection`."""
    async with asyncio.timeout(_TIMEOUT):
        await connection.execute("BEGIN")
        pid = int(await connection.fetchval(_BACKEND))
        await connection.execute("ROLLBACK")
    return pid


async def _keeps_backend(connection: PostgresConnection, own: int) -> bool:
    """Whether process `own` still serves `connection`, in time, while another transaction may be open."""
    try:
        return await _backend(connection) == own
    except TimeoutError:
        return False


async def _open_transaction(connection: PostgresConnection, address: PostgresAddress) -> int:
    """The server process that runs a transaction on `connection`, which stays open."""
    try:
        async with asyncio.timeout(_TIMEOUT):
            await connection.execute("BEGIN")
            return int(await connection.fetchval(_BACKEND))
    except (TimeoutError, asyncpg.PostgresConnectionError) as error:
        raise _start_error(_ONE_AT_A_TIME, address) from error


def _start_error(text: str, address: PostgresAddress) -> StartError:
    return StartError(text.format(address=address, name=address.name))
