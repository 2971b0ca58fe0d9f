"""The end of a transaction: numbers revocations and events in the order in which commits become visible.

They wait until the unit has done everything else. Then one statement locks the store's only row until the commit. So a
number is never visible before all smaller ones, and few transactions wait for the lock.
"""

from typing import NamedTuple, Protocol

from edgeclients.model import Event
from edgeclients.store.clock import Reading, StoredTime
from edgeclients.store.journal import Ages, Content
from edgeclients.store.limits import StoreLimits
from edgeclients.store.postgres import journal
from edgeclients.store.postgres.connect import Statements
from edgeclients.store.postgres.relay import note_dropped
from edgeclients.store.postgres.rows import NOW
from edgeclients.store.rows import happened_at, keep_time
from edgeclients.store.surplus import Surplus
from edgeclients.times import SECOND

# Other processes look back a minute for revocations; ten leaves room for a stalled one.
_KEEP_REVOCATIONS = 600 * SECOND

_KEPT = keep_time("$8::bigint", "$9::boolean", "$10::boolean", greatest="greatest")

_SETTLE = f"""
WITH state AS (
    UPDATE store_state SET
        revision = revision + cardinality($2::text[]),
        {_KEPT},
        outbox_seq = outbox_seq + cardinality($3::text[]),
        outbox_rows = outbox_rows + cardinality($3::text[]),
        outbox_bytes = outbox_bytes + $7,
        journal_rows = journal_rows + $11, journal_bytes = journal_bytes + $12,
        journal_short_rows = journal_short_rows + $13, journal_short_bytes = journal_short_bytes + $14
    WHERE id = 1
    RETURNING revision - cardinality($2::text[]) AS revision, outbox_seq - cardinality($3::text[]) AS seq,
        newest_at, steady_since, outbox_rows, outbox_bytes, outbox_lost_through,
        journal_rows, journal_bytes, journal_short_rows, journal_short_bytes
), revoked AS (
    INSERT INTO revocations (revision, client_id, at)
    SELECT state.revision + one.n, one.client_id, $1 FROM state, unnest($2::text[]) WITH ORDINALITY AS one (client_id, n)
), appended AS (
    INSERT INTO outbox (seq, stream, client_id, payload, occurred_at)
    SELECT state.seq + one.n, one.stream, one.client_id, one.payload, one.at FROM state,
        unnest($3::text[], $4::text[], $5::bytea[], $6::bigint[]) WITH ORDINALITY AS one (stream, client_id, payload, at, n)
)
SELECT revision, newest_at, steady_since, outbox_rows, outbox_bytes, outbox_lost_through, {NOW},
    journal_rows, journal_bytes, journal_short_rows, journal_short_bytes
FROM state
"""

# Bounds at both ends, and a literal LIMIT: so a generic plan uses the primary key, too.
OLDEST = "SELECT seq, length(payload) FROM outbox WHERE seq > $1 ORDER BY seq LIMIT 200"
DROP = "DELETE FROM outbox WHERE seq > $1 AND seq <= $2"

_DROPPED = """
UPDATE store_state SET
    outbox_rows = outbox_rows - $1, outbox_bytes = outbox_bytes - $2, outbox_lost = outbox_lost + $1, outbox_lost_through = $3
WHERE id = 1
"""


class Settled(NamedTuple):
    """The outcome of a commit: each revoked client with its revision, the stored time, and the server's time."""

    revoked: tuple[tuple[str, int], ...]
    time: StoredTime
    server_time: int


class Unsettled(Protocol):
    """What a transaction, begun at `now`, leaves to its end; `recorded` is what it has added to each ring of the journal."""

    now: int
    revoked: list[str]
    events: list[Event]
    recorded: list[Content]


async def settle(
    connection: Statements, unit: Unsettled, clock: Reading, limits: StoreLimits, ages: Ages, cutoff: int
) -> Settled:
    """Write revocations and events with their numbers, and trim outbox and journal. The caller then commits.

    Args:
        connection: of the transaction.
        unit: the transaction.
        clock: the reading to store.
        limits: how much is kept.
        ages: of the journal's entries.
        cutoff: the time by which the age of entries is judged; 0: it is not.
    """
    now, revoked, events = unit.now, unit.revoked, unit.events
    row = await connection.fetchrow(
        _SETTLE,
        now,
        revoked,
        [event.stream for event in events],
        [event.client_id for event in events],
        [event.payload for event in events],
        [happened_at(event, now) for event in events],
        sum(len(event.payload) for event in events),
        *clock,
        *(number for one in unit.recorded for number in one),
    )
    if row is None:
        raise RuntimeError("store_state has lost its row")
    revision, newest_at, steady_since, rows, payload_bytes, lost_through, server_time, *others = row
    if revoked:
        await connection.execute("DELETE FROM revocations WHERE at < $1", now - _KEEP_REVOCATIONS)
    bounds = limits.outbox
    if events and (rows > bounds.rows or payload_bytes > bounds.payload_bytes):
        await _trim(connection, Surplus(rows, payload_bytes, bounds), lost_through)
    if any(map(any, unit.recorded)):
        held = [Content(*others[0:2]), Content(*others[2:4])]
        await journal.trim(connection, held, limits.journal, ages, cutoff)
    return Settled(
        tuple((client_id, revision + n) for n, client_id in enumerate(revoked, 1)),
        StoredTime(newest_at, steady_since),
        server_time,
    )


async def _trim(connection: Statements, surplus: Surplus, through: int) -> None:
    """Drop the oldest events after number `through`; all up to that one were dropped before."""
    while surplus.remains:
        if not surplus.take(await connection.fetch(OLDEST, through)):
            break
        await connection.execute(DROP, through, surplus.last)
        through = surplus.last
    if surplus.rows:
        await connection.execute(_DROPPED, surplus.rows, surplus.payload_bytes, surplus.last)
        await note_dropped(connection, surplus.gap())
