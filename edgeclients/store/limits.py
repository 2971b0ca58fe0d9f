"""How much a store holds and how long it works for one caller."""

from typing import NamedTuple

from edgeclients.times import DAY


class OutboxBounds(NamedTuple):
    """How much the outbox keeps; the oldest events beyond that are dropped, and counted as lost."""

    rows: int
    payload_bytes: int


class JournalBounds(NamedTuple):
    """How much a ring of the journal keeps, and for how long; the oldest entries beyond that are dropped."""

    rows: int
    bytes: int
    microseconds: int


class StoreLimits(NamedTuple):
    """How much the store holds and how long it works for one caller."""

    outbox: OutboxBounds = OutboxBounds(rows=100_000, payload_bytes=64 * 1024 * 1024)
    waiting_writes: int = 1024
    query_seconds: float = 5.0
    activity_seconds: float = 900.0
    waiting_reads: int = 4096
    """On PostgreSQL: brokers that come back ask for all their clients at once."""
    journal: tuple[JournalBounds, ...] = (
        JournalBounds(rows=10_000, bytes=8 * 1024 * 1024, microseconds=90 * DAY),
        JournalBounds(rows=100_000, bytes=8 * 1024 * 1024, microseconds=90 * DAY),
    )
    """By ring."""
