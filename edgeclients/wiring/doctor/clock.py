"""Whether a clock can be right (edgeclients/DECISIONS.md#clock)."""

from edgeclients.model import rfc3339
from edgeclients.store.clock import StoredTime
from edgeclients.times import MINUTE, RELEASED_AT, SECOND
from edgeclients.wiring.doctor.check import Check

_ADVICE = "set the clock, and have it synchronised"


def clock(stored: StoredTime, at: int) -> Check:
    """Whether the clock that decides about expiry, and shows `at`, agrees with what is stored."""
    if at < RELEASED_AT:
        return Check.warning("clock", f"the clock shows {rfc3339(max(0, at))}, before this version was released", _ADVICE)
    if at < stored.newest_at - MINUTE:
        behind = (stored.newest_at - at) // SECOND
        return Check.warning("clock", f"the clock is {behind} seconds behind the newest change, or was ahead then", _ADVICE)
    return Check.ok("clock", f"the clock shows {rfc3339(at)}")
