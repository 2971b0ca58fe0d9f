"""What has to leave an outbox that is past its bounds: the oldest events, and a few more than must.

Those few are the room for the next ones: so most changes find some, and the cost of making it is shared by many.
"""

from collections.abc import Iterable

from edgeclients.model import Gap
from edgeclients.store.limits import OutboxBounds

_ROOM = 2000  # one part in so many of a bound; none where that is less than one


class Surplus:
    """Counts what leaves.

    Args:
        rows: how many events there are.
        payload_bytes: how long all of them are.
        bounds: what there may be.
    """

    def __init__(self, rows: int, payload_bytes: int, bounds: OutboxBounds) -> None:
        self.rows = self.payload_bytes = self._first = self.last = 0
        self._most_rows = bounds.rows - bounds.rows // _ROOM
        self._most_bytes = bounds.payload_bytes - bounds.payload_bytes // _ROOM
        self._there = OutboxBounds(rows, payload_bytes)

    @property
    def remains(self) -> bool:
        """Whether more has to leave."""
        rows, payload_bytes = self._there
        return rows - self.rows > self._most_rows or payload_bytes - self.payload_bytes > self._most_bytes

    def take(self, oldest: Iterable[tuple[int, int]]) -> int:
        """Count of `oldest`, numbers and lengths in ascending order, those that leave; how many there were."""
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
        """What is missing then."""
        return Gap(self.rows, self._first, self.last)
