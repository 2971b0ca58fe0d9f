"""Migration of a database to this program's schema. One process migrates; others that start meanwhile wait for it."""

import logging
import time
from pathlib import Path

import asyncpg

from edgeclients.errors import StartError
from edgeclients.store.migrate import Migration, available, pending
from edgeclients.store.postgres.connect import PostgresConnection

_log = logging.getLogger(__name__)

OLDEST = 150_000  # in the form of server_version_num
_LOCK = 0x6564_6765_636C_6965  # "edgeclie": one number for all edgeclients processes
_LOCK_TIMEOUT = "5min"  # to wait for the migrating process, and of that process for locks

_RECORD = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at bigint NOT NULL
)
"""


async def take_turns(connection: PostgresConnection) -> None:
    """Wait until no other process starts on this database; others wait until `connection` is closed.

    Its statements have no time limit from now on.

    Raises:
        asyncpg.LockNotAvailableError: another process has held the lock for minutes.
    """
    await connection.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}'; SET statement_timeout = 0")
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
        _log.info("another edgeclients starts on this database: waiting for it")
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)


async def migrate(connection: PostgresConnection, database: str, folder: Path) -> None:
    """Apply the migrations of `folder` that the database lacks, each in one transaction; call `take_turns` first.

    If one fails, the caller has to close the connection, which ends the transaction.

    Args:
        connection: a connection to the database.
        database: its name, for errors.
        folder: of the SQL files.

    Raises:
        StartError: the server is too old, the schema newer than this program, or the database another program's.
        asyncpg.PostgresError: the server refuses a change.
    """
    await _check_owner(connection, database)
    await _apply_pending(connection, database, folder)


async def create_or_check(connection: PostgresConnection, database: str, folder: Path) -> None:
    """Create the tables if there are none at all; a database that has them all stays as it is.

    Args:
        connection: a connection to the database, closed if this fails; call `take_turns` first.
        database: its name, for errors.
        folder: of the SQL files.

    Raises:
        StartError: the server is too old, or there are other tables, or those of another version.
        asyncpg.PostgresError: the server refuses a change.
    """
    if await _check_owner(connection, database):
        await check_current(connection, database, folder)
    elif await _tables(connection):
        raise StartError(f"{database} holds another program's tables: use a separate one for edgeclients")
    else:
        await _apply_pending(connection, database, folder)


async def _apply_pending(connection: PostgresConnection, database: str, folder: Path) -> None:
    await connection.execute(_RECORD)
    for migration in pending(available(folder), await _applied(connection, database), database):
        await _apply(connection, migration)


async def check_current(connection: PostgresConnection, database: str, folder: Path) -> None:
    """Return if the database has all migrations of `folder`; nothing is changed.

    Raises:
        StartError: it does not, its schema is newer than this program, or it is another program's.
    """
    applied = await _applied(connection, database) if await _check_owner(connection, database) else {}
    if pending(available(folder), applied, database):
        raise StartError(f"{database} does not have the schema of this edgeclients: start the service of this version once")


async def _check_owner(connection: PostgresConnection, database: str) -> bool:
    """Whether there are tables of edgeclients.

    Raises:
        StartError: the server is too old, or the tables are another program's.
    """
    version, encoding = await connection.fetchval("SHOW server_version_num"), await connection.fetchval("SHOW server_encoding")
    if int(version) < OLDEST:
        raise StartError(f"PostgreSQL {int(version) // 10_000} is too old: {OLDEST // 10_000} or newer is needed")
    if encoding != "UTF8":
        raise StartError(f"{database} is encoded in {encoding}: create it with ENCODING 'UTF8'")
    tables = await _tables(connection)
    if "gorp_migrations" in tables:
        raise StartError(f"{database} belongs to the original Magistrala service: use a separate database for edgeclients")
    if "clients" in tables and "schema_migrations" not in tables:
        raise StartError(f"{database} is not a database of edgeclients: use another one")
    return "schema_migrations" in tables


async def _tables(connection: PostgresConnection) -> set[str]:
    rows = await connection.fetch("SELECT tablename::text FROM pg_tables WHERE schemaname = ANY (current_schemas(false))")
    return {name for (name,) in rows}


async def _applied(connection: PostgresConnection, database: str) -> dict[int, str]:
    try:
        return dict(await connection.fetch("SELECT version, checksum FROM schema_migrations"))
    except asyncpg.UndefinedColumnError as error:
        raise StartError(f"{database} holds another program's schema_migrations: use another one") from error


async def _apply(connection: PostgresConnection, migration: Migration) -> None:
    await connection.execute("BEGIN")
    await connection.execute(migration.sql)
    await connection.execute(
        "INSERT INTO schema_migrations VALUES ($1, $2, $3, $4)",
        migration.version,
        migration.name,
        migration.checksum,
        time.time_ns() // 1000,
    )
    await connection.execute("COMMIT")
