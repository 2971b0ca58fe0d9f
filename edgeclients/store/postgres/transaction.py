"""The transaction of a unit of work on PostgreSQL, at READ COMMITTED: it locks the rows it decides on before it reads them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg
from typing_extensions import override

from edgeclients.errors import ExternalIdTaken, IdTaken, SecretTaken
from edgeclients.model import Client, Connection, ConnectionType, Event, JournalEntry, NewClient, Retirement, Ring, StoredSecret
from edgeclients.ports import Transaction
from edgeclients.store.clock import Clock
from edgeclients.store.journal import Content, contents
from edgeclients.store.postgres import journal, roles, secrets
from edgeclients.store.postgres.connect import Statements
from edgeclients.store.postgres.faults import constraint_of
from edgeclients.store.postgres.imports import PostgresImports
from edgeclients.store.postgres.operators import PostgresOperators
from edgeclients.store.postgres.relay import PostgresRelay
from edgeclients.store.postgres.roles import PostgresRoles
from edgeclients.store.postgres.rows import CLIENT_COLUMNS, DOMAINS, INSERT_CLIENT, key, searched, to_client, to_row
from edgeclients.store.rows import fold, to_connection

_CLIENTS = f"SELECT {CLIENT_COLUMNS} FROM clients c WHERE c.id = ANY ($1) ORDER BY c.id FOR UPDATE"

_BY_EXTERNAL_ID = f"""
SELECT {CLIENT_COLUMNS} FROM clients c
WHERE c.domain_id = $1 AND c.external_id = ANY ($2) AND c.external_id <> '' ORDER BY c.id FOR UPDATE
"""
# With the statuses, which are all there are, they are found by an index.
_BY_NAME = f"""
SELECT {CLIENT_COLUMNS} FROM clients c
WHERE c.domain_id = $1 AND c.status = ANY ('{{0, 1, 2}}') AND c.name = ANY ($2) ORDER BY c.id FOR UPDATE
"""

_CONNECTIONS = "SELECT channel_id, domain_id, type FROM connections WHERE client_id = $1 ORDER BY channel_id, type"

_UPDATE_CLIENT = """
UPDATE clients SET
    status = $2, name = $3, name_folded = $4, tags = $5, identity = $6, parent_group_id = $7, updated_at = $8, changed_at = $9,
    updated_by = $10, private_metadata = $11, external_id = $12
