"""How far the stream is behind."""

from edgeclients.model import OutboxState
from edgeclients.wiring.doctor.check import Check

_LATE_SECONDS = 900


def lag(state: OutboxState, now: int, *, has_stream: bool) -> Check:
    """Whether events wait for long, or were dropped.

    Args:
        state: of the outbox.
        now: nanoseconds since 1970.
        has_stream: whether somebody is to get the events.
    """
    if not has_stream:
        return Check.ok("outbox", "no stream is set, so no events are kept")
    advice = "see that the Redis server of MG_CLIENTS_ES_URL is there and accepts this service"
    oldest = 0 if state.oldest_at is None else max(0, now - state.oldest_at) // 1_000_000_000
    if oldest > _LATE_SECONDS:
        return Check.warning("outbox", f"{state.waiting} events wait, the oldest for {oldest} seconds", advice)
    if state.gap is not None:
        return Check.warning("outbox", f"{state.gap.count} events were dropped, and the stream does not know it yet", advice)
    return Check.ok("outbox", f"{state.waiting} events wait")
