"""A circuit: a service that failed again and again is left alone for a while, then tried with one call."""

import time
from collections.abc import Callable

FAILURES = 5  # in a row: then it is open
_SHORTEST, _LONGEST = 1.0, 30.0  # seconds it stays so; each trial that fails doubles them


class Circuit:
    """Whether a service is worth asking. Not for several threads.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = 0.0
        self._opened_at = 0.0
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether the service counts as away."""
        return self._failures >= FAILURES

    def wait(self) -> float:
        """Seconds until it may be asked; 0 is now."""
        if not self.is_open:
            return 0.0
        if self._trying:
            return _SHORTEST
        return max(0.0, self._opened_at + self._pause - self._clock())

    def begin(self) -> bool:
        """Note that it is being asked; each is followed by `succeeded`, `failed` or `gave_up` with what this returned.

        Returns:
            Whether this is the trial on which an open circuit depends.
        """
        if not self.is_open:
            return False
        self._trying = True
        return True

    def succeeded(self, *, trial: bool) -> None:
        """It answered. Calls from before the circuit opened do not close it: they may have waited for long."""
        if trial or not self.is_open:
            self._trying = False
            self._failures, self._pause = 0, 0.0

    def failed(self, *, trial: bool) -> bool:
        """It did not answer.

        Returns:
            Whether that opened the circuit, or opened it again.
        """
        if self.is_open and not trial:
            return False
        self._trying = False
        self._failures += 1
        if not self.is_open:
            return False
        self._opened_at = self._clock()
        self._pause = min(_LONGEST, self._pause * 2 or _SHORTEST)
        return True

    def gave_up(self, *, trial: bool) -> None:
        """Whoever asked no longer waits for an answer, which says nothing of the service."""
        if trial:
            self._trying = False
