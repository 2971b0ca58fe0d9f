"""Counts what a connection does in a second."""

from collections.abc import Callable
from typing import Final

from edgeclients.lane.frames import Code, ConnectionFault
from edgeclients.lane.limits import Limits

_EARNED: Final = 4  # further frames for each part of a call: clients send pings and windows with almost every answer


class Rates:
    """Counts frames that cost the server something and the peer nothing.

    Args:
        limits: how many there may be in a second.
        now: the time.
        progress: how many parts of calls there have been.
    """

    __slots__ = ("_before", "_counts", "_limits", "_now", "_progress", "_second")

    def __init__(self, limits: Limits, now: Callable[[], float], progress: Callable[[], int]) -> None:
        self._limits = limits._asdict()
        self._now = now
        self._progress = progress
        self._second = self._before = 0
        self._counts: dict[str, int] = {}

    def count(self, what: str) -> None:
        """Count one.

        Raises:
            ConnectionFault: there are too many.
        """
        count = self._counted(what)
        if count > self._limits[what]:
            raise _too_many(what)

    def count_beside_calls(self, what: str) -> None:
        """Count one of those that accompany calls: what there is of calls allows for more of them.

        Raises:
            ConnectionFault: there are too many.
        """
        count = self._counted(what)
        if count > self._limits[what] and count > self._limits[what] + _EARNED * (self._progress() - self._before):
            raise _too_many(what)

    def _counted(self, what: str) -> int:
        second = int(self._now())
        if second != self._second:
            self._second, self._before = second, self._progress()
            self._counts.clear()
        count = self._counts[what] = self._counts.get(what, 0) + 1
        return count


def _too_many(what: str) -> ConnectionFault:
    return ConnectionFault(Code.ENHANCE_YOUR_CALM, f"too many {what.replace('_', ' ')}")
