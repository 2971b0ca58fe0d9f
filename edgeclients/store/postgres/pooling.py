"""The first connection of a process: whether there is a session behind it that nobody else is given.

Ours have settings, prepared statements and a lock. A connection pooler that hands a session on after each transaction would
lose them here and leave them to others; so it is found out before there are any. What is done until then leaves nothing.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg

from edgeclients.errors import StartError
from edgeclients.store.postgres.connect import PostgresAddress, PostgresConnection, bare, prepare, roll_back
from edgeclients.store.postgres.faults import pooler_says

_PATIENCE = 5.0  # seconds; a pooler would let a transaction wait for minutes
_BACKEND = "SELECT pg_backend_pid()"
_ROUNDS = 3  # others may use the pool meanwhile, and be given what gave it away

_SHARED = (
    "{address} is reached through a connection pooler, such as PgBouncer, in transaction or statement mode: set "
    "pool_mode=session there for database {name!r}, or set MG_CLIENTS_DB_HOST and MG_CLIENTS_DB_PORT to the server itself"
)
_ONE_AT_A_TIME = (
    "{address} serves no second connection while the first is open, as a connection pooler whose pool is full: raise its "
    "pool size (PgBouncer: default_pool_size, max_db_connections) to MG_CLIENTS_DB_MAX_CONNECTIONS of all processes together, "
    "or end what uses it"
)


async def first(address: PostgresAddress, call_seconds: float | None = None) -> PostgresConnection:
    """A connection as `connect` makes them, to a server or pooler that gives each a session of its own.

    Raises:
        StartError: there is a pooler that does not, or has no room; nothing is left in its sessions.
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: as it comes; see `faults.unusable`.
    """
    # Without a cache no statement is prepared by name, which would stay in a session that is somebody else's next.
    connection = await bare(address, call_seconds, statements=0)
    try:
        await _refuse_sharing(connection, address)
        await prepare(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def _refuse_sharing(connection: PostgresConnection, address: PostgresAddress) -> None:
    try:
        own = await _backend(connection)
    except asyncpg.PostgresConnectionError as error:
        if pooler_says(error):  # that there are no transactions at all
            raise _told(_SHARED, address) from error
        raise
    async with _another(address) as other:
        for _ in range(_ROUNDS):
            kept = await _keeps(connection, own)  # where they are given out in turns, it has another
            kept &= await _hold(other, address) != own  # where the last is given out first, it has this one
            kept &= await _keeps(connection, own)  # and where it is neither, others have had it
            await roll_back(other)
            if not kept:
                raise _told(_SHARED, address)


@contextlib.asynccontextmanager
async def _another(address: PostgresAddress) -> AsyncIterator[PostgresConnection]:
    """A second connection, closed at the end."""
    try:
        connection = await bare(address, statements=0)
    except (TimeoutError, asyncpg.PostgresConnectionError) as error:
        raise _told(_ONE_AT_A_TIME, address) from error
    try:
        yield connection
        await connection.close(timeout=_PATIENCE)
    finally:
        connection.terminate()


async def _backend(connection: PostgresConnection) -> int:
    """The process that serves a transaction on `connection`."""
    async with asyncio.timeout(_PATIENCE):
        await connection.execute("BEGIN")
        pid = int(await connection.fetchval(_BACKEND))
        await connection.execute("ROLLBACK")
    return pid


async def _keeps(connection: PostgresConnection, own: int) -> bool:
    """Whether `connection` is still served by process `own`, and soon, though another transaction is open."""
    try:
        return await _backend(connection) == own
    except TimeoutError:
        return False


async def _hold(connection: PostgresConnection, address: PostgresAddress) -> int:
    """The process that serves a transaction on `connection`, which stays open."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await connection.execute("BEGIN")
            return int(await connection.fetchval(_BACKEND))
    except (TimeoutError, asyncpg.PostgresConnectionError) as error:
        raise _told(_ONE_AT_A_TIME, address) from error


def _told(text: str, address: PostgresAddress) -> StartError:
    return StartError(text.format(address=address, name=address.name))
