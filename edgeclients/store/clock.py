"""The time of rows and of expiry: the clock's, unless the clock is evidently wrong.

Gateways boot in 1970, and a clock may once run years ahead. Neither may do permanent damage. So the newest time stored
replaces a clock that reads earlier than the program's release, and no other.
"""

import logging
import time
from typing import NamedTuple, Protocol

from typing_extensions import override

from edgeclients.model import rfc3339
from edgeclients.times import DAY, MINUTE, RELEASED_AT, SECOND

_log = logging.getLogger(__name__)


class TimeSource(Protocol):
    """A clock, uncorrected."""

    def now_ns(self) -> int:
        """Its reading, in nanoseconds since 1970 UTC."""

    def difference(self) -> int:
        """Microseconds by which this host's clock is ahead of it."""


class SystemTime(TimeSource):
    """This host's clock."""

    now_ns = staticmethod(time.time_ns)  # read for every authentication: one call less

    @override
    def difference(self) -> int:
        return 0


class ServerTime(TimeSource):
    """A server's clock, estimated from its answers and the time passed on this host; this host's clock until the first one."""

    def __init__(self) -> None:
        self._ahead: int | None = None  # nanoseconds, of the time since this host booted

    def observe(self, at: int, asked: int) -> None:
        """Take in the server's time `at`, which answers a query sent at `asked` (`ticks`)."""
        earliest, latest = at * 1000 - ticks(), at * 1000 - asked
        # Each answer bounds it from both sides: the estimate moves only as far as needed, however late an answer is read.
        self._ahead = earliest if self._ahead is None else min(max(self._ahead, earliest), latest)

    @override
    def now_ns(self) -> int:
        ahead = self._ahead
        return time.time_ns() if ahead is None else time.clock_gettime_ns(time.CLOCK_BOOTTIME) + ahead

    @override
    def difference(self) -> int:
        return (time.time_ns() - self.now_ns()) // 1000


class StoredTime(NamedTuple):
    """The time state that a store keeps.

    `newest_at` is the time of the newest change under a plausible clock (0: none), `steady_since` when the clock was last
    found more than a day from the expected time (0: never).
    """

    newest_at: int = 0
    steady_since: int = 0


class Reading(NamedTuple):
    """A clock's reading for a commit; whether it is plausible, and whether it is more than a day from the expected time."""

    at: int
    plausible: bool
    jumped: bool


class _Deviation(NamedTuple):
    """A difference between the clock and the expected time."""

    kind: str
    difference: int
    found_at: int  # ticks


_NONE = _Deviation("", 0, 0)

_MESSAGES = {
    "wrong": "the clock is wrong, it reads a time before this program's release: the newest time stored replaces it",
    "behind": "the clock is behind the newest change: it is wrong now, or was when that change was made",
    "ahead": "the clock was set forward: it is wrong now, or was before",
    "idle": "the clock is more than a day ahead of the newest change: none was made for so long, or the clock is wrong",
    "host": "this host's clock differs from the database server's clock, which is used",
}


class Clock:
    """The time of one store. Any thread may read it.

    Args:
        stored: the time state that the store has.
        source: the clock.
    """

    def __init__(self, stored: StoredTime, source: TimeSource) -> None:
        self._source = source
        self._now_ns = source.now_ns
        self._stored = (stored, ticks())  # one tuple, so that threads see it whole; with the ticks of that newest time
        self._confirmed = False  # whether this process has made a change: before, it is unknown how long there was none
        self._deviation = _NONE
        self._logged: set[str] = set()

    def now(self) -> int:
        """The clock's time if that is plausible, else the newest time stored plus the time passed since."""
        at = self._now_ns() // 1000
        return at if at >= RELEASED_AT else max(at, self._expected())

    def purge_cutoff(self) -> int:
        """Credentials that expired by then may be deleted; 0 while the clock is in doubt, and for a day after that."""
        at, stored = self._read(), self._stored[0]
        steady = at >= RELEASED_AT and not self._jumped(at) and stored.steady_since < at - DAY
        return at if steady else 0

    def reading(self) -> Reading:
        """The clock's reading, for a commit; logs a difference."""
        at = self._read()
        self._check(at)
        return Reading(at, at >= RELEASED_AT, self._jumped(at))

    def committed(self, stored: StoredTime) -> None:
        """Take over what a commit has stored."""
        before, since = self._stored
        same = stored.newest_at == before.newest_at
        self._stored = (stored, since if same else ticks())
        self._confirmed = self._confirmed or not same

    def difference(self) -> float:
        """Seconds by which the clock is ahead of the expected time, or was within the last day; 0 for up to a minute.

        Where a server's clock is used, this host's clock is compared with it as well.
        """
        self._check(self._read())
        of_host = self._source.difference()
        if abs(of_host) > MINUTE:
            self._log_once("host", of_host)
            return of_host / SECOND
        self._logged.discard("host")
        return self._deviation.difference / SECOND

    def _check(self, at: int) -> None:
        """Record a difference, or drop one that is a day old."""
        difference = at - self._expected() if self._stored[0].newest_at else 0
        if at < RELEASED_AT:
            self._record("wrong", min(difference, at - RELEASED_AT))
        elif difference < -MINUTE:
            self._record("behind", difference)
        elif difference > (MINUTE if self._confirmed else DAY):
            self._record("ahead" if self._confirmed else "idle", difference)
        else:
            self._logged &= {"host"}
            if self._deviation.kind == "wrong" or ticks() - self._deviation.found_at > DAY * 1000:
                self._deviation = _NONE

    def _record(self, kind: str, difference: int) -> None:
        self._deviation = _Deviation(kind, difference, ticks())
        self._log_once(kind, difference)

    def _log_once(self, kind: str, difference: int) -> None:
        if kind not in self._logged:
            self._logged.add(kind)
            clock = rfc3339(max(0, self._read()))
            _log.warning(_MESSAGES[kind], extra={"clock": clock, "difference_seconds": round(difference / SECOND)})

    def _read(self) -> int:
        return self._now_ns() // 1000

    def _jumped(self, at: int) -> bool:
        return bool(self._stored[0].newest_at) and abs(at - self._expected()) > DAY

    def _expected(self) -> int:
        stored, since = self._stored
        return stored.newest_at + (ticks() - since) // 1000


def ticks() -> int:
    """Nanoseconds since this host booted, suspended or not, independent of the setting of its clock."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
