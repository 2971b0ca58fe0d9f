"""Export from a database file and import into one; see `store.transfer`."""

import contextlib
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

import msgspec
from typing_extensions import override

from edgeclients.progress import Progress
from edgeclients.store.sqlite import activity, search
from edgeclients.store.sqlite import peppers as kept_peppers
from edgeclients.store.sqlite.connect import open_reader
from edgeclients.store.sqlite.rows import decode_tags, tags_text
from edgeclients.store.sqlite.store import SqliteDatabase
from edgeclients.store.transfer import BATCH, CLIENTS, LAST_SEEN, STATE, Row, Table, Target, check_empty

_ID, _DOMAIN, _TAGS, _METADATA = map(CLIENTS.columns.index, ("id", "domain_id", "tags", "metadata"))
_SEQUENCE = STATE.columns.index("outbox_seq")
_BUSY_TIMEOUT_MS = 5000

_COMPUTED = {"outbox_seq": "(SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox')"}
_WHERE = {LAST_SEEN.name: "WHERE client_id IN (SELECT id FROM clients)"}  # that file may be newer or older than the database


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
        columns = ", ".join(_COMPUTED.get(column, column) for column in table.columns)
        with (
            self._start_errors(),
            contextlib.closing(
                self._connection.execute(
                    f"SELECT {columns} FROM {table.name} {_WHERE.get(table.name, '')} ORDER BY {table.order}"
                )
            ) as cursor,
        ):
            while rows := cursor.fetchmany(BATCH):
                yield list(map(_from_client, rows)) if table is CLIENTS else rows

    @override
    async def write(self, table: Table, rows: Sequence[Row]) -> None:
        with self._start_errors():
            if table is STATE:
                self._write_state(rows[0])
            elif table is CLIENTS:
                self._insert(table.name, table.columns, list(map(_to_client, rows)))
                search.write(self._connection, list(map(_searched, rows)))
            else:
                self._insert(table.name, table.columns, rows)

    @override
    async def clear(self, table: Table) -> None:
        with self._start_errors():
            self._connection.execute(f"DELETE FROM {table.name}")

    def _write_state(self, row: Row) -> None:
        """Write the state; SQLite's own table gets the number of the newest event."""
        others = [(column, value) for n, (column, value) in enumerate(zip(STATE.columns, row, strict=True)) if n != _SEQUENCE]
        self._insert(STATE.name, [column for column, _ in others], [tuple(value for _, value in others)])
        self._connection.execute("DELETE FROM sqlite_sequence WHERE name = 'outbox'")
        self._connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('outbox', ?)", (row[_SEQUENCE],))

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
        yield rows
        with database.start_errors():
            connection.execute("COMMIT")


def _is_blank(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


def _from_client(row: Sequence[Any]) -> Row:
    return (*row[:_TAGS], decode_tags(row[_TAGS]), *row[_TAGS + 1 :])


def _to_client(row: Row) -> Row:
    return (*row[:_TAGS], tags_text(cast("tuple[str, ...]", row[_TAGS])), *row[_TAGS + 1 :])


def _searched(row: Row) -> search.Searched:
    domain, client_id, tags, metadata = (cast("Any", row[n]) for n in (_DOMAIN, _ID, _TAGS, _METADATA))
    return search.Searched(domain, client_id, tags, msgspec.json.decode(metadata))
