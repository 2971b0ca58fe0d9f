"""The rows that lists search by: tags and metadata of a client.

The newest clients have none. Their rows are written together, some hundred clients at a time: alone, each of them would
write as many pages as it has tags and values.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from edgeclients.model import Client
from edgeclients.store.sqlite.ids import uuid_bytes
from edgeclients.store.sqlite.rows import decode_tags, fetch
from edgeclients.store.sqlite.terms import Term, terms

LAG: Final = 250
"""The number of newest clients without search rows that a list looks through; it takes about a millisecond."""

_ROWS_AT_A_TIME = 500
_INDEXED = "SELECT indexed_through FROM store_state"
_NEXT = "SELECT n, domain, tags, metadata FROM client_rows WHERE n > ? ORDER BY n LIMIT ?"


class _Row(NamedTuple):
    """A client to be searched for; domain and client are numbers."""

    domain: int
    client: int


def add(connection: sqlite3.Connection, newest: int) -> None:
    """Write the search rows of new clients up to the number `newest`, if there are enough of them."""
    (indexed,) = fetch(connection, _INDEXED, ())[0]
    if newest - indexed < LAG:
        return
    while rows := fetch(connection, _NEXT, (indexed, _ROWS_AT_A_TIME)):
        _write(connection, rows)
        indexed = rows[-1][0]
    connection.execute("UPDATE store_state SET indexed_through = ? WHERE id = 1", (newest,))


def change(connection: sqlite3.Connection, old: Client, new: Client, metadata: Mapping[str, Any] | None) -> None:
    """Update the search rows from `old` to `new`; `metadata` is `new`'s, or None if unchanged."""
    if (old.tags != new.tags or metadata is not None) and (row := _searched(connection, old)):
        _change_tags(connection, row, set(old.tags), set(new.tags))
        if metadata is not None:
            _change_terms(connection, row, _terms_of(old), terms(metadata))


def remove(connection: sqlite3.Connection, client: Client) -> None:
    """Remove the search rows of `client`."""
    if row := _searched(connection, client):
        _change_tags(connection, row, set(client.tags), set())
        _change_terms(connection, row, _terms_of(client), frozenset())


def _write(connection: sqlite3.Connection, rows: Sequence[tuple[int, int, str | None, str | None]]) -> None:
    # In the order of their tables: neighbours are written into a page together.
    tags = sorted((domain, tag, n) for n, domain, text, _ in rows if text for tag in set(decode_tags(text)))
    pairs = sorted(
        (domain, path, value, n) for n, domain, _, text in rows if text for path, value in terms(msgspec.json.decode(text))
    )
    connection.executemany("INSERT INTO tag_rows VALUES (?, ?, ?)", tags)
    connection.executemany("INSERT INTO metadata_rows VALUES (?, ?, ?, ?)", pairs)


def _searched(connection: sqlite3.Connection, client: Client) -> _Row | None:
    """The key of a client's search rows; None if it is too new to have any."""
    sql = "SELECT domain, n, n > indexed_through FROM client_rows, store_state WHERE client_rows.id = ?"
    domain, number, is_new = fetch(connection, sql, (uuid_bytes(client.id),))[0]
    return None if is_new else _Row(domain, number)


def _terms_of(client: Client) -> frozenset[Term]:
    return terms(msgspec.json.decode(client.metadata))


def _change_tags(connection: sqlite3.Connection, row: _Row, old: set[str], new: set[str]) -> None:
    connection.executemany(
        "DELETE FROM tag_rows WHERE domain = ? AND tag = ? AND client = ?", [(row.domain, tag, row.client) for tag in old - new]
    )
    connection.executemany("INSERT INTO tag_rows VALUES (?, ?, ?)", [(row.domain, tag, row.client) for tag in new - old])


def _change_terms(connection: sqlite3.Connection, row: _Row, old: frozenset[Term], new: frozenset[Term]) -> None:
    connection.executemany(
        "DELETE FROM metadata_rows WHERE domain = ? AND path = ? AND value = ? AND client = ?",
        [(row.domain, *term, row.client) for term in old - new],
    )
    connection.executemany(
        "INSERT INTO metadata_rows VALUES (?, ?, ?, ?)", [(row.domain, *term, row.client) for term in new - old]
    )
