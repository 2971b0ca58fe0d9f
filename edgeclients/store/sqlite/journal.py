"""The journal in the database file, and denied logins in the file of activity."""

import contextlib
import sqlite3
from collections.abc import Sequence
from typing import Any

import aiosqlite
import msgspec

from edgeclients.model import JournalEntry, JournalFilter, JournalPage, JournalPlace, Recorded, Ring
from edgeclients.store.clause import Clause
from edgeclients.store.denials import RING_ROWS, Denied
from edgeclients.store.journal import (
    DENIED,
    Ages,
    Content,
    Source,
    aged,
    amended,
    behind,
    contents,
    denials_behind,
    merged,
    times,
    total,
)
from edgeclients.store.limits import JournalBounds
from edgeclients.store.sqlite.ids import uuid_bytes, uuid_text
from edgeclients.store.sqlite.names import Names, numbered
from edgeclients.store.sqlite.rows import fetch, named
from edgeclients.store.sqlite.scanner import rows
from edgeclients.times import DAY

_COUNT = """
UPDATE store_state SET
    journal_seq = journal_seq + ?,
    journal_rows = journal_rows + ?, journal_bytes = journal_bytes + ?,
    journal_short_rows = journal_short_rows + ?, journal_short_bytes = journal_short_bytes + ?
WHERE id = 1 RETURNING journal_seq
"""
_EMPTY = "{}"
WRITTEN = "SELECT 1 FROM activity.denial_rows LIMIT 1"
"""With it, a transaction that reads begins to see the denied logins that are written."""

_BYTES = f"coalesce(length(CAST(attributes AS BLOB)), {len(_EMPTY)})"
_ADD = "INSERT INTO journal_rows (ring, n, at, operation, domain, client, user, attributes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_AMEND = "UPDATE journal_rows SET attributes = ? WHERE ring = ? AND n = ?"
_LENGTH = f"SELECT {_BYTES} FROM journal_rows WHERE ring = ? AND n = ?"

_HELD = "SELECT journal_rows, journal_bytes, journal_short_rows, journal_short_bytes FROM store_state"
OLDEST = f"SELECT n, {_BYTES} FROM journal_rows WHERE ring = ? ORDER BY n"
_AGED = aged("journal_rows")
_THROUGH = f"SELECT count(*), coalesce(sum({_BYTES}), 0) FROM journal_rows WHERE ring = ? AND n <= ?"
_DROP = "DELETE FROM journal_rows WHERE ring = ? AND n <= ?"

_COLUMNS = (
    f"at, {named('operation')} AS name, {named('domain')} AS domain_id, client, {named('user')} AS user_id,"
    f" coalesce(attributes, '{_EMPTY}') AS attributes, n, -1 AS hour, x'' AS holder"
)
_DENIAL_COLUMNS = f"at, '{DENIED}', domain, client, '', '{{\"count\":' || count || '}}', n, hour, client AS holder"

_DENIALS = f"""
SELECT hour, client, domain, sum(count) AS count, max(at) AS at, min(n) AS n FROM (
    SELECT hour, client, domain, count, at, n FROM activity.denial_rows
    UNION ALL
    SELECT value ->> 0, uuid_bytes(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each(?)
) GROUP BY hour, client ORDER BY hour DESC, client DESC LIMIT {RING_ROWS}
"""


def record(connection: sqlite3.Connection, names: Names, entries: Sequence[JournalEntry], now: int) -> int:
    """Add entries that happen now; call `settle` before the transaction ends.

    Returns:
        The number of the first entry.
    """
    first = _count(connection, contents(entries), len(entries)) - len(entries) + 1
    connection.executemany(_ADD, [_row(names, entry, n, now) for n, entry in enumerate(entries, first)])
    return first


def amend(connection: sqlite3.Connection, number: int, entry: JournalEntry) -> bool:
    """Give the entry with this number the attributes of `entry`; False if it has been dropped."""
    found = fetch(connection, _LENGTH, (entry.ring, number))
    if not found:
        return False
    connection.execute(_AMEND, (_text(entry), entry.ring, number))
    _count(connection, amended(entry, found[0][0]))
    return True


