"""Time as a gateway can trust it: its clock may boot in the past."""

import time

MICROSECOND = 1_000_000


class Clock:
    """The system clock, and the later of it and the newest time ever stored.

    Args:
        newest: the newest time stored so far, in microseconds; from here on it advances with the time that passes, so that
            what expires does so even while the system clock stands in the past.
    """

    def __init__(self, newest: int = 0) -> None:
        self._newest = (newest, time.monotonic_ns())  # one value, so that two threads see it whole

    def now(self) -> int:
        """The system clock, in microseconds since 1970 UTC."""
        return time.time_ns() // 1000

    def stored(self, at: int) -> None:
        """Note a time that has been stored: from here on nothing is older."""
        if at > self._advanced():
            self._newest = (at, time.monotonic_ns())

    def latest(self) -> int:
        """What expiry is compared with."""
        return max(self.now(), self._advanced())

    def _advanced(self) -> int:
        newest, since = self._newest
        return newest + (time.monotonic_ns() - since) // 1000
