"""Events of a transaction: numbers them, keeps them if anybody will read them, and trims the outbox to its bounds."""

import sqlite3
from collections.abc import Sequence

from edgeclients.model import Event, Gap
from edgeclients.store.limits import OutboxBounds
from edgeclients.store.rows import happened_at
from edgeclients.store.sqlite.relay import note_dropped
from edgeclients.store.sqlite.rows import fetch
from edgeclients.store.surplus import Surplus

OLDEST = "SELECT seq, length(payload) FROM outbox ORDER BY seq"
DROP = "DELETE FROM outbox WHERE seq <= ?"


_NUMBER = """
UPDATE store_state SET
    outbox_seq = outbox_seq + :rows,
    outbox_unkept = iif(outbox_kept, outbox_unkept, outbox_unkept + :rows),
    outbox_rows = iif(outbox_kept, outbox_rows + :rows, outbox_rows),
    outbox_bytes = iif(outbox_kept, outbox_bytes + :bytes, outbox_bytes)
WHERE id = 1
RETURNING outbox_seq - :rows, outbox_kept
"""
_APPEND = "INSERT INTO outbox (seq, stream, client_id, payload, occurred_at) VALUES (?, ?, ?, ?, ?)"
_SIZE = "SELECT outbox_rows, outbox_bytes FROM store_state"

_KEEP = "UPDATE store_state SET outbox_kept = :kept WHERE id = 1 AND outbox_kept <> :kept"
_SENT = "SELECT sent_at IS NOT NULL FROM relay"
# The numbers of all of these follow each other: no event was ever sent.
_STOP_KEEPING = """
UPDATE store_state SET outbox_unkept = outbox_unkept + outbox_rows, outbox_rows = 0, outbox_bytes = 0
WHERE id = 1 AND outbox_rows > 0
"""
_UNKEPT = "SELECT outbox_unkept, outbox_seq - outbox_unkept + 1, outbox_seq FROM store_state WHERE outbox_unkept > 0"


def append(connection: sqlite3.Connection, events: Sequence[Event], now: int) -> None:
    """Number `events`, and add them to the outbox if it keeps events; those without a time happened now.

    Call `settle` before the transaction ends.
    """
    counted = {"rows": len(events), "bytes": sum(len(e.payload) for e in events)}
    newest, kept = connection.execute(_NUMBER, counted).fetchall()[0]
    if kept:
        connection.executemany(
            _APPEND,
            [(n, e.stream, e.client_id, e.payload, happened_at(e, now)) for n, e in enumerate(events, newest + 1)],
        )


def settle(connection: sqlite3.Connection, bounds: OutboxBounds) -> None:
    """Drop the oldest events that exceed the bounds."""
    rows, payload_bytes = fetch(connection, _SIZE, ())[0]
    if rows > bounds.rows or payload_bytes > bounds.payload_bytes:
        _trim(connection, Surplus(rows, payload_bytes, bounds))


def keep_events(connection: sqlite3.Connection, *, have_reader: bool) -> None:
    """Keep events from now on if somebody will read them: there is a reader, or there was one before.

    Without one the outbox is emptied. The first reader is told how many events were not kept.
    """
    kept = have_reader or bool(fetch(connection, _SENT, ())[0][0])
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_KEEP, {"kept": int(kept)})
        if kept:
            _report_unkept(connection)
        elif connection.execute(_STOP_KEEPING).rowcount:
            connection.execute("DELETE FROM outbox")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _report_unkept(connection: sqlite3.Connection) -> None:
    for unkept in fetch(connection, _UNKEPT, ()):
        note_dropped(connection, Gap(*unkept))
        connection.execute("UPDATE store_state SET outbox_unkept = 0 WHERE id = 1")


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
