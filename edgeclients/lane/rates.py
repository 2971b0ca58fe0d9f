"""Counts what a connection does in a second."""

from collections.abc import Callable

from edgeclients.lane.frames import Code, ConnectionFault
from edgeclients.lane.limits import Limits


class Rates:
    """Counts frames that cost the server something and the peer nothing.

    Args:
        limits: how many there may be in a second.
        now: the time.
    """

    __slots__ = ("_counts", "_limits", "_now", "_second")

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        self._limits = limits._asdict()
        self._now = now
        self._second = 0
        self._counts: dict[str, int] = {}

    def count(self, what: str) -> None:
        """Count one.

        Raises:
            ConnectionFault: there are too many.
        """
        second = int(self._now())
        if second != self._second:
            self._second = second
            self._counts.clear()
        count = self._counts[what] = self._counts.get(what, 0) + 1
        if count > self._limits[what]:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, f"too many {what.replace('_', ' ')}")
