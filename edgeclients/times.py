"""Times are whole microseconds since 1970 UTC, lengths of time are whole microseconds."""

from datetime import UTC, datetime
from typing import Final

from edgeclients import RELEASED

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 86_400 * SECOND

RELEASED_AT: Final = int(datetime.fromisoformat(RELEASED).replace(tzinfo=UTC).timestamp()) * SECOND


def ends_at(made_at: int, expires_at: int, now: int) -> int:
    """When a credential that is used now ends.

    One that was made more than a day ahead of the clock was made while the clock was wrong: its lifetime counts from its
    first use, which is now.
    """
    return now + expires_at - made_at if made_at > now + DAY else expires_at
