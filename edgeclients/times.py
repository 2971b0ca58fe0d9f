"""Times are whole microseconds since 1970 UTC, lengths of time are whole microseconds."""

from datetime import UTC, datetime
from typing import Final

from edgeclients import RELEASED

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 86_400 * SECOND

RELEASED_AT: Final = int(datetime.fromisoformat(RELEASED).replace(tzinfo=UTC).timestamp()) * SECOND


# No edgeclients is older: a time before this was told by a wrong clock, whatever the program's version.
FIRST: Final = 1_767_225_600 * SECOND  # 2026-01-01


def ends_at(made_at: int, expires_at: int, counted_from: int | None, now: int) -> int:
    """When a credential ends that is looked at now.

    One made more than a day ahead of the clock, or before there was this program, was made by a wrong clock: its lifetime
    counts from its first use, which is now unless there was one. The clock may as well be wrong now, and the time it was made
    right: that is not lost, and counts when the clock is right again.

    Args:
        made_at: when that was.
        expires_at: when it was to end.
        counted_from: when it was first used as one made by a wrong clock.
        now: the time.
    """
    if is_told_right(made_at, now):
        return expires_at
    first = now if counted_from is None or not is_told_right(counted_from, now) else counted_from
    return first + expires_at - made_at


def is_told_right(at: int, now: int) -> bool:
    """Whether a clock can have been right that said `at` in the past."""
    return FIRST <= at <= now + DAY
