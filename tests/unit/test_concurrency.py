"""Concurrency helpers."""

import asyncio

from edgeclients import concurrency


async def test_a_task_that_swallows_its_cancellation_is_ended_all_the_same() -> None:
    """As one does that sends something through redis-py again and again: `asyncio.wait_for` may lose it."""
    swallowed = 0

    async def on_and_on() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    task = asyncio.ensure_future(on_and_on())
    await asyncio.sleep(0)
    await concurrency.cancel_and_wait([task])
    assert task.cancelled()
    assert swallowed == 3


async def test_tasks_that_have_ended_by_themselves_are_no_trouble() -> None:
    async def fail() -> None:
        raise OSError

    failed, done = asyncio.ensure_future(fail()), asyncio.ensure_future(asyncio.sleep(0))
    await asyncio.wait([failed, done])
    await concurrency.cancel_and_wait([failed, done])
    await concurrency.cancel_and_wait([])
    assert isinstance(failed.exception(), OSError)


async def test_work_ends_before_its_callers_cancellation_comes() -> None:
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go_on.wait()
        ended.set()

    task = asyncio.ensure_future(concurrency.run_to_end(work()))
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert ended.is_set()


async def test_work_of_a_caller_that_stays_is_returned() -> None:
    async def work() -> int:
        return 7

    assert await concurrency.run_to_end(work()) == 7
