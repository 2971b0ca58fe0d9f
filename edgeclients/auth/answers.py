"""Caches answers of other services for a moment: a page of a list asks the same questions as the page before."""

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
    """Caches answers for 5 seconds, counted from the time of the question.

    Args:
        ask: asks the service.
        clock: monotonic seconds.
    """

    def __init__(self, ask: Callable[[K], Awaitable[V]], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._answers: TLRUCache[K, _Answer] = TLRUCache(_MOST, _until, clock)
        self._generation = 0

    async def get(self, question: K) -> V:
        """The answer, cached or new; raises what asking raises."""
        cached = self._answers.get(question)
        if cached is not None:
            return cached.answer  # type: ignore[return-value] # one type for each cache
        generation, until = self._generation, self._clock() + SECONDS
        answer = await self._ask(question)
        if generation == self._generation:
            self._answers[question] = _Answer(answer, until)
        return answer

    def forget(self) -> None:
        """Drop all answers, and do not cache those to questions in progress."""
        self._generation += 1
        self._answers.clear()


def _until(_: object, cached: _Answer, __: float) -> float:
    return cached.until
