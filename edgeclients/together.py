"""Many things that wait, a few at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AT_A_TIME = 32


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
