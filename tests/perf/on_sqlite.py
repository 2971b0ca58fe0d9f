"""A gateway's storage."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import cast

from edgeclients.model import Effects
from edgeclients.ports import Store
from edgeclients.store.limits import StoreLimits
from edgeclients.store.sqlite.client_set import ClientSet, decode
from edgeclients.store.sqlite.connect import open_reader
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.ids import uuid_bytes
from edgeclients.store.sqlite.rows import CLIENT_COLUMNS
from edgeclients.store.sqlite.store import SqliteStore
from tests.perf.homes import Rows
from tests.perf.measure import seconds

_LIMITS = StoreLimits()

# A client's rows: table, and the column that says whose they are.
_TABLES = {
    "client_rows": "n",
    "role_rows": "client",
    "member_rows": "client",
    "outbox": "client_id",
}


class OnSqlite:
    """`homes.Home` in a folder."""

    title = "gateway: SQLite, cache in the process"
    raw = "sqlite3"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def settings(self, name: str) -> dict[str, str]:
        return {}

    @contextlib.asynccontextmanager
    async def store(
        self, name: str, on_commit: Callable[[Effects], None], limits: StoreLimits = _LIMITS
    ) -> AsyncIterator[Store]:
        async with SqliteStore(SqliteDatabase(self._path(name)), limits, on_commit) as store:
            yield store

    def commits(self, store: Store) -> int:
        return cast("SqliteStore", store).writer.commits

    async def rest(self, name: str) -> None:
        pass

    async def read_plainly(self, name: str, client_ids: Sequence[str]) -> float:
        with contextlib.closing(open_reader(self._path(name))) as connection:
            return seconds(lambda: _read(connection, client_ids))

    async def rows_of_clients(self, name: str) -> list[Rows]:
        found: dict[int, list[tuple[str, tuple[object, ...]]]] = {}
        with contextlib.closing(sqlite3.connect(self._path(name))) as connection:
            numbers = dict(connection.execute("SELECT id, n FROM client_ids").fetchall())
            for table, owner in _TABLES.items():
                for client, *row in connection.execute(f"SELECT {owner}, * FROM {table}"):
                    found.setdefault(numbers.get(client, client), []).append((table, tuple(row)))
            # A row of several clients counts as the first one's.
            for row in connection.execute("SELECT * FROM search_rows").fetchall():
                first = next(iter(ClientSet({row[3]: decode(row[4])})))
                found.setdefault(first, []).append(("search_rows", row))
        return list(found.values())

    async def insert_plainly(self, name: str, clients: Sequence[Rows]) -> float:
        with contextlib.closing(SqliteDatabase(self._path(name))) as database:
            return seconds(lambda: _insert(database.connection, clients))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.db"


def _read(connection: sqlite3.Connection, client_ids: Sequence[str]) -> None:
    query = f"SELECT {CLIENT_COLUMNS} FROM client_rows c WHERE c.id = ?"
    for client_id in client_ids:
        cursor = connection.execute(query, (uuid_bytes(client_id),))
        cursor.fetchall()
        cursor.close()


def _insert(connection: sqlite3.Connection, clients: Sequence[Rows]) -> None:
    for rows in clients:
        connection.execute("BEGIN IMMEDIATE")
        for table, values in rows:
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
        connection.execute("COMMIT")