def settle(connection: sqlite3.Connection, bounds: Sequence[JournalBounds], ages: Ages, now: int) -> None:
    """Drop the oldest entries of each ring that exceed its bounds; none for its age if `now` is 0."""
    rows, size, short_rows, short_size = fetch(connection, _HELD, ())[0]
    held = [Content(rows, size), Content(short_rows, short_size)]
    left = []
    for ring, content, bound in zip(Ring, held, bounds, strict=True):
        young = _expired(connection, ring, content, bound, now) if ages.are_due(ring, now) else content
        left.append(_trimmed(connection, ring, young, bound) if young.exceeds(bound) else young)
    if left != held:
        _count(connection, [after.minus(before) for after, before in zip(left, held, strict=True)])


async def page(connection: aiosqlite.Connection, wanted: JournalFilter, denied: Sequence[Denied]) -> JournalPage:
    """`Store.journal`, in the open transaction of `connection`; `denied` are denials that the file does not have yet."""
    sources = _sources(wanted, denied)
    count = (await rows(connection, total(sources)))[0][0] if wanted.after is None else None
    found = await rows(connection, merged(sources, wanted))
    return JournalPage(count, tuple(map(_recorded, found)), _place(found[-1]) if found else None)


def _sources(wanted: JournalFilter, denied: Sequence[Denied]) -> list[Source]:
    of_client = [] if wanted.client_id is None else [Clause("client = ? AND client <> x''", (uuid_bytes(wanted.client_id),))]
    of_domain = [] if wanted.domain_id is None else [Clause(f"domain = {numbered()}", (wanted.domain_id,))]
    of_operation = [] if wanted.operation is None else [Clause(f"operation = {numbered()}", (wanted.operation,))]
    found = []
    for ring in Ring:
        where = Clause.all_of(
            [Clause(f"ring = {int(ring)}", ()), *of_client, *of_domain, *of_operation, *times(wanted), *behind(wanted)]
        )
        found.append(Source(_COLUMNS, Clause(f"journal_rows WHERE {where.sql}", where.parameters), ("n",)))
    if wanted.operation in {None, DENIED}:
        of_domain = [] if wanted.domain_id is None else [Clause("domain = ?", (wanted.domain_id,))]
        of_place = denials_behind(wanted, "client", uuid_bytes)
        where = Clause.all_of([Clause("TRUE", ()), *of_client, *of_domain, *times(wanted), *of_place])
        unwritten = msgspec.json.encode(denied).decode()
        frame = Clause(f"({_DENIALS}) WHERE {where.sql}", (unwritten, *where.parameters))
        found.append(Source(_DENIAL_COLUMNS, frame, ("n", "hour", "holder")))
    return found


def _recorded(row: Sequence[Any]) -> Recorded:
    at, operation, domain_id, client, user_id, attributes, *_ = row
    return Recorded(at, operation, domain_id, uuid_text(client) if client else "", user_id, attributes.encode())


def _place(row: Sequence[Any]) -> JournalPlace:
    *_, n, hour, client = row
    return JournalPlace(n, hour, uuid_text(client) if client else "")


def _row(names: Names, entry: JournalEntry, n: int, now: int) -> tuple[object, ...]:
    numbers = (names.number(entry.operation), names.number(entry.domain_id))
    return (int(entry.ring), n, now, *numbers, uuid_bytes(entry.client_id), names.number(entry.user_id), _text(entry))


def _text(entry: JournalEntry) -> str | None:
    text = entry.attributes.decode()
    return None if text == _EMPTY else text


def _count(connection: sqlite3.Connection, more: Sequence[Content], entries: int = 0) -> int:
    """Count what the rings hold more or less, and `entries` new numbers; returns the newest number."""
    changes, short = more
    return int(fetch(connection, _COUNT, (entries, *changes, *short))[0][0])


def _expired(connection: sqlite3.Connection, ring: Ring, held: Content, bound: JournalBounds, now: int) -> Content:
    """What the ring holds after entries were dropped that are too old."""
    last = fetch(connection, _AGED, (ring, now - bound.microseconds, now + DAY))[0][0]
    if last is None:
        return held
    dropped = Content.of(*fetch(connection, _THROUGH, (ring, last))[0])
    connection.execute(_DROP, (ring, last))
    return held.minus(dropped)


def _trimmed(connection: sqlite3.Connection, ring: Ring, held: Content, bound: JournalBounds) -> Content:
    """What the ring holds after its oldest entries were dropped, which are too many."""
    last = 0
    with contextlib.closing(connection.execute(OLDEST, (ring,))) as oldest:  # read no further than is needed
        for last, length in oldest:  # noqa: B007 - used below
            held = held.without_entry(length)
            if held.leaves_room(bound):
                break
    connection.execute(_DROP, (ring, last))
    return held
