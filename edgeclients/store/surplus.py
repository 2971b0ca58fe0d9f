"""Selects the events to drop from an outbox that exceeds its bounds: the oldest, and a few more than necessary.

The additional ones make room for the next events: most changes find room, and many share the cost of making it.
"""

from collections.abc import Iterable

from edgeclients.model import Gap
from edgeclients.store.limits import OutboxBounds

_ROOM = 2000  # the room is a bound divided by this; none if that is less than one


class Surplus:
    """Counts the events to drop.

    Args:
        rows: how many events there are.
        payload_bytes: their total length.
        bounds: the maximum of both.
    """

    def __init__(self, rows: int, payload_bytes: int, bounds: OutboxBounds) -> None:
        self.rows = self.payload_bytes = self._first = self.last = 0
        self._max_rows = bounds.rows - bounds.rows // _ROOM
        self._max_bytes = bounds.payload_bytes - bounds.payload_bytes // _ROOM
        self._total = OutboxBounds(rows, payload_bytes)

    @property
    def remains(self) -> bool:
        """Whether more events have to be dropped."""
        rows, payload_bytes = self._total
        return rows - self.rows > self._max_rows or payload_bytes - self.payload_bytes > self._max_bytes

    def take(self, oldest: Iterable[tuple[int, int]]) -> int:
        """Count those of `oldest` to drop, and return how many; `oldest` is numbers and lengths in ascending order."""
        before = self.rows
        for seq, length in oldest:
            if not self.remains:
                break
            self.rows += 1
            self.payload_bytes += length
            self._first = self._first or seq
            self.last = seq
        return self.rows - before

    def gap(self) -> Gap:
        """The gap that dropping them makes."""
        return Gap(self.rows, self._first, self.last)
