"""The stream entries of events (schema/README.md#event-streams, the row of Redis): a stream's key and JSON.

An event's own fields are followed by `occurred_at` (nanoseconds since 1970 UTC), `sequence` (ascending in one store) and
`event_id`. The `event_id` is the same each time an event is sent. It is unique even if a store is restored to an older
state and counts again from there.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from edgeclients.model import Event, Gap

PREFIX = "events.magistrala."
GAP = "client.gap"


class Entry(NamedTuple):
    """One entry of a stream."""

    key: str
    data: bytes


def entry(store_id: str, sequence: int, event: Event) -> Entry:
    """The entry of one event."""
    tail = f',"occurred_at":{event.occurred_at},"sequence":{sequence},"event_id":"{store_id}-{sequence}-{event.occurred_at}"}}'
    return Entry(PREFIX + event.stream, event.payload[:-1] + tail.encode())


def markers(store_id: str, gap: Gap, streams: Sequence[str], now: int) -> list[Entry]:
    """An entry for each of `streams`, in the place of the missing events: that events may be missing there."""
    data = msgspec.json.encode(
        {
            "operation": GAP,
            "count": gap.count,
            "from": gap.first,
            "to": gap.last,
            "occurred_at": now,
            "sequence": gap.last,
            "event_id": f"{store_id}-{gap.first}-{gap.last}-gap",
        }
    )
    return [Entry(PREFIX + stream, data) for stream in streams]
