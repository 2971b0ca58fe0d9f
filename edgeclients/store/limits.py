"""How much a store holds and how long it works for one caller."""

from typing import NamedTuple


class OutboxBounds(NamedTuple):
    """How much the outbox keeps; the oldest events beyond that are dropped, and counted as lost."""

    rows: int
    payload_bytes: int


class StoreLimits(NamedTuple):
    """How much the store holds and how long it works for one caller."""

    outbox: OutboxBounds = OutboxBounds(rows=100_000, payload_bytes=64 * 1024 * 1024)
    waiting_writes: int = 1024
    query_seconds: float = 5.0
    activity_seconds: float = 900.0