WHERE id = $1
"""

_UPDATE_METADATA = "UPDATE clients SET metadata = $2, metadata_text = $3 WHERE id = $1"

_TAKEN = {"clients_secret_lookup": SecretTaken, "clients_external_id": ExternalIdTaken}

_CONNECT = """
INSERT INTO connections (channel_id, domain_id, client_id, type)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[]) ON CONFLICT DO NOTHING
RETURNING channel_id, domain_id, client_id, type
"""

_DISCONNECT = """
DELETE FROM connections WHERE (channel_id, domain_id, client_id, type) IN (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[])
) RETURNING channel_id, domain_id, client_id, type
"""
_DISCONNECT_CHANNEL = "DELETE FROM connections WHERE channel_id = $1 RETURNING channel_id, domain_id, client_id, type"


class PostgresTransaction(PostgresRoles, PostgresOperators, PostgresRelay, PostgresImports, Transaction):
    """`ports.Transaction` on one connection, for the length of one unit.

    `revoked`, `events`, `granted` and `removed` are settled after the unit, and what it has `recorded` in each ring.
    """

    def __init__(self, connection: Statements, clock: Clock) -> None:
        self._connection = connection
        self.now = clock.now()
        self._purge_cutoff = clock.purge_cutoff()
        self.revoked: list[str] = []
        self.events: list[Event] = []
        self.recorded = [Content() for _ in Ring]
        self.granted = False
        self.removed: list[tuple[str, str]] = []

    @override
    async def client(self, client_id: str) -> Client | None:
        return (await self.clients([client_id])).get(client_id)

    @override
    async def clients(self, client_ids: Iterable[str]) -> dict[str, Client]:
        found = map(to_client, await self._connection.fetch(_CLIENTS, list(map(key, client_ids))))
        return {client.id: client for client in found}

    @override
    async def clients_with_external_ids(self, domain_id: str, external_ids: Sequence[str]) -> list[Client]:
        return await self._found(_BY_EXTERNAL_ID, domain_id, external_ids)

    @override
    async def clients_named(self, domain_id: str, names: Sequence[str]) -> list[Client]:
        return await self._found(_BY_NAME, domain_id, names)

    async def _found(self, sql: str, domain_id: str, values: Sequence[str]) -> list[Client]:
        return list(map(to_client, await self._connection.fetch(sql, key(domain_id), list(map(key, values)))))

    @override
    async def insert(self, clients: Sequence[NewClient]) -> None:
        await secrets.ensure_unused(
            self._connection, [c.client.domain_id for c in clients], [c.secret for c in clients], self._purge_cutoff
        )
        try:
            await self._connection.executemany(INSERT_CLIENT, list(map(to_row, clients)))
        except asyncpg.UniqueViolationError as error:
            raise _TAKEN.get(constraint_of(error), IdTaken) from error
        await roles.insert(self._connection, [c.role for c in clients])

    @override
    async def replace(self, old: Client, new: Client, metadata: Mapping[str, Any] | None = None) -> None:
        try:
            await self._update(new)
        except asyncpg.UniqueViolationError as error:
            raise ExternalIdTaken from error
        if metadata is not None:
            await self._connection.execute(_UPDATE_METADATA, new.id, searched(metadata), new.metadata)

    async def _update(self, new: Client) -> None:
        await self._connection.execute(
            _UPDATE_CLIENT,
            new.id,
            new.status,
            new.name,
            fold(new.name),
            new.tags,
            new.identity,
            new.parent_group_id,
            new.updated_at,
            new.created_at if new.updated_at is None else new.updated_at,
            new.updated_by,
            new.private_metadata,
            new.external_id,
        )

    @override
    async def remove(self, client: Client) -> None:
        await self._connection.execute("DELETE FROM clients WHERE id = $1", client.id)
        self.removed.append((client.id, client.domain_id))

    @override
    async def unset_parent_group(self, group_id: str) -> dict[str, str]:
        sql = "UPDATE clients SET parent_group_id = NULL WHERE parent_group_id = $1 RETURNING id, domain_id"
        return dict(await self._connection.fetch(sql, key(group_id)))

    @override
    async def domains(self, client_ids: Sequence[str]) -> dict[str, str]:
        return dict(await self._connection.fetch(DOMAINS, list(map(key, client_ids))))

    @override
    async def secret(self, client_id: str) -> StoredSecret:
        return await secrets.current(self._connection, client_id)

    @override
    async def set_secret(self, client: Client, secret: StoredSecret) -> None:
        await secrets.replace(self._connection, client, secret, self._purge_cutoff)

    @override
    async def retirements(self, client_id: str) -> tuple[Retirement, ...]:
        return await secrets.retiring(self._connection, client_id, self.now)

    @override
    async def retire(self, client: Client, retirement: Retirement) -> None:
        await secrets.retire(self._connection, retirement, client.domain_id, self.now)

    @override
    async def drop_retirements(self, client_id: str) -> None:
        await self._connection.execute("DELETE FROM secret_retirements WHERE client_id = $1", client_id)

    @override
    async def touch_retirement(self, client_id: str, kept: str) -> None:
        await secrets.touch_retirement(self._connection, client_id, kept, self.now)

    @override
    async def connections(self, client_id: str) -> list[Connection]:
        rows = await self._connection.fetch(_CONNECTIONS, client_id)
        return [Connection(channel, domain, client_id, ConnectionType(kind)) for channel, domain, kind in rows]

    @override
    async def connect(self, connections: Sequence[Connection]) -> list[Connection]:
        return await self._changed(_CONNECT, *_columns(connections))

    @override
    async def disconnect(self, connections: Sequence[Connection]) -> list[Connection]:
        return await self._changed(_DISCONNECT, *_columns(connections))

    @override
    async def disconnect_channel(self, channel_id: str) -> list[Connection]:
        return await self._changed(_DISCONNECT_CHANNEL, channel_id)

    async def _changed(self, sql: str, *parameters: object) -> list[Connection]:
        return list(map(to_connection, await self._connection.fetch(sql, *parameters)))

    @override
    async def append(self, events: Sequence[Event]) -> None:
        self.events += events

    @override
    async def record(self, entries: Sequence[JournalEntry]) -> int:
        number = await journal.record(self._connection, entries, self.now)
        self._count(contents(entries))
        return number

    @override
    async def amend(self, number: int, entry: JournalEntry) -> bool:
        more = await journal.amend(self._connection, number, entry)
        if more is not None:
            self._count(more)
        return more is not None

    def _count(self, more: Sequence[Content]) -> None:
        self.recorded = [before.plus(one) for before, one in zip(self.recorded, more, strict=True)]

    @override
    async def revoke(self, client_ids: Sequence[str]) -> None:
        self.revoked += client_ids

    @override
    async def grant(self) -> None:
        self.granted = True


def _columns(connections: Sequence[Connection]) -> tuple[list[str], list[str], list[str], list[int]]:
    return (
        [one.channel_id for one in connections],
        [one.domain_id for one in connections],
        [one.client_id for one in connections],
        [int(one.type) for one in connections],
    )
