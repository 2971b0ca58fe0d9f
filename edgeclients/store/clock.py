"""The time that counts for rows and for expiry: the clock's, unless that is evidently wrong.

Gateways boot in 1970, and a clock may once run ahead by years. Neither may spoil anything for good: so the newest time stored
stands in for a clock that says a day before the program's release, and for no other.
"""

import logging
import time
from typing import NamedTuple, Protocol

from typing_extensions import override

from edgeclients.model import rfc3339
from edgeclients.times import DAY, MINUTE, RELEASED_AT, SECOND

_log = logging.getLogger(__name__)


class TimeSource(Protocol):
    """A clock as it is, right or wrong."""

    def now_ns(self) -> int:
        """What it says, in nanoseconds since 1970 UTC."""

    def difference(self) -> int:
        """Microseconds by which this host's clock is ahead of it."""


class SystemTime(TimeSource):
    """This host's clock."""

    now_ns = staticmethod(time.time_ns)  # asked for every client that proves itself: one call less

    @override
    def difference(self) -> int:
        return 0


class ServerTime(TimeSource):
    """The clock of a server, from what it said last and the time that has passed here since; this host's until it is heard."""

    def __init__(self) -> None:
        self._ahead: int | None = None  # nanoseconds, of the time since this host was booted

    def heard(self, at: int, asked: int) -> None:
        """The server said `at`, in answer to what was asked at `asked` (`ticks`)."""
        earliest, latest = at * 1000 - ticks(), at * 1000 - asked
        # Each answer bounds it from both sides: the estimate moves no further than it must, however late one is read.
        self._ahead = earliest if self._ahead is None else min(max(self._ahead, earliest), latest)

    @override
    def now_ns(self) -> int:
        ahead = self._ahead
        return time.time_ns() if ahead is None else time.clock_gettime_ns(time.CLOCK_BOOTTIME) + ahead

    @override
    def difference(self) -> int:
        return (time.time_ns() - self.now_ns()) // 1000


class KeptTime(NamedTuple):
    """What a store keeps of time.

    `newest_at` is that of the newest change under a clock that was not evidently wrong (0: there was none), `steady_since`
    when the clock was last found more than a day from where it should be (0: never).
    """

    newest_at: int = 0
    steady_since: int = 0


class Reading(NamedTuple):
    """What a clock says, for a commit: whether that can be, and whether it is more than a day from what was expected."""

    at: int
    plausible: bool
    jumped: bool


class _Found(NamedTuple):
    """A difference between the clock and what it should say."""

    kind: str
    difference: int
    found: int  # ticks


_NONE = _Found("", 0, 0)

_TOLD = {
    "wrong": "the clock is wrong, it says a time before this program was made: the newest time stored stands in for it",
    "behind": "the clock is behind the newest change: it is wrong now, or was when that was made",
    "ahead": "the clock was set forward: it is wrong now, or was before",
    "away": "the clock is more than a day ahead of the newest change: none was made for so long, or it is wrong",
    "host": "this host's clock differs from the database server's, which counts",
}


class Clock:
    """Time for one store. Read in any thread.

    Args:
        kept: what the store has of it.
        source: the clock.
    """

    def __init__(self, kept: KeptTime, source: TimeSource) -> None:
        self._source = source
        self._now_ns = source.now_ns
        self._kept = (kept, ticks())  # one value, so that two threads see it whole; with when that newest time was
        self._confirmed = False  # whether a change was made here: before that, nobody knows for how long none was
        self._found = _NONE
        self._told: set[str] = set()

    def now(self) -> int:
        """The clock if it can be right, else the newest time stored and what has passed since that was known."""
        at = self._now_ns() // 1000
        return at if at >= RELEASED_AT else max(at, self._expected())

    def forgettable(self) -> int:
        """When a credential must have expired to be deleted; 0 while the clock is in doubt, and for a day after that."""
        at, kept = self._read(), self._kept[0]
        steady = at >= RELEASED_AT and not self._jumped(at) and kept.steady_since < at - DAY
        return at if steady else 0

    def reading(self) -> Reading:
        """What the clock says, for a commit; a difference is told in the log."""
        at = self._read()
        self._look(at)
        return Reading(at, at >= RELEASED_AT, self._jumped(at))

    def committed(self, kept: KeptTime) -> None:
        """Note what is stored since a commit."""
        before, since = self._kept
        same = kept.newest_at == before.newest_at
        self._kept = (kept, since if same else ticks())
        self._confirmed = self._confirmed or not same

    def difference(self) -> float:
        """Seconds by which the clock is ahead of what it should say, or was within the last day; 0 for up to a minute.

        Where a server's clock counts, this host's is compared with it as well.
        """
        self._look(self._read())
        of_host = self._source.difference()
        if abs(of_host) > MINUTE:
            self._tell("host", of_host)
            return of_host / SECOND
        self._told.discard("host")
        return self._found.difference / SECOND

    def _look(self, at: int) -> None:
        """Find a difference, or forget one that is a day old."""
        difference = at - self._expected() if self._kept[0].newest_at else 0
        if at < RELEASED_AT:
            self._find("wrong", min(difference, at - RELEASED_AT))
        elif difference < -MINUTE:
            self._find("behind", difference)
        elif difference > (MINUTE if self._confirmed else DAY):
            self._find("ahead" if self._confirmed else "away", difference)
        else:
            self._told &= {"host"}
            if self._found.kind == "wrong" or ticks() - self._found.found > DAY * 1000:
                self._found = _NONE

    def _find(self, kind: str, difference: int) -> None:
        self._found = _Found(kind, difference, ticks())
        self._tell(kind, difference)

    def _tell(self, kind: str, difference: int) -> None:
        if kind not in self._told:
            self._told.add(kind)
            clock = rfc3339(max(0, self._read()))
            _log.warning(_TOLD[kind], extra={"clock": clock, "difference_seconds": round(difference / SECOND)})

    def _read(self) -> int:
        return self._now_ns() // 1000

    def _jumped(self, at: int) -> bool:
        return bool(self._kept[0].newest_at) and abs(at - self._expected()) > DAY

    def _expected(self) -> int:
        kept, since = self._kept
        return kept.newest_at + (ticks() - since) // 1000


def ticks() -> int:
    """Nanoseconds since this host was booted, asleep or not, whatever its clock is set to."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
