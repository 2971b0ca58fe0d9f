"""The journal in PostgreSQL."""

from collections.abc import Sequence
from typing import Any

from edgeclients.model import JournalEntry, JournalFilter, JournalPage, JournalPlace, Recorded, Ring
from edgeclients.store.clause import Clause
from edgeclients.store.journal import DENIED, Ages, Content, Source, aged, amended, behind, denials_behind, merged, times, total
from edgeclients.store.limits import JournalBounds
from edgeclients.store.postgres.connect import PostgresConnection, Statements
from edgeclients.store.postgres.pages import counted, rows_of
from edgeclients.times import DAY

_ADD = """
WITH added AS (
    INSERT INTO journal (ring, at, operation, domain_id, client_id, user_id, attributes)
    SELECT one.ring, $1, one.operation, one.domain_id, one.client_id, one.user_id, one.attributes
    FROM unnest($2::smallint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        WITH ORDINALITY AS one (ring, operation, domain_id, client_id, user_id, attributes, place)
    ORDER BY one.place
    RETURNING n
)
SELECT min(n) FROM added
"""
_LENGTH = "SELECT octet_length(attributes) FROM journal WHERE ring = $1 AND n = $2 FOR UPDATE"
_AMEND = "UPDATE journal SET attributes = $3 WHERE ring = $1 AND n = $2"

OLDEST = "SELECT n, octet_length(attributes) FROM journal WHERE ring = $1 AND n > $2 ORDER BY n LIMIT 200"
_AGED = aged("journal").replace("?", "$")
_THROUGH = "SELECT count(*), coalesce(sum(octet_length(attributes)), 0)::bigint FROM journal WHERE ring = $1 AND n <= $2"
_DROP = "DELETE FROM journal WHERE ring = $1 AND n <= $2"
_COUNT = """
UPDATE store_state SET
    journal_rows = journal_rows + $1, journal_bytes = journal_bytes + $2,
    journal_short_rows = journal_short_rows + $3, journal_short_bytes = journal_short_bytes + $4
WHERE id = 1
"""

_COLUMNS = "at, operation, domain_id, client_id, user_id, attributes, n, -1::bigint AS hour, '' AS holder"
_DENIAL_COLUMNS = f"at, '{DENIED}', domain_id, client_id, '', '{{\"count\":' || count || '}}', n, hour, client_id AS holder"


async def record(connection: Statements, entries: Sequence[JournalEntry], now: int) -> int:
    """Add entries that happen now; what they add is counted when the transaction is settled.

    Returns:
        The number of the first entry.
    """
    return int(
        await connection.fetchval(
            _ADD,
            now,
            [int(entry.ring) for entry in entries],
            [entry.operation for entry in entries],
            [entry.domain_id for entry in entries],
            [entry.client_id for entry in entries],
            [entry.user_id for entry in entries],
            [entry.attributes.decode() for entry in entries],
        )
    )


async def amend(connection: Statements, number: int, entry: JournalEntry) -> list[Content] | None:
    """Give the entry with this number the attributes of `entry`.

    Returns:
        What that adds to each ring; None if the entry has been dropped.
    """
    length = await connection.fetchval(_LENGTH, int(entry.ring), number)
    if length is None:
        return None
    await connection.execute(_AMEND, int(entry.ring), number, entry.attributes.decode())
    return amended(entry, length)


async def trim(connection: Statements, held: Sequence[Content], bounds: Sequence[JournalBounds], ages: Ages, now: int) -> None:
    """Drop the oldest entries of each ring that exceed its bounds; none for its age if `now` is 0.

    Args:
        connection: of a transaction that has locked the store's row, so that no other can commit.
        held: what each ring holds.
        bounds: of each ring.
        ages: of the entries.
        now: the time.
    """
    lost = []
    for ring, content, bound in zip(Ring, held, bounds, strict=True):
        young = await _expired(connection, ring, content, bound, now) if ages.are_due(ring, now) else content
        left = await _trimmed(connection, ring, young, bound) if young.exceeds(bound) else young
        lost.append(left.minus(content))
    if any(map(any, lost)):
        await connection.execute(_COUNT, *(number for one in lost for number in one))


async def _expired(connection: Statements, ring: Ring, held: Content, bound: JournalBounds, now: int) -> Content:
    """What the ring holds after entries were dropped that are too old."""
    last = await connection.fetchval(_AGED, int(ring), now - bound.microseconds, now + DAY)
    if last is None:
        return held
    dropped = Content.of(*await connection.fetchrow(_THROUGH, int(ring), last) or (0, 0))
    await connection.execute(_DROP, int(ring), last)
    return held.minus(dropped)


async def _trimmed(connection: Statements, ring: Ring, held: Content, bound: JournalBounds) -> Content:
    """What the ring holds after its oldest entries were dropped, which are too many."""
    last = 0
    while not held.leaves_room(bound) and (oldest := await connection.fetch(OLDEST, int(ring), last)):
        for n, length in oldest:
            last, held = n, held.without_entry(length)
            if held.leaves_room(bound):
                break
    await connection.execute(_DROP, int(ring), last)
    return held


async def page(connection: PostgresConnection, wanted: JournalFilter) -> JournalPage:
    """`Store.journal`."""
    sources = _sources(wanted)
    if wanted.after is None:
        count, rows = await counted(connection, total(sources), merged(sources, wanted))
    else:
        count, rows = None, await rows_of(connection, merged(sources, wanted))
    return JournalPage(count, tuple(map(_recorded, rows)), JournalPlace(*tuple(rows[-1])[-3:]) if rows else None)


def _sources(wanted: JournalFilter) -> list[Source]:
    of_client = [] if wanted.client_id is None else [Clause("client_id = ? AND client_id <> ''", (wanted.client_id,))]
    of_domain = [] if wanted.domain_id is None else [Clause("domain_id = ?", (wanted.domain_id,))]
    of_operation = [] if wanted.operation is None else [Clause("operation = ?", (wanted.operation,))]
    found = []
    for ring in Ring:
        where = Clause.all_of(
            [Clause(f"ring = {int(ring)}", ()), *of_client, *of_domain, *of_operation, *times(wanted), *behind(wanted)]
        )
        found.append(Source(_COLUMNS, Clause(f"journal WHERE {where.sql}", where.parameters), ("n",)))
    if wanted.operation in {None, DENIED}:
        of_place = denials_behind(wanted, "client_id", lambda client_id: client_id)
        where = Clause.all_of([Clause("TRUE", ()), *of_client, *of_domain, *times(wanted), *of_place])
        found.append(Source(_DENIAL_COLUMNS, Clause(f"denials WHERE {where.sql}", where.parameters), ("n", "hour", "holder")))
    return found


def _recorded(row: Sequence[Any]) -> Recorded:
    at, operation, domain_id, client_id, user_id, attributes, *_ = row
    return Recorded(at, operation, domain_id, client_id, user_id, attributes.encode())
