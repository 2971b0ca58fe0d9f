"""The rows that lists search by: who has a tag, a metadata value, a status other than enabled.

The newest clients have none. Their rows are written together, some hundred clients at a time: alone, each of them would
write as many pages as it has tags and values.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from edgeclients.model import Client, Status
from edgeclients.progress import Progress
from edgeclients.store.sqlite import client_set
from edgeclients.store.sqlite.client_set import BLOCK
from edgeclients.store.sqlite.faults import primary_code
from edgeclients.store.sqlite.ids import uuid_bytes
from edgeclients.store.sqlite.rows import decode_tags, fetch
from edgeclients.store.sqlite.terms import Term, terms

LAG: Final = 250
"""The number of newest clients without search rows that a list looks through; it takes about a millisecond."""

TAG: Final = "tag"
"""The path of tags."""

STATUS: Final = "status"
"""The path of statuses, which are numbers."""

_ROWS_AT_A_TIME = 500
_CLIENTS_A_COMMIT = 20 * _ROWS_AT_A_TIME  # while all clients get their rows

_INDEXED = "SELECT indexed_through FROM store_state"
_LAGGING = "SELECT indexed_through, coalesce(max(n), 0) FROM store_state LEFT JOIN client_rows"
_NEXT = "SELECT n, domain, status, tags, metadata FROM client_rows WHERE n > ? AND n <= ? ORDER BY n LIMIT ?"
_INDEX = "UPDATE store_state SET indexed_through = ? WHERE id = 1"

_KEY = "domain = ? AND path = ? AND value = ? AND block = ?"
_ADD = """
INSERT INTO search_rows (domain, path, value, block, clients) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (domain, path, value, block) DO UPDATE SET clients = clients_add(clients, excluded.clients)
"""
_READ = f"SELECT clients FROM search_rows WHERE {_KEY}"
_WRITE = f"UPDATE search_rows SET clients = ? WHERE {_KEY}"
_DROP = f"DELETE FROM search_rows WHERE {_KEY}"


class _Row(NamedTuple):
    """A client to be searched for; domain and client are numbers."""

    domain: int
    client: int


def add(connection: sqlite3.Connection, newest: int) -> None:
    """Write the search rows of new clients up to the number `newest`, if there are enough of them."""
    (indexed,) = fetch(connection, _INDEXED, ())[0]
    if newest - indexed >= LAG:
        _index(connection, indexed, newest)


def catch_up(connection: sqlite3.Connection, progress: Progress) -> None:
    """Write all search rows that a migration has left to be written, part by part: what is written stays written.

    A damaged file gets as many as can be written; the damage is told where it is read.
    """
    try:
        while _catches_up(connection):
            progress.step()
    except sqlite3.DatabaseError as error:
        if primary_code(error) != sqlite3.SQLITE_CORRUPT:
            raise


def _catches_up(connection: sqlite3.Connection) -> bool:
    """Write a part of the search rows that are missing; False if none is."""
    indexed, newest = fetch(connection, _LAGGING, ())[0]
    if newest - indexed < LAG:
        return False
    connection.execute("BEGIN IMMEDIATE")
    try:
        _index(connection, indexed, min(newest, indexed + _CLIENTS_A_COMMIT))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return True


def change(connection: sqlite3.Connection, old: Client, new: Client, metadata: Mapping[str, Any] | None) -> None:
    """Update the search rows from `old` to `new`; `metadata` is `new`'s, or None if unchanged."""
    before, after = _described(old), _described(new)
    if metadata is not None:
        before, after = before | _terms_of(old), after | terms(metadata)
    if before != after and (row := _searched(connection, old)):
        _remove(connection, row, before - after)
        _add(connection, row, after - before)


def remove(connection: sqlite3.Connection, client: Client) -> None:
    """Remove `client` from the search rows."""
    if row := _searched(connection, client):
        _remove(connection, row, _described(client) | _terms_of(client))


def _index(connection: sqlite3.Connection, indexed: int, through: int) -> None:
    while rows := fetch(connection, _NEXT, (indexed, through, _ROWS_AT_A_TIME)):
        _write(connection, rows)
        indexed = rows[-1][0]
    connection.execute(_INDEX, (through,))


def _write(connection: sqlite3.Connection, rows: Sequence[tuple[int, int, int, str | None, str | None]]) -> None:
    places: dict[tuple[int, str, str, int], list[int]] = {}
    for number, domain, status, tags, metadata in rows:
        block, place = divmod(number, BLOCK)
        found = _terms(status, decode_tags(tags) if tags else ())
        if metadata:
            found |= terms(msgspec.json.decode(metadata))
        for path, value in found:
            places.setdefault((domain, path, value, block), []).append(place)
    # In the order of the table: neighbours are written into a page together.
    connection.executemany(_ADD, [(*key, client_set.encode(places[key])) for key in sorted(places)])


def _searched(connection: sqlite3.Connection, client: Client) -> _Row | None:
    """Where a client stands in the search rows; None if it is too new to be in any."""
    sql = "SELECT domain, n, n > indexed_through FROM client_rows, store_state WHERE client_rows.id = ?"
    domain, number, is_new = fetch(connection, sql, (uuid_bytes(client.id),))[0]
    return None if is_new else _Row(domain, number)


def _described(client: Client) -> frozenset[Term]:
    """A client's tags and status as terms."""
    return _terms(int(client.status), client.tags)


def _terms(status: int, tags: Iterable[str]) -> frozenset[Term]:
    found = {(TAG, tag) for tag in tags}
    if status != Status.ENABLED:
        found.add((STATUS, str(status)))
    return frozenset(found)


def _terms_of(client: Client) -> frozenset[Term]:
    return terms(msgspec.json.decode(client.metadata))


def _add(connection: sqlite3.Connection, row: _Row, added: Iterable[Term]) -> None:
    block, place = divmod(row.client, BLOCK)
    connection.executemany(_ADD, [(row.domain, *term, block, client_set.encode([place])) for term in added])


def _remove(connection: sqlite3.Connection, row: _Row, removed: Iterable[Term]) -> None:
    block, place = divmod(row.client, BLOCK)
    for term in removed:
        key = (row.domain, *term, block)
        (stored,) = fetch(connection, _READ, key)[0]
        if left := client_set.remove(stored, place):
            connection.execute(_WRITE, (left, *key))
        else:
            connection.execute(_DROP, key)
