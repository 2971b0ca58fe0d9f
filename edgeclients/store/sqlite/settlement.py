"""The end of a transaction: counts its events, and trims the outbox to its bounds of rows and bytes."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from edgeclients.model import Event
from edgeclients.store.limits import OutboxBounds
from edgeclients.store.rows import happened_at
from edgeclients.store.sqlite.relay import note_dropped
from edgeclients.store.surplus import Surplus

OLDEST = "SELECT seq, length(payload) FROM outbox ORDER BY seq"
DROP = "DELETE FROM outbox WHERE seq <= ?"


class Added(NamedTuple):
    """How much a unit added to the outbox."""

    rows: int
    payload_bytes: int


def append(connection: sqlite3.Connection, events: Sequence[Event], now: int) -> Added:
    """Add `events`; those without a time happened now. Pass the result to `settle` before the transaction ends."""
    connection.executemany(
        "INSERT INTO outbox (stream, client_id, payload, occurred_at) VALUES (?, ?, ?, ?)",
        [(e.stream, e.client_id, e.payload, happened_at(e, now)) for e in events],
    )
    return Added(len(events), sum(len(e.payload) for e in events))


def settle(connection: sqlite3.Connection, added: Sequence[Added], bounds: OutboxBounds) -> None:
    """Count what the units of a transaction added, and drop the oldest events that exceed the bounds."""
    rows, payload_bytes = connection.execute(
        "UPDATE store_state SET outbox_rows = outbox_rows + ?, outbox_bytes = outbox_bytes + ? WHERE id = 1"
        " RETURNING outbox_rows, outbox_bytes",
        (sum(one.rows for one in added), sum(one.payload_bytes for one in added)),
    ).fetchall()[0]
    if rows > bounds.rows or payload_bytes > bounds.payload_bytes:
        _trim(connection, Surplus(rows, payload_bytes, bounds))


def _trim(connection: sqlite3.Connection, surplus: Surplus) -> None:
    cursor = connection.execute(OLDEST)  # read no further than is needed
    surplus.take(cursor)
    cursor.close()
    if not surplus.rows:
        return
    connection.execute(DROP, (surplus.last,))
    connection.execute(
        "UPDATE store_state SET outbox_rows = outbox_rows - ?, outbox_bytes = outbox_bytes - ?,"
        " outbox_lost = outbox_lost + ?, outbox_lost_through = ? WHERE id = 1",
        (surplus.rows, surplus.payload_bytes, surplus.rows, surplus.last),
    )
    note_dropped(connection, surplus.gap())
