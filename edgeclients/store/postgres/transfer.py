"""Export from a PostgreSQL database and import into one; see `store.transfer`."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, cast

import msgspec
from typing_extensions import override

from edgeclients.errors import StartError
from edgeclients.files import schema_path
from edgeclients.store.postgres import peppers as kept_peppers
from edgeclients.store.postgres.connect import PostgresAddress, PostgresConnection
from edgeclients.store.postgres.faults import start_errors
from edgeclients.store.postgres.migration import check_current, create_or_check, take_turns
from edgeclients.store.postgres.pooling import first
from edgeclients.store.postgres.rows import searched
from edgeclients.store.transfer import BATCH, CLIENTS, Row, Table, Target, check_empty

_TAGS, _METADATA = map(CLIENTS.columns.index, ("tags", "metadata"))

_CALL_SECONDS = 330.0  # other processes are waited for 5 minutes at most, and nothing else takes as long
_CHECKS, _CHECK_SECONDS = 30, 0.1

_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'edgeclients' AND pid <> pg_backend_pid()
"""

# Every change updates this table, so the lock prevents changes.
_LOCK_CHANGES = "BEGIN ISOLATION LEVEL REPEATABLE READ; LOCK TABLE store_state IN EXCLUSIVE MODE"


class PostgresRows(Target):
    """See `store.transfer.Origin` and `Target`.

    Args:
        connection: with an open transaction.
        address: of the database.
    """

    def __init__(self, connection: PostgresConnection, address: PostgresAddress) -> None:
        self._connection = connection
        self._address = address

    @override
    async def rows(self, table: Table) -> AsyncGenerator[Sequence[Row], None]:
        sql = f"SELECT {', '.join(map(_column, table.columns))} FROM {table.name} ORDER BY {table.order}"
        batch: list[Row] = []
        with start_errors(self._address):
            async for row in self._connection.cursor(sql, prefetch=BATCH):
                batch.append(_from_client(row) if table is CLIENTS else tuple(row))
                if len(batch) == BATCH:
                    yield batch
                    batch = []
            if batch:
                yield batch

    @override
    async def write(self, table: Table, rows: Sequence[Row]) -> None:
        columns = list(map(_column, table.columns))
        if table is CLIENTS:
            columns, rows = [*columns, "metadata"], list(map(_to_client, rows))
        with start_errors(self._address):
            await self._connection.copy_records_to_table(table.name, records=rows, columns=columns)

    @override
    async def clear(self, table: Table) -> None:
        with start_errors(self._address):
            await self._connection.execute(f"DELETE FROM {table.name}")


@contextlib.asynccontextmanager
async def origin(address: PostgresAddress, peppers: Mapping[str, bytes]) -> AsyncIterator[PostgresRows]:
    """The database at `address` in its current state, locked against changes.

    Args:
        address: of the database.
        peppers: those its secrets were made with, check value by key id.

    Raises:
        StartError: it cannot be used, is in use, or was made with other peppers.
    """
    async with _exclusive(address) as connection:
        with start_errors(address):
            await check_current(connection, f"database {address.name!r}", schema_path("postgres"))
            await kept_peppers.check(connection, peppers)
            await connection.execute(_LOCK_CHANGES)
        yield PostgresRows(connection, address)


@contextlib.asynccontextmanager
async def target(address: PostgresAddress) -> AsyncIterator[PostgresRows]:
    """An empty database at `address`; missing tables are created. It is committed if no error occurs.

    Raises:
        StartError: it cannot be used, is in use, or is not empty.
    """
    async with _exclusive(address) as connection:
        with start_errors(address):
            await create_or_check(connection, f"database {address.name!r}", schema_path("postgres"))
            await connection.execute(_LOCK_CHANGES)
        rows = PostgresRows(connection, address)
        await check_empty(rows, f"database {address.name!r}")
        yield rows
        with start_errors(address):
            await connection.execute("SELECT setval('journal_n', 1 + coalesce(max(n), 0), false) FROM journal")
            await connection.execute("COMMIT")


@contextlib.asynccontextmanager
async def _exclusive(address: PostgresAddress) -> AsyncIterator[PostgresConnection]:
    """A connection while no other edgeclients process uses the database, or starts on it."""
    with start_errors(address):
        connection = await first(address, _CALL_SECONDS)
    try:
        with start_errors(address):
            await take_turns(connection)
            await connection.execute("SET idle_in_transaction_session_timeout = 0")
            if not await _others_gone(connection):
                raise StartError(f"an edgeclients uses database {address.name!r}: stop all of them first")
        yield connection
    finally:
        connection.terminate()


async def _others_gone(connection: PostgresConnection) -> bool:
    """Whether no other edgeclients process is connected, after a short wait for those that have just ended."""
    for _ in range(_CHECKS):
        if not await connection.fetchval(_OTHERS):
            return True
        await asyncio.sleep(_CHECK_SECONDS)
    return False


def _column(name: str) -> str:
    """The column to copy: metadata is stored twice, as written and as searched."""
    return "metadata_text" if name == "metadata" else name


def _from_client(row: Sequence[Any]) -> Row:
    values = tuple(row)
    return (*values[:_TAGS], tuple(values[_TAGS]), *values[_TAGS + 1 :])


def _to_client(row: Row) -> Row:
    return (*row, searched(msgspec.json.decode(cast("str", row[_METADATA]))))
