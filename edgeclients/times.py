"""Times are whole microseconds since 1970 UTC, durations are whole microseconds."""

from datetime import UTC, datetime
from typing import Final

from edgeclients import RELEASED

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 86_400 * SECOND

RELEASED_AT: Final = int(datetime.fromisoformat(RELEASED).replace(tzinfo=UTC).timestamp()) * SECOND


# No release is older: a time before this comes from a wrong clock, whatever the program's version.
FIRST: Final = 1_767_225_600 * SECOND  # 2026-01-01


def ends_at(made_at: int, expires_at: int, counted_from: int | None, now: int) -> int:
    """When a credential expires, as judged now.

    A credential created more than a day in the future, or before the first release, was created by a wrong clock. Its
    lifetime counts from its first use, which is now if there was none. If the clock is wrong now instead, nothing is lost:
    the stored times count when it is right again.

    Args:
        made_at: when it was created.
        expires_at: when it was to expire.
        counted_from: its first use since it was found to be created by a wrong clock.
        now: the current time.
    """
    if is_plausible(made_at, now):
        return expires_at
    first = now if counted_from is None or not is_plausible(counted_from, now) else counted_from
    return first + expires_at - made_at


def is_plausible(at: int, now: int) -> bool:
    """Whether a clock that showed `at` in the past can have been right."""
    return FIRST <= at <= now + DAY
