"""A circuit breaker: a service that failed repeatedly is not called for a while, then tried with one call."""

import time
from collections.abc import Callable

FAILURES = 5  # in a row: then the circuit opens
_SHORTEST, _LONGEST = 1.0, 30.0  # seconds it stays open; each failed trial doubles them


class Circuit:
    """Decides whether a service is called. Not thread-safe.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = 0.0
        self._opened_at = 0.0
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether the service counts as unavailable."""
        return self._failures >= FAILURES

    def wait(self) -> float:
        """Seconds until the service may be called; 0 for now."""
        if not self.is_open:
            return 0.0
        if self._trying:
            return _SHORTEST
        return max(0.0, self._opened_at + self._pause - self._clock())

    def begin(self) -> bool:
        """Record the start of a call; follow it by `succeeded`, `failed` or `gave_up` with the returned value.

        Returns:
            Whether this call is the trial of an open circuit.
        """
        if not self.is_open:
            return False
        self._trying = True
        return True

    def succeeded(self, *, trial: bool) -> None:
        """Record an answer. Calls from before the circuit opened do not close it: they may have waited for long."""
        if trial or not self.is_open:
            self._trying = False
            self._failures, self._pause = 0, 0.0

    def failed(self, *, trial: bool) -> bool:
        """Record a failure.

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
        """Record that the caller stopped waiting, which says nothing about the service."""
        if trial:
            self._trying = False
