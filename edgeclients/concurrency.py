"""Helpers for asyncio: a bounded concurrent map, work on events, and cancellation that completes."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_CONCURRENCY = 32
_RETRY_SECONDS = 0.1


async def map_concurrently(work: Callable[[T], Awaitable[R]], items: Iterable[T]) -> list[R]:
    """The results of `work` for all items, in their order; 32 run at a time. The first error cancels all and is raised."""
    inputs = list(items)
    results: dict[int, R] = {}
    pending = iter(enumerate(inputs))

    async def worker() -> None:
        for index, item in pending:
            results[index] = await work(item)

    workers = [asyncio.ensure_future(worker()) for _ in range(min(_CONCURRENCY, len(inputs)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for task in workers:
            task.cancel()
    return [results[index] for index in range(len(inputs))]


async def run_on_event(event: asyncio.Event, work: Callable[[], Awaitable[object]]) -> NoReturn:
    """Run `work` each time that `event` is set; once for all times during a run. Ends only when cancelled."""
    while True:
        await event.wait()
        event.clear()
        await work()


async def wait_forever() -> NoReturn:
    """Wait until cancelled."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


async def cancel_and_wait(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and return when all have ended.

    One cancellation is not enough for a loop: what it awaits may swallow the cancellation. `asyncio.wait_for` does so
    before Python 3.12 when its result arrives in the same moment.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_RETRY_SECONDS)


async def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is short and ends even if the caller is cancelled meanwhile; the cancellation comes then."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


class StoppedError(Exception):
    """Work was cancelled by a stop before it was complete."""


async def run_until_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`.

    Raises:
        StoppedError: `stop` was set first; `work` was cancelled, and has ended.
    """
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
    if task.cancelled():
        raise StoppedError
    return task.result()
