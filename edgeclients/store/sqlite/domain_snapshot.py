"""Reads all clients of a domain from one snapshot, some at a time, on a connection of its own."""

import contextlib
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import aiosqlite
import msgspec
from typing_extensions import override

from edgeclients.model import ConnectionType, Exported
from edgeclients.ports import Snapshot
from edgeclients.store.clause import Clause
from edgeclients.store.sqlite.connect import read_only
from edgeclients.store.sqlite.faults import translate
from edgeclients.store.sqlite.names import numbered
from edgeclients.store.sqlite.rows import CLIENT_COLUMNS, CLIENT_WIDTH, SECRET, named, to_client
from edgeclients.store.sqlite.scanner import rows

_AT_A_TIME: Final = 200  # a client may have 128 KiB of metadata

_CLIENTS = f"""
SELECT {CLIENT_COLUMNS}, c.n, {SECRET.format("c")} FROM client_rows c
WHERE c.n > ? AND +c.domain = {numbered()} AND c.status < 2 ORDER BY c.n LIMIT {_AT_A_TIME}
"""
_CONNECTIONS = f"""
SELECT k.client, {named("k.channel")}, k.type FROM json_each(?) wanted
CROSS JOIN connection_rows k ON k.client = wanted.value WHERE k.domain = {numbered()}
"""


class SqliteSnapshot(Snapshot):
    """`ports.Snapshot` in the open transaction of a connection."""

    def __init__(self, connection: aiosqlite.Connection, domain_id: str) -> None:
        self._connection = connection
        self._domain_id = domain_id

    @override
    async def clients(self) -> AsyncGenerator[Sequence[Exported], None]:
        last = 0
        while found := await rows(self._connection, Clause(_CLIENTS, (last, self._domain_id))):
            connections = await self._connections([row[CLIENT_WIDTH] for row in found])
            yield [
                Exported(to_client(row[:CLIENT_WIDTH]), row[CLIENT_WIDTH + 1], connections.get(row[CLIENT_WIDTH], frozenset()))
                for row in found
            ]
            last = found[-1][CLIENT_WIDTH]

    async def _connections(self, numbers: Sequence[int]) -> Mapping[int, frozenset[tuple[str, ConnectionType]]]:
        found: dict[int, frozenset[tuple[str, ConnectionType]]] = {}
        wanted = msgspec.json.encode(numbers).decode()
        for number, channel, kind in await rows(self._connection, Clause(_CONNECTIONS, (wanted, self._domain_id))):
            found[number] = found.get(number, frozenset()) | {(channel, ConnectionType(kind))}
        return found


@contextlib.asynccontextmanager
async def snapshot(path: Path, domain_id: str) -> AsyncIterator[SqliteSnapshot]:
    """The clients of a domain in the database at `path`, as they are now.

    Raises:
        Unavailable: the file cannot be read.
    """
    try:
        async with aiosqlite.connect(read_only(path), uri=True, isolation_level=None) as connection:
            await connection.execute("BEGIN")
            await rows(connection, Clause("SELECT id FROM store_state", ()))  # the snapshot is that of the first read
            yield SqliteSnapshot(connection, domain_id)
    except sqlite3.Error as error:
        raise translate(error) from error
