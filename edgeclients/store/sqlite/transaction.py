"""The transaction of a unit of work on SQLite. Its methods are coroutines that never suspend: the writer's thread runs them."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from typing_extensions import override

from edgeclients.errors import IdTaken, SecretTaken
from edgeclients.model import Client, Connection, Effects, Event, NewClient, Retirement, StoredSecret
from edgeclients.ports import Transaction
from edgeclients.store.clock import Clock
from edgeclients.store.rows import client_values, fold
from edgeclients.store.sqlite import roles, search, secrets, settlement
from edgeclients.store.sqlite.operators import SqliteOperators
from edgeclients.store.sqlite.relay import SqliteRelay
from edgeclients.store.sqlite.roles import SqliteRoles
from edgeclients.store.sqlite.rows import CLIENT_COLUMNS, tags_text, to_client
from edgeclients.times import SECOND

# Other processes look back a minute for revocations; ten leaves room for a stalled one.
_KEEP_REVOCATIONS = 600 * SECOND

_INSERT_CLIENT = """
INSERT INTO clients (
    id, domain_id, status, secret, secret_lookup, secret_scheme, name, name_folded, tags, identity, parent_group_id,
    created_at, updated_at, changed_at, updated_by, metadata, private_metadata
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_UPDATE_CLIENT = """
UPDATE clients SET
    status = ?, name = ?, name_folded = ?, tags = ?, identity = ?, parent_group_id = ?, updated_at = ?, changed_at = ?,
    updated_by = ?, metadata = ?, private_metadata = ?
WHERE id = ?
"""


class SqliteTransaction(SqliteRoles, SqliteOperators, SqliteRelay, Transaction):
    """`ports.Transaction` on the writer's connection, for the length of one unit."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self.now = clock.now()
        self._purge_cutoff = clock.purge_cutoff()
        self._revoked: list[tuple[str, int]] = []
        self._granted = False
        self._removed: list[str] = []
        self.added: list[settlement.Added] = []

    def effects(self) -> Effects:
        """The effects that the commit of this unit must have."""
        appended = any(added.rows for added in self.added)
        return Effects(tuple(self._revoked), self._granted, tuple(self._removed), appended, self.roles_changed)

    @override
    async def client(self, client_id: str) -> Client | None:
        rows = self._connection.execute(f"SELECT {CLIENT_COLUMNS} FROM clients WHERE id = ?", (client_id,)).fetchall()
        return to_client(rows[0]) if rows else None

    @override
    async def clients(self, client_ids: Iterable[str]) -> dict[str, Client]:
        found = (await self.client(client_id) for client_id in set(client_ids))
        return {client.id: client async for client in found if client}

    @override
    async def insert(self, clients: Sequence[NewClient]) -> None:
        new = [c.secret for c in clients]
        secrets.refuse_retiring(
            self._connection, (lookup for s in new for lookup in (s.lookup, *s.equivalents)), self._purge_cutoff
        )
        secrets.refuse_equivalents(self._connection, new)
        try:
            self._connection.executemany(_INSERT_CLIENT, map(_row_of, clients))
        except sqlite3.IntegrityError as error:
            raise (SecretTaken if "secret_lookup" in str(error) else IdTaken) from error
        search.add(self._connection, clients)
        roles.insert(self._connection, [c.role for c in clients])

    @override
    async def replace(self, old: Client, new: Client, metadata: Mapping[str, Any] | None = None) -> None:
        changed_at = new.created_at if new.updated_at is None else new.updated_at
        self._connection.execute(
            _UPDATE_CLIENT,
            (
                new.status,
                new.name,
                fold(new.name),
                tags_text(new.tags),
                new.identity,
                new.parent_group_id,
                new.updated_at,
                changed_at,
                new.updated_by,
                new.metadata,
                new.private_metadata,
                new.id,
            ),
        )
        search.change(self._connection, old, new, metadata)

    @override
    async def remove(self, client: Client) -> None:
        search.remove(self._connection, client)
        self._connection.execute("DELETE FROM clients WHERE id = ?", (client.id,))
        self._removed.append(client.id)

    @override
    async def unset_parent_group(self, group_id: str) -> None:
        self._connection.execute("UPDATE clients SET parent_group_id = NULL WHERE parent_group_id = ?", (group_id,))

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
        self._connection.execute("DELETE FROM secret_retirements WHERE client_id = ?", (client_id,))

    @override
    async def touch_retirement(self, client_id: str, kept: str) -> None:
        secrets.touch_retirement(self._connection, client_id, kept, self.now)

    @override
    async def connect(self, connections: Sequence[Connection]) -> int:
        before = self._connection.total_changes
        self._connection.executemany(
            "INSERT OR IGNORE INTO connections (channel_id, domain_id, client_id, type) VALUES (?, ?, ?, ?)",
            [(c.channel_id, c.domain_id, c.client_id, int(c.type)) for c in connections],
        )
        return self._connection.total_changes - before

    @override
    async def disconnect(self, connections: Sequence[Connection]) -> None:
        self._connection.executemany(
            "DELETE FROM connections WHERE channel_id = ? AND domain_id = ? AND client_id = ? AND type = ?",
            [(c.channel_id, c.domain_id, c.client_id, int(c.type)) for c in connections],
        )

    @override
    async def disconnect_channel(self, channel_id: str) -> None:
        self._connection.execute("DELETE FROM connections WHERE channel_id = ?", (channel_id,))

    @override
    async def append(self, events: Sequence[Event]) -> None:
        self.added.append(settlement.append(self._connection, events, self.now))

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


def _row_of(new: NewClient) -> tuple[object, ...]:
    client = new.client
    return (*client_values(new, tags_text(client.tags)), client.metadata, client.private_metadata)
