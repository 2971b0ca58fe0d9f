"""Writes rows of another store into the tables of this one, which have numbers for ids."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from edgeclients.model import Action, Client, NewClient, NewRole, StoredSecret
from edgeclients.store.sqlite import registry
from edgeclients.store.sqlite.ids import role_bytes, uuid_bytes
from edgeclients.store.sqlite.names import Names
from edgeclients.store.sqlite.roles import CLIENT
from edgeclients.store.transfer import Row

Write = Callable[[sqlite3.Connection, Sequence[Row]], None]


def _clients(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    registry.insert(connection, Names(connection), [_client(*cast("Any", row)) for row in rows])


def _client(*row: Any) -> NewClient:
    client_id, domain_id, status, secret, lookup, scheme, name, _, tags, identity, external_id, parent_group_id, *others = row
    created_at, updated_at, _, updated_by, metadata, private_metadata = others
    client = Client(
        *(client_id, domain_id, status, name, tags, identity, external_id, parent_group_id),
        *(created_at, updated_at, updated_by, metadata, private_metadata),
    )
    # Its roles come by themselves.
    role = NewRole("", client_id, "", Action(0), created_at, "", ())
    return NewClient(client, StoredSecret(secret, lookup, scheme), role)


def _retirements(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    names = Names(connection)
    connection.executemany(
        "INSERT INTO retirement_rows (lookup, client, domain, secret, secret_scheme, expires_at, last_used_at, retired_at,"
        f" counted_from) VALUES (?, {CLIENT}, ?, ?, ?, ?, ?, ?, ?)",
        [
            (lookup, uuid_bytes(client_id), names.number(domain_id), secret, names.optional(scheme), *times)
            for lookup, client_id, domain_id, secret, scheme, *times in cast("Sequence[Any]", rows)
        ],
    )


def _connections(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    names = Names(connection)
    connection.executemany(
        f"INSERT INTO connection_rows (channel, domain, client, type) VALUES (?, ?, {CLIENT}, ?)",
        [
            (names.number(channel_id), names.number(domain_id), uuid_bytes(client_id), kind)
            for channel_id, domain_id, client_id, kind in cast("Sequence[Any]", rows)
        ],
    )


def _roles(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    names = Names(connection)
    connection.executemany(
        "INSERT INTO role_rows (client, name, id, actions, created_at, created_by, updated_at, updated_by)"
        f" VALUES ({CLIENT}, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(uuid_bytes(client_id), name, role_bytes(role_id), actions),
                *(created_at, names.number(created_by), updated_at, names.optional(updated_by)),
            )
            for client_id, name, role_id, actions, created_at, created_by, updated_at, updated_by in cast("Sequence[Any]", rows)
        ],
    )


def _members(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    names = Names(connection)
    connection.executemany(
        f"INSERT INTO member_rows (client, member, role) VALUES ({CLIENT}, ?, ?)",
        [
            (uuid_bytes(client_id), names.number(member_id), role_bytes(role_id))
            for client_id, member_id, role_id in cast("Sequence[Any]", rows)
        ],
    )


def _last_seen(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    values = [(uuid_bytes(client_id), at) for client_id, at in cast("Sequence[Any]", rows)]
    connection.executemany("INSERT INTO activity.seen_rows (id, at) VALUES (?, ?)", values)


def _journal(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    names = Names(connection)
    connection.executemany(
        "INSERT INTO journal_rows (ring, n, at, operation, domain, client, user, attributes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(ring, n, at, names.number(operation), names.number(domain_id), uuid_bytes(client_id)),
                *(names.number(user_id), None if attributes == "{}" else attributes),
            )
            for ring, n, at, operation, domain_id, client_id, user_id, attributes in cast("Sequence[Any]", rows)
        ],
    )
    connection.execute("UPDATE store_state SET journal_seq = (SELECT max(n) FROM journal_rows)")


def _denials(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    values = [(hour, uuid_bytes(client_id), *others) for hour, client_id, *others in cast("Sequence[Any]", rows)]
    connection.executemany(
        "INSERT INTO activity.denial_rows (hour, client, domain, count, at, n) VALUES (?, ?, ?, ?, ?, ?)", values
    )


WRITERS: Mapping[str, Write] = {
    "clients": _clients,
    "secret_retirements": _retirements,
    "connections": _connections,
    "clients_roles": _roles,
    "clients_role_members": _members,
    "last_seen": _last_seen,
    "journal": _journal,
    "denials": _denials,
}
"""How the rows of a table are written that is a view here."""
