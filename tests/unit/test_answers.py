"""AnswerCache of others are kept for 5 seconds, from when they were asked for."""

import asyncio

from edgeclients.auth.answers import AnswerCache
from tests.unit.test_circuit import Clock


class Oracle:
    """Counts what it is asked, and answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.free = asyncio.Event()
        self.free.set()

    async def ask(self, question: int) -> int:
        self.asked.append(question)
        answer = len(self.asked)
        await self.free.wait()
        return answer


async def test_an_answer_is_kept_for_five_seconds() -> None:
    clock, oracle = Clock(), Oracle()
    answers = AnswerCache(oracle.ask, clock)
    assert [await answers.get(1), await answers.get(2), await answers.get(1)] == [1, 2, 1]
    clock.now = 4.9
    assert await answers.get(1) == 1
    clock.now = 5.0
    assert await answers.get(1) == 3


async def test_the_time_it_took_counts() -> None:
    clock, oracle = Clock(), Oracle()
    answers = AnswerCache(oracle.ask, clock)
    oracle.free.clear()
    slow = asyncio.ensure_future(answers.get(1))
    await asyncio.sleep(0)
    clock.now = 4.0
    oracle.free.set()
    assert await slow == 1
    clock.now = 5.0
    assert await answers.get(1) == 2


async def test_what_is_forgotten_is_asked_anew_and_so_is_what_was_under_way() -> None:
    oracle = Oracle()
    answers = AnswerCache(oracle.ask, Clock())
    await answers.get(1)
    oracle.free.clear()
    under_way = asyncio.ensure_future(answers.get(2))
    await asyncio.sleep(0)
    answers.forget()
    oracle.free.set()
    assert await under_way == 2
    assert [await answers.get(1), await answers.get(2), await answers.get(2)] == [3, 4, 4]


async def test_it_does_not_grow_without_bound() -> None:
    oracle = Oracle()
    answers = AnswerCache(oracle.ask, Clock())
    for question in range(10_001):
        await answers.get(question)
    await answers.get(0)
    assert len(oracle.asked) == 10_002
