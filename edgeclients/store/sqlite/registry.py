"""The rows of clients: written with their search rows and the totals of their domains."""

import sqlite3
from collections.abc import Iterable, Sequence

from edgeclients.errors import DomainError, ExternalIdTaken, IdTaken, SecretTaken
from edgeclients.model import Client, NewClient
from edgeclients.store.rows import fold
from edgeclients.store.sqlite import search, secrets
from edgeclients.store.sqlite.ids import uuid_bytes
from edgeclients.store.sqlite.names import Names
from edgeclients.store.sqlite.rows import fetch, tags_text

_INSERT = """
INSERT INTO client_rows (
    n, id, domain, status, secret, secret_key, secret_lookup, secret_scheme, name, name_folded, tags, identity, external_id,
    parent_group, created_at, updated_at, updated_by, metadata, private_metadata
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_UPDATE = """
UPDATE client_rows SET
    status = ?, name = ?, name_folded = ?, tags = ?, identity = ?, external_id = ?, parent_group = ?, updated_at = ?,
    updated_by = ?, metadata = ?, private_metadata = ?
WHERE id = ?
"""

# A number is not used again for a client that is newer than the search rows.
_NEWEST = "SELECT max(indexed_through, coalesce((SELECT max(n) FROM client_rows), 0)) FROM store_state"

_COUNT = """
INSERT INTO totals (domain, status, clients) VALUES (?, ?, ?)
ON CONFLICT (domain, status) DO UPDATE SET clients = clients + excluded.clients
"""


def insert(connection: sqlite3.Connection, names: Names, clients: Sequence[NewClient]) -> dict[str, int | None]:
    """Write new clients; returns their numbers by id.

    Raises:
        IdTaken, ExternalIdTaken, SecretTaken: another client has this id, external id or secret.
    """
    (newest,) = fetch(connection, _NEWEST, ())[0]
    rows = [_row(number, names, new) for number, new in enumerate(clients, newest + 1)]
    try:
        connection.executemany(_INSERT, rows)
    except sqlite3.IntegrityError as error:
        raise _taken(error) from error
    count(connection, names, ((new.client.domain_id, new.client.status, 1) for new in clients))
    search.add(connection, newest + len(clients))
    return {new.client.id: number for number, new in enumerate(clients, newest + 1)}


def update(connection: sqlite3.Connection, names: Names, old: Client, new: Client) -> None:
    """Write what has changed of a client, without its secret.

    Raises:
        ExternalIdTaken: another client of the domain has this external id.
    """
    try:
        connection.execute(_UPDATE, (new.status, *_described(names, new), uuid_bytes(new.id)))
    except sqlite3.IntegrityError as error:
        raise _taken(error) from error
    if new.status != old.status:
        count(connection, names, ((old.domain_id, old.status, -1), (new.domain_id, new.status, 1)))


def remove(connection: sqlite3.Connection, client: Client) -> None:
    """Remove a client's row and what refers to it."""
    connection.execute("DELETE FROM client_rows WHERE id = ?", (uuid_bytes(client.id),))
    count(connection, Names(connection), ((client.domain_id, client.status, -1),))


def count(connection: sqlite3.Connection, names: Names, changes: Iterable[tuple[str, int, int]]) -> None:
    """Add to the totals: domain, status and difference."""
    totals: dict[tuple[str, int], int] = {}
    for domain_id, status, difference in changes:
        totals[domain_id, status] = totals.get((domain_id, status), 0) + difference
    rows = [(names.number(domain_id), status, difference) for (domain_id, status), difference in totals.items()]
    connection.executemany(_COUNT, rows)


def _row(number: int, names: Names, new: NewClient) -> tuple[object, ...]:
    client = new.client
    name, folded, tags, identity, external, parent, updated_at, updated_by, *metadata = _described(names, client)
    return (
        *(number, uuid_bytes(client.id), names.number(client.domain_id), client.status),
        *secrets.columns(names, new.secret),
        *(name, folded, tags, identity, external, parent, client.created_at, updated_at, updated_by, *metadata),
    )


def _described(names: Names, client: Client) -> tuple[object, ...]:
    """The values of the columns that an update writes, after `status`."""
    return (
        client.name,
        None if client.name.isascii() else fold(client.name),
        tags_text(client.tags) if client.tags else None,
        client.identity or None,
        client.external_id or None,
        names.optional(client.parent_group_id),
        client.updated_at,
        names.optional(client.updated_by),
        _object(client.metadata),
        _object(client.private_metadata),
    )


def _taken(error: sqlite3.IntegrityError) -> DomainError:
    """What another client has already."""
    if "external_id" in str(error):
        return ExternalIdTaken()
    return IdTaken() if "client_rows.id" in str(error) else SecretTaken()


def _object(text: str) -> str | None:
    return None if text == "{}" else text
