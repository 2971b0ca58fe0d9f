"""The lane for presented secrets: what is bounded, who comes next, and how guessing is slowed down.

See edgeclients/DECISIONS.md#argon2.
"""

import asyncio
from collections import Counter

import pytest

from edgeclients.core.authn.queue import ALL_FAILURES, WAITING_WHILE_RATIONED, Check, CheckQueue
from edgeclients.core.secrets.pool import Argon2Threads
from edgeclients.core.secrets.recipe import Recipe
from edgeclients.core.token_bucket import TokenBuckets
from edgeclients.errors import CheckRationed, Unavailable
from tests.conformance.harness import KEYRING
from tests.support.lanes import HeldThreads, settle

RECIPE = KEYRING.recipe(KEYRING.argon2, "d1")
MANY = 1000


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def check(secret: str, subject: str = "a") -> Check:
    return Check(subject, RECIPE, secret)


def _asked(lane: CheckQueue, *secrets: str, subject: str = "a") -> list[Check]:
    checks = [check(secret, subject) for secret in secrets]
    for one in checks:
        lane.ask(one)
    return checks


async def test_a_digest_is_the_one_that_is_stored() -> None:
    threads = Argon2Threads(1)
    lane = CheckQueue(threads, 10)
    (one,) = _asked(lane, "open sesame")
    assert await one.future == RECIPE.digest("open sesame")
    threads.close()


@pytest.mark.parametrize("workers", [1, 3])
async def test_no_more_than_the_workers_run(workers: int) -> None:
    threads = HeldThreads(workers)
    lane = CheckQueue(threads, 100, TokenBuckets(MANY, 1.0, 10))
    _asked(lane, *map(str, range(20)))
    while threads.running:
        await threads.let()
    assert (threads.most, len(threads.ran), lane.waiting) == (workers, 20, 0)


async def test_past_the_bound_it_is_said_at_once() -> None:
    threads = HeldThreads()
    lane = CheckQueue(threads, 4)
    for number in range(5):  # one of them runs
        _asked(lane, "x", subject=f"s{number}")
    for subject in ("s1", "somebody else"):
        with pytest.raises(CheckRationed) as refused:
            lane.ask(check("one more", subject))
        assert refused.value.retry_after == 1
    await threads.let()
    lane.ask(check("one more"))


async def test_subjects_take_turns() -> None:
    threads = HeldThreads()
    lane = CheckQueue(threads, 100)
    _asked(lane, *(f"a{n}" for n in range(30)), subject="a")
    _asked(lane, *(f"b{n}" for n in range(3)), subject="b")
    _asked(lane, "c0", subject="c")
    for _ in range(8):
        await threads.let()
    assert Counter(secret[0] for secret in threads.ran[:8]) == Counter(a=4, b=3, c=1)


async def test_of_one_subject_any_may_be_next() -> None:
    """The last to come is not always the last to be served, nor is the first always the first."""
    first, last = 0, 0
    for _ in range(200):
        threads = HeldThreads()
        lane = CheckQueue(threads, 100)
        _asked(lane, "runs", *"abcd")
        await threads.let()
        first += threads.ran[1] == "a"
        last += threads.ran[1] == "d"
    assert 0 < first < 200
    assert 0 < last < 200


async def test_what_is_dropped_while_it_waits_never_runs() -> None:
    threads = HeldThreads()
    lane = CheckQueue(threads, 3)
    runs, waits, _ = _asked(lane, "runs", "waits", "other")
    assert lane.drop(waits)
    assert waits.future.cancelled()
    assert not lane.drop(waits)
    assert not lane.drop(runs)
    assert lane.waiting == 1
    while threads.running:
        await threads.let()
    assert threads.ran == ["runs", "other"]


async def test_failures_are_spaced_out_after_a_few() -> None:
    clock = Clock()
    threads = HeldThreads()
    lane = CheckQueue(threads, MANY, TokenBuckets(3, 4.0, 10, clock))
    _asked(lane, *map(str, range(3 + WAITING_WHILE_RATIONED)))
    await threads.let(3)
    assert threads.running == []
    with pytest.raises(CheckRationed):  # few of such a subject may wait
        lane.ask(check("one more"))
    _asked(lane, "at once", subject="b")  # others are not in its way
    assert threads.ran[3:] == ["at once"]
    await threads.let()
    clock.now += 0.25
    lane._look_again()
    assert len(threads.running) == 1
    await threads.let()
    assert threads.running == []


async def test_a_spaced_out_subject_goes_on_by_itself() -> None:
    threads = HeldThreads()
    lane = CheckQueue(threads, MANY, TokenBuckets(1, 200.0, 10))
    first, second = _asked(lane, "first", "second")
    await threads.let()
    while not threads.running:  # the lane's own timer, in 5 ms
        await asyncio.sleep(0.001)
    await threads.let()
    assert (first.future.done(), second.future.done()) == (True, True)


async def test_a_crowd_is_thinned_out_when_its_guesses_fail() -> None:
    """Who waited before it was known for guessing does not keep the queue full afterwards."""
    threads = HeldThreads()
    lane = CheckQueue(threads, MANY, TokenBuckets(3, 4.0, 10, Clock()))
    crowd = _asked(lane, *map(str, range(100)))
    await threads.let(3)
    assert lane.waiting == WAITING_WHILE_RATIONED
    told = [one.future.exception() for one in crowd if one.future.done()]
    assert sum(isinstance(error, CheckRationed) for error in told) == 100 - 3 - WAITING_WHILE_RATIONED


