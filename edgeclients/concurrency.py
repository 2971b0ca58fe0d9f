"""Things that wait: many, a few at a time, or one until something else comes first."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AT_A_TIME = 32
_AGAIN_SECONDS = 0.1


async def each(work: Callable[[T], Awaitable[R]], items: Iterable[T]) -> list[R]:
    """What `work` gives for each item, in their order, 32 at a time; the first error ends all of it and is raised."""
    wanted = list(items)
    found: dict[int, R] = {}
    left = iter(enumerate(wanted))

    async def worker() -> None:
        for place, item in left:
            found[place] = await work(item)

    workers = [asyncio.ensure_future(worker()) for _ in range(min(_AT_A_TIME, len(wanted)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for one in workers:
            one.cancel()
    return [found[place] for place in range(len(wanted))]


async def whenever(told: asyncio.Event, work: Callable[[], Awaitable[object]]) -> NoReturn:
    """Do `work` each time that `told` is set, once for all the times that come while it is done; until this is cancelled."""
    while True:
        await told.wait()
        told.clear()
        await work()


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and return when all have ended.

    Being told once is not enough for one that goes round and round: what it waits for may swallow that, as `asyncio.wait_for`
    does before Python 3.12 when it has its answer in the same moment.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_SECONDS)


class GivenUpError(Exception):
    """Something was not done to its end."""


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives.

    Raises:
        GivenUpError: `stop` came first; `work` was cancelled, and has ended.
    """
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
    if task.cancelled():
        raise GivenUpError
    return task.result()
