"""Reads all clients of a domain from one snapshot, some at a time, on a connection of its own."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final

import asyncpg
from typing_extensions import override

from edgeclients.model import ConnectionType, Exported
from edgeclients.ports import Snapshot
from edgeclients.store.postgres.connect import PostgresAddress, PostgresConnection, connect
from edgeclients.store.postgres.faults import translate
from edgeclients.store.postgres.rows import CLIENT_COLUMNS, CLIENT_WIDTH, key, to_client

_AT_A_TIME: Final = 200  # a client may have 128 KiB of metadata

_CLIENTS = f"""
SELECT {CLIENT_COLUMNS}, c.secret FROM clients c
WHERE c.domain_id = $1 AND c.id > $2 AND c.status < 2 ORDER BY c.id LIMIT {_AT_A_TIME}
"""
_CONNECTIONS = "SELECT client_id, channel_id, type FROM connections WHERE client_id = ANY ($1) AND domain_id = $2"
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresSnapshot(Snapshot):
    """`ports.Snapshot` in the open transaction of a connection."""

    def __init__(self, connection: PostgresConnection, domain_id: str) -> None:
        self._connection = connection
        self._domain_id = domain_id

    @override
    async def clients(self) -> AsyncGenerator[Sequence[Exported], None]:
        last = ""
        while found := await self._connection.fetch(_CLIENTS, key(self._domain_id), last):
            clients = [to_client(row) for row in found]
            connections: dict[str, frozenset[tuple[str, ConnectionType]]] = {}
            ids = [client.id for client in clients]
            for client_id, channel, kind in await self._connection.fetch(_CONNECTIONS, ids, self._domain_id):
                connections[client_id] = connections.get(client_id, frozenset()) | {(channel, ConnectionType(kind))}
            yield [
                Exported(client, row[CLIENT_WIDTH], connections.get(client.id, frozenset()))
                for client, row in zip(clients, found, strict=True)
            ]
            last = clients[-1].id


@contextlib.asynccontextmanager
async def snapshot(address: PostgresAddress, domain_id: str) -> AsyncIterator[PostgresSnapshot]:
    """The clients of a domain in the database at `address`, as they are now.

    Raises:
        Unavailable: the server cannot be reached, or goes away.
    """
    connection = None
    try:
        connection = await connect(address)
        await connection.execute(f"{_BEGIN}; SELECT 1")  # the snapshot is that of the first query
        yield PostgresSnapshot(connection, domain_id)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise translate(error) from error
    finally:
        if connection is not None:
            connection.terminate()
