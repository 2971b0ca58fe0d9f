"""Token buckets: a burst of failures at once, then so many a second."""

import math
import time
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from cachetools import LRUCache

K = TypeVar("K", bound=Hashable)


class _Level(NamedTuple):
    left: float
    at: float


class TokenBuckets(Generic[K]):
    """A token bucket for each key; an unknown or forgotten key has a full one.

    Args:
        burst: failures allowed at once.
        per_second: the refill rate.
        keys: how many keys are remembered; the least recently used is evicted.
        clock: monotonic seconds.
    """

    def __init__(self, burst: float, per_second: float, keys: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._levels: LRUCache[K, _Level] = LRUCache(keys)

    def wait(self, key: K) -> float:
        """Seconds until `key` may fail again; 0 for now."""
        return max(0.0, 1 - self._left(key)) / self._per_second

    def take(self, key: K) -> None:
        """Count one failure of `key`, even if its bucket is empty."""
        self._levels[key] = _Level(max(0.0, self._left(key) - 1), self._clock())

    def give_back(self, key: K) -> None:
        """Take back one counted failure."""
        if key in self._levels:
            self._levels[key] = _Level(min(self._burst, self._left(key) + 1), self._clock())

    def _left(self, key: K) -> float:
        level = self._levels.get(key)
        if level is None:
            return self._burst
        return min(self._burst, level.left + (self._clock() - level.at) * self._per_second)


def whole_seconds(wait: float) -> int:
    """A waiting time for a caller in whole seconds: at least one."""
    return max(1, math.ceil(wait))