async def test_in_a_full_queue_a_crowd_makes_room_for_others() -> None:
    threads = HeldThreads()
    lane = CheckQueue(threads, 6)
    crowd = _asked(lane, "runs", *map(str, range(6)))
    others = _asked(lane, "x", "y", "z", subject="b")
    assert lane.waiting == 6
    assert sum(one.future.done() for one in crowd) == 3
    assert not any(one.future.done() for one in others)
    with pytest.raises(CheckRationed):  # as many of either: nobody is turned away for one more
        lane.ask(check("more", "b"))
    with pytest.raises(CheckRationed):
        lane.ask(check("more"))
    for one in crowd:
        one.future.exception() if one.future.done() else None


async def test_guesses_at_many_are_spaced_out_together() -> None:
    """However many clients are guessed at, most of the machine is left to others; who is right costs nothing."""
    threads = HeldThreads()
    lane = CheckQueue(threads, MANY)
    right = [_asked(lane, "right", subject=f"right {number}")[0] for number in range(200)]
    for number, one in enumerate(right):
        one.future.add_done_callback(lambda _, subject=f"right {number}": lane.succeeded(subject))  # type: ignore[misc]
    await threads.let(200)
    for number in range(300):
        _asked(lane, "guess", subject=f"s{number}")
    ran = 0
    while threads.running:
        await threads.let()
        ran += 1
    assert ALL_FAILURES <= ran < 2 * ALL_FAILURES
    assert lane.waiting == 300 - ran


async def test_successes_are_not_counted() -> None:
    """A site whose secrets are right is checked as fast as the machine can."""
    clock = Clock()
    threads = HeldThreads()
    lane = CheckQueue(threads, MANY, TokenBuckets(3, 4.0, 10, clock))
    waiting = _asked(lane, *map(str, range(100)))
    for one in waiting:
        one.future.add_done_callback(lambda _: lane.succeeded("a"))
    while threads.running:
        await threads.let()
    assert len(threads.ran) == 100


async def test_an_error_of_argon2_reaches_who_waits_and_the_lane_goes_on() -> None:
    threads = HeldThreads()
    lane = CheckQueue(threads, 10)
    bad, good = _asked(lane, "bad", "good")
    threads.running.pop(0).future.set_exception(MemoryError())
    await settle()
    with pytest.raises(MemoryError):
        await bad.future
    await threads.let()
    assert good.future.done()


async def test_closed_it_computes_nothing_more() -> None:
    threads = HeldThreads()
    lane = CheckQueue(threads, 10)
    _, waits = _asked(lane, "runs", "waits")
    lane.close()
    assert waits.future.cancelled()
    await threads.let()
    assert threads.ran == ["runs"]


async def test_any_number_of_workers_can_be_busy_with_right_secrets() -> None:
    """Runs that have not ended yet are no failures."""
    threads = HeldThreads(32)
    lane = CheckQueue(threads, MANY)
    waiting = _asked(lane, *map(str, range(100)))
    for one in waiting:
        one.future.add_done_callback(lambda _: lane.succeeded("a"))
    while threads.running:
        await threads.let()
    assert (threads.most, len(threads.ran)) == (32, 100)


async def test_a_thread_that_cannot_be_started_costs_one_check_and_not_the_lane() -> None:
    class Exhausted(HeldThreads):
        left = 2

        def digest(self, recipe: Recipe, secret: str) -> "asyncio.Future[bytes]":
            if self.left:
                self.left -= 1
                raise RuntimeError("can't start new thread")
            return super().digest(recipe, secret)

    threads = Exhausted()
    lane = CheckQueue(threads, 10)
    first, second, third = _asked(lane, *"abc")
    await settle()
    assert sum(isinstance(one.future.exception(), RuntimeError) for one in (first, second, third) if one.future.done()) == 2
    await threads.let()
    assert all(one.future.done() for one in (first, second, third))


async def test_closed_it_takes_nothing_more() -> None:
    """What waited for its ration then would wait for ever, and whoever closes with it."""
    threads = HeldThreads()
    lane = CheckQueue(threads, 10, TokenBuckets(1, 200.0, 10))
    _asked(lane, "runs", "waits")
    await threads.let()
    lane.close()
    with pytest.raises(Unavailable):
        lane.ask(check("late"))


async def test_a_token_with_another_digest_to_try_comes_first_and_counts_once() -> None:
    threads = HeldThreads()
    lane = CheckQueue(threads, 2, TokenBuckets(2, 1.0, 10, Clock()))
    first, *_ = _asked(lane, *"abc")
    again = check("a again")
    first.future.add_done_callback(lambda _: lane.ask_again(again))
    await threads.let()
    assert threads.ran == ["a", "a again"]
    assert not lane.drop(again)
    await threads.let()
    assert len(threads.running) == 1  # the second failure that is allowed
    waits = check("b again")
    lane.ask_again(waits)
    assert lane.waiting == 2
    assert lane.drop(waits)
    assert waits.future.cancelled()
    await threads.let()
    assert (threads.running, lane.waiting) == ([], 1)
