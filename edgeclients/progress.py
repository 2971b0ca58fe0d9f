"""The progress of long work, for callers who must distinguish slow work from stuck work."""

import time
from collections.abc import Callable


class Progress:
    """The pieces of work in progress, and when the last step of any of them was made. Any thread may report steps.

    Args:
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._running = 0
        self._stepped_at = clock()
        self._seen: object = None
        self.on_step: Callable[[], None] | None = None
        """Called at each step, in the thread that makes it."""
        self.counter: Callable[[], object] | None = None
        """Counts steps that nobody reports, such as pages; a new value is a step. `is_stuck` reads it."""

    def begin(self) -> None:
        """Report that a piece of work begins."""
        self._running += 1
        self.step()

    def end(self) -> None:
        """Report that a piece of work has ended, whatever its outcome."""
        self._running -= 1
        self.step()

    def step(self) -> None:
        """Report a statement, a page or a row."""
        self._stepped_at = self._clock()
        if self.on_step is not None:
            self.on_step()

    def is_stuck(self, seconds: float) -> bool:
        """Whether work is in progress and has made no step for so long."""
        if not self._running:
            return False
        if self.counter is not None and (count := self.counter()) != self._seen:
            self._seen = count
            self.step()
        return self._clock() - self._stepped_at > seconds
