"""The rows that lists search by: tags and metadata of a client, updated with it, and only where they differ."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from edgeclients.model import Client, NewClient
from edgeclients.store.sqlite.terms import Term, terms


class Searched(NamedTuple):
    """The searchable values of a client."""

    domain_id: str
    client_id: str
    tags: Sequence[str]
    metadata: Mapping[str, Any]


def add(connection: sqlite3.Connection, clients: Sequence[NewClient]) -> None:
    """Write the search rows of new clients."""
    write(connection, [Searched(c.client.domain_id, c.client.id, c.client.tags, c.metadata) for c in clients])


def write(connection: sqlite3.Connection, clients: Sequence[Searched]) -> None:
    """Write the search rows of clients that have none."""
    tags = [(c.domain_id, tag, c.client_id) for c in clients for tag in set(c.tags)]
    pairs = [(c.domain_id, path, value, c.client_id) for c in clients for path, value in terms(c.metadata)]
    if tags:
        connection.executemany("INSERT INTO client_tags VALUES (?, ?, ?)", tags)
    if pairs:
        connection.executemany("INSERT INTO client_metadata VALUES (?, ?, ?, ?)", pairs)


def change(connection: sqlite3.Connection, old: Client, new: Client, metadata: Mapping[str, Any] | None) -> None:
    """Update the search rows from `old` to `new`; `metadata` is `new`'s, or None if unchanged."""
    if old.tags != new.tags:
        _change_tags(connection, old, set(old.tags), set(new.tags))
    if metadata is not None:
        _change_terms(connection, old, _terms_of(old), terms(metadata))


def remove(connection: sqlite3.Connection, client: Client) -> None:
    """Remove the search rows of `client`."""
    _change_tags(connection, client, set(client.tags), set())
    _change_terms(connection, client, _terms_of(client), frozenset())


def _terms_of(client: Client) -> frozenset[Term]:
    return terms(msgspec.json.decode(client.metadata))


def _change_tags(connection: sqlite3.Connection, client: Client, old: set[str], new: set[str]) -> None:
    connection.executemany(
        "DELETE FROM client_tags WHERE domain_id = ? AND tag = ? AND client_id = ?",
        [(client.domain_id, tag, client.id) for tag in old - new],
    )
    connection.executemany(
        "INSERT INTO client_tags VALUES (?, ?, ?)", [(client.domain_id, tag, client.id) for tag in new - old]
    )


def _change_terms(connection: sqlite3.Connection, client: Client, old: frozenset[Term], new: frozenset[Term]) -> None:
    connection.executemany(
        "DELETE FROM client_metadata WHERE domain_id = ? AND path = ? AND value = ? AND client_id = ?",
        [(client.domain_id, *term, client.id) for term in old - new],
    )
    connection.executemany(
        "INSERT INTO client_metadata VALUES (?, ?, ?, ?)", [(client.domain_id, *term, client.id) for term in new - old]
    )
