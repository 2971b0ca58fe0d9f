"""A clock that tests set, in the place of a host's or a database server's."""

import time

SECOND = 1_000_000
DAY = 86_400 * SECOND
YEAR = 365 * DAY


class SetClock:
    """`store.clock.TimeSource`: the right time until it is moved."""

    def __init__(self) -> None:
        self._ahead = 0

    def now(self) -> int:
        return self.now_ns() // 1000

    def now_ns(self) -> int:
        return time.time_ns() + self._ahead * 1000

    def difference(self) -> int:
        return 0

    def move(self, by: int) -> None:
        """Set it forward, or back."""
        self._ahead += by

    def show(self, at: int) -> None:
        """Set it to a time; it goes on from there."""
        self._ahead = at - time.time_ns() // 1000
