"""AnswerCache of others, kept for a moment: a page of a list asks the same questions as the page before."""

import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from cachetools import TLRUCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

SECONDS = 5.0
_MOST = 10_000


class _Answer(NamedTuple):
    answer: object
    until: float


class AnswerCache(Generic[K, V]):
    """Asks, unless the answer is known and not 5 seconds old; counted from when it was asked for.

    Args:
        ask: who knows.
        clock: seconds that never go back.
    """

    def __init__(self, ask: Callable[[K], Awaitable[V]], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._kept: TLRUCache[K, _Answer] = TLRUCache(_MOST, _until, clock)
        self._generation = 0

    async def get(self, question: K) -> V:
        """The answer; whatever asking raises."""
        kept = self._kept.get(question)
        if kept is not None:
            return kept.answer  # type: ignore[return-value]
        generation, until = self._generation, self._clock() + SECONDS
        answer = await self._ask(question)
        if generation == self._generation:
            self._kept[question] = _Answer(answer, until)
        return answer

    def forget(self) -> None:
        """Ask anew from here on; what is being asked now is not kept either."""
        self._generation += 1
        self._kept.clear()


def _until(_: object, kept: _Answer, __: float) -> float:
    return kept.until
