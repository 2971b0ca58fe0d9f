"""The transaction of a unit of work on SQLite. Its methods are coroutines that never suspend: the writer's thread runs them."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from typing_extensions import override

from edgeclients.model import (
    Client,
    Connection,
    ConnectionType,
    Effects,
    Event,
    JournalEntry,
    NewClient,
    Retirement,
    Status,
    StoredSecret,
)
from edgeclients.ports import Transaction
from edgeclients.store.clock import Clock
from edgeclients.store.sqlite import journal, registry, roles, search, secrets, settlement
from edgeclients.store.sqlite.ids import uuid_bytes, uuid_text
from edgeclients.store.sqlite.imports import SqliteImports
from edgeclients.store.sqlite.listing import CONNECTIONS
from edgeclients.store.sqlite.names import Names, numbered
from edgeclients.store.sqlite.operators import SqliteOperators
from edgeclients.store.sqlite.relay import SqliteRelay
from edgeclients.store.sqlite.roles import SqliteRoles
from edgeclients.store.sqlite.rows import CLIENT_COLUMNS, DOMAINS, fetch, named, to_client
from edgeclients.times import SECOND

# Other processes look back a minute for revocations; ten leaves room for a stalled one.
_KEEP_REVOCATIONS = 600 * SECOND

_CLIENT = f"SELECT {CLIENT_COLUMNS} FROM client_rows c WHERE c.id = ?"
_BY_EXTERNAL_ID = f"""
SELECT {CLIENT_COLUMNS} FROM json_each(?) wanted
CROSS JOIN client_rows c ON c.domain = {numbered()} AND c.external_id = wanted.value
"""
_UNSET_PARENT_GROUP = (
    f"UPDATE client_rows SET parent_group = NULL WHERE parent_group = {numbered()} RETURNING id, {named('domain')}"
)

_CONNECT = f"INSERT OR IGNORE INTO connection_rows (channel, domain, client, type) VALUES (?, ?, {roles.CLIENT}, ?)"
_DISCONNECT = f"DELETE FROM connection_rows WHERE channel = ? AND domain = ? AND client = {roles.CLIENT} AND type = ?"
_DISCONNECT_CHANNEL = f"""
DELETE FROM connection_rows WHERE channel = {numbered()}
RETURNING {named("domain")}, (SELECT id FROM client_rows WHERE n = client), type
"""

_STATUSES = ", ".join(str(int(status)) for status in Status)
# With the statuses, which are all there are, it is found by an index.
_BY_NAME = f"""
SELECT {CLIENT_COLUMNS} FROM json_each(?) wanted
CROSS JOIN client_rows c ON c.domain = {numbered()} AND c.status IN ({_STATUSES}) AND c.name = wanted.value
"""


class SqliteTransaction(SqliteRoles, SqliteOperators, SqliteRelay, SqliteImports, Transaction):
    """`ports.Transaction` on the writer's connection, for the length of one unit."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._names = Names(connection)
        self.now = clock.now()
        self._purge_cutoff = clock.purge_cutoff()
        self._revoked: list[tuple[str, int]] = []
        self._granted = False
        self._removed: list[tuple[str, str]] = []
        self.appended = False
        self.recorded = False

    def effects(self) -> Effects:
        """The effects that the commit of this unit must have."""
        return Effects(tuple(self._revoked), self._granted, tuple(self._removed), self.appended, self.roles_changed)

    @override
    async def client(self, client_id: str) -> Client | None:
        rows = self._connection.execute(_CLIENT, (uuid_bytes(client_id),)).fetchall()
        return to_client(rows[0]) if rows else None

    @override
    async def clients(self, client_ids: Iterable[str]) -> dict[str, Client]:
        found = (await self.client(client_id) for client_id in set(client_ids))
        return {client.id: client async for client in found if client}

    @override
    async def clients_with_external_ids(self, domain_id: str, external_ids: Sequence[str]) -> list[Client]:
        return self._found(_BY_EXTERNAL_ID, domain_id, external_ids)

    @override
    async def clients_named(self, domain_id: str, names: Sequence[str]) -> list[Client]:
        return self._found(_BY_NAME, domain_id, names)

    def _found(self, sql: str, domain_id: str, values: Sequence[str]) -> list[Client]:
        # JSON functions end a text at a NUL, which no column has.
        wanted = msgspec.json.encode([value for value in dict.fromkeys(values) if "\0" not in value]).decode()
        return [to_client(row) for row in fetch(self._connection, sql, (wanted, domain_id))]

    @override
    async def insert(self, clients: Sequence[NewClient]) -> None:
        new = [c.secret for c in clients]
        secrets.refuse_retiring(
            self._connection, (lookup for s in new for lookup in (s.lookup, *s.equivalents)), self._purge_cutoff
        )
        secrets.refuse_equivalents(self._connection, new)
        numbers = registry.insert(self._connection, self._names, clients)
        roles.insert(self._connection, self._names, [c.role for c in clients], numbers)

    @override
    async def replace(self, old: Client, new: Client, metadata: Mapping[str, Any] | None = None) -> None:
        registry.update(self._connection, self._names, old, new)
        search.change(self._connection, old, new, metadata)

    @override
    async def remove(self, client: Client) -> None:
        search.remove(self._connection, client)
        registry.remove(self._connection, client)
        self._removed.append((client.id, client.domain_id))

    @override
    async def unset_parent_group(self, group_id: str) -> dict[str, str]:
        return {uuid_text(client): domain for client, domain in fetch(self._connection, _UNSET_PARENT_GROUP, (group_id,))}

    @override
    async def domains(self, client_ids: Sequence[str]) -> dict[str, str]:
        return dict(fetch(self._connection, DOMAINS, (msgspec.json.encode(client_ids).decode(),)))

    @override
    async def secret(self, client_id: str) -> StoredSecret:
        return secrets.current(self._connection, client_id)

    @override
    async def set_secret(self, client: Client, secret: StoredSecret) -> None:
        secrets.replace(self._connection, client, secret, self._purge_cutoff)

    @override
    async def retirements(self, client_id: str) -> tuple[Retirement, ...]:
        return secrets.retiring(self._connection, client_id, self.now)

    @override
    async def retire(self, client: Client, retirement: Retirement) -> None:
        secrets.retire(self._connection, retirement, client.domain_id, self.now)

    @override
    async def drop_retirements(self, client_id: str) -> None:
        self._connection.execute(f"DELETE FROM retirement_rows WHERE client = {roles.CLIENT}", (uuid_bytes(client_id),))

    @override
    async def touch_retirement(self, client_id: str, kept: str) -> None:
        secrets.touch_retirement(self._connection, client_id, kept, self.now)

    @override
    async def connections(self, client_id: str) -> list[Connection]:
        rows = fetch(self._connection, CONNECTIONS, (uuid_bytes(client_id),))
        return [Connection(channel, domain, client_id, ConnectionType(kind)) for channel, domain, kind in rows]

    @override
    async def connect(self, connections: Sequence[Connection]) -> list[Connection]:
        number = self._names.number
        return self._changed(_CONNECT, [(one, number(one.channel_id), number(one.domain_id)) for one in connections])

    @override
    async def disconnect(self, connections: Sequence[Connection]) -> list[Connection]:
        number = self._names.known  # no row for the name of a domain that does not exist
        return self._changed(_DISCONNECT, [(one, number(one.channel_id), number(one.domain_id)) for one in connections])

    @override
    async def disconnect_channel(self, channel_id: str) -> list[Connection]:
        found = fetch(self._connection, _DISCONNECT_CHANNEL, (channel_id,))
        return [Connection(channel_id, domain, uuid_text(client), ConnectionType(kind)) for domain, client, kind in found]

    @override
    async def append(self, events: Sequence[Event]) -> None:
        if events:
            settlement.append(self._connection, events, self.now)
            self.appended = True

    @override
    async def record(self, entries: Sequence[JournalEntry]) -> int:
        self.recorded = True
        return journal.record(self._connection, self._names, entries, self.now)

    @override
    async def amend(self, number: int, entry: JournalEntry) -> bool:
        self.recorded = True
        return journal.amend(self._connection, number, entry)

    @override
    async def revoke(self, client_ids: Sequence[str]) -> None:
        for client_id in client_ids:
            revision = self._connection.execute(
                "UPDATE store_state SET revision = revision + 1 WHERE id = 1 RETURNING revision"
            ).fetchall()[0][0]
            self._connection.execute("INSERT INTO revocations VALUES (?, ?, ?)", (revision, client_id, self.now))
            self._revoked.append((client_id, revision))
        self._connection.execute("DELETE FROM revocations WHERE at < ?", (self.now - _KEEP_REVOCATIONS,))

    @override
    async def grant(self) -> None:
        self._granted = True

    def _changed(self, sql: str, connections: Sequence[tuple[Connection, int | None, int | None]]) -> list[Connection]:
        """Those whose row `sql` has changed; each comes with the numbers of its channel and domain."""
        run = self._connection.execute
        return [
            one
            for one, channel, domain in connections
            if run(sql, (channel, domain, uuid_bytes(one.client_id), int(one.type))).rowcount
        ]
