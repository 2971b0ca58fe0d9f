"""Export from a database file and import into one; see `store.transfer`."""

import contextlib
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from typing_extensions import override

from edgeclients.progress import Progress
from edgeclients.store.sqlite import activity, imported
from edgeclients.store.sqlite import peppers as kept_peppers
from edgeclients.store.sqlite.connect import add_functions, open_reader
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.relay import GAP
from edgeclients.store.sqlite.rows import decode_tags
from edgeclients.store.transfer import BATCH, CLIENTS, DENIALS, LAST_SEEN, STATE, Row, Table, Target, check_empty

_TAGS = CLIENTS.columns.index("tags")
_BUSY_TIMEOUT_MS = 5000

_COMPUTED = {column: f"(SELECT {expression} FROM store_state)" for column, expression in GAP.items()}
_ROWS = {LAST_SEEN: "activity.seen_rows", DENIALS: "activity.denial_rows"}
# That file may be newer or older than the database.
_WHERE = {LAST_SEEN.name: "WHERE EXISTS (SELECT 1 FROM client_rows c WHERE c.id = id_bytes)"}
# The same order, by an index.
_ORDER = {
    "clients": "id_bytes",
    "clients_roles": "id_bytes, name",
    "clients_role_members": "id_bytes, member_id",
    LAST_SEEN.name: "id_bytes",
    "connections": "channel_id, domain_id, id_bytes, type",
    DENIALS.name: "hour, client",
}


class SqliteRows(Target):
    """See `store.transfer.Origin` and `Target`.

    Args:
        connection: with `activity` attached.
        start_errors: raises errors of SQLite as `StartError`.
    """

    def __init__(self, connection: sqlite3.Connection, start_errors: Callable[[], AbstractContextManager[None]]) -> None:
        self._connection = connection
        self._start_errors = start_errors

    @override
    async def rows(self, table: Table) -> AsyncGenerator[Sequence[Row], None]:
        order = _ORDER.get(table.name, table.order)
        columns = ", ".join(_COMPUTED.get(column, column) for column in table.columns)
        with (
            self._start_errors(),
            contextlib.closing(
                self._connection.execute(f"SELECT {columns} FROM {table.name} {_WHERE.get(table.name, '')} ORDER BY {order}")
            ) as cursor,
        ):
            while rows := cursor.fetchmany(BATCH):
                yield list(map(_from_client, rows)) if table is CLIENTS else rows

    @override
    async def write(self, table: Table, rows: Sequence[Row]) -> None:
        with self._start_errors():
            if table is STATE:
                self._write_state(rows[0])
            elif (write := imported.WRITERS.get(table.name)) is not None:
                write(self._connection, rows)
            else:
                self._insert(table.name, table.columns, rows)

    @override
    async def clear(self, table: Table) -> None:
        if table is STATE:
            return  # its row also says which clients have search rows
        with self._start_errors():
            self._connection.execute(f"DELETE FROM {_ROWS.get(table, table.name)}")

    def _write_state(self, row: Row) -> None:
        assignments = ", ".join(f"{column} = ?" for column in STATE.columns)
        self._connection.execute(f"UPDATE {STATE.name} SET {assignments}", row)

    def _insert(self, name: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", rows)


@contextlib.contextmanager
def origin(path: Path, peppers: Mapping[str, bytes]) -> Iterator[SqliteRows]:
    """The database at `path` in its current state, locked against changes.

    Args:
        path: of an existing file.
        peppers: those its secrets were made with, check value by key id.

    Raises:
        StartError: it cannot be used, or was made with other peppers.
    """
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(contextlib.closing(SqliteDatabase(path, upgrade=False)))
        with database.start_errors():
            kept_peppers.check(database.connection, peppers)
            activity.check_readable(path)
            database.connection.execute("BEGIN IMMEDIATE")
            reader = stack.enter_context(contextlib.closing(open_reader(path, _BUSY_TIMEOUT_MS)))
            add_functions(reader)
            for sql, parameters in activity.attaching(path):
                reader.execute(sql, parameters)
            reader.execute("BEGIN")
        yield SqliteRows(reader, database.start_errors)


@contextlib.asynccontextmanager
async def target(path: Path) -> AsyncIterator[SqliteRows]:
    """An empty database at `path`; a missing file is created. It is committed if no error occurs.

    Raises:
        StartError: it cannot be used, or is not empty.
    """
    # An existing file stays unchanged if it cannot be used.
    with contextlib.closing(SqliteDatabase(path, upgrade=_is_blank(path))) as database:
        connection = database.connection
        rows = SqliteRows(connection, database.start_errors)
        await check_empty(rows, f"database {path}")
        activity.prepare(path, Progress())
        with database.start_errors():
            connection.execute("ATTACH ? AS activity", (str(path.with_name(activity.FILE)),))
            connection.execute("BEGIN IMMEDIATE")
        await check_empty(rows, f"database {path}")
        await rows.clear(LAST_SEEN)
        await rows.clear(DENIALS)
        yield rows
        with database.start_errors():
            connection.execute("COMMIT")


def _is_blank(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


def _from_client(row: Sequence[Any]) -> Row:
    return (*row[:_TAGS], decode_tags(row[_TAGS]), *row[_TAGS + 1 :])
