"""A store on a real file, and its writer held still so that units meet in one batch."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

from edgeclients.model import Effects
from edgeclients.ports import Transaction, Unit
from edgeclients.store.sqlite.store import SqliteStore
from tests.support.waiting import PATIENCE


class Opened(NamedTuple):
    """A store, its file, and what its commits have caused."""

    store: SqliteStore
    path: Path
    effects: list[Effects]


MakeStore = Callable[..., Awaitable[Opened]]


class Held:
    """The writer's thread stands still inside a unit; what is queued meanwhile becomes one batch.

    Args:
        store: whose writer.
        then: what that unit does when it is let go.
    """

    def __init__(self, store: SqliteStore, then: Unit[None] | None = None) -> None:
        self._store = store
        self._then = then
        self._begun = threading.Event()
        self._release = threading.Event()

    async def __aenter__(self) -> Self:
        self.task = asyncio.ensure_future(self._store.run(self._unit))
        assert await asyncio.to_thread(self._begun.wait, PATIENCE)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._release.set()
        await asyncio.wait([self.task])

    async def queue(self, *units: Unit[Any]) -> list[asyncio.Future[Any]]:
        """Hand `units` to the writer, in order."""
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._store.run(unit)) for unit in units]
        await asyncio.sleep(0)  # each task runs until it waits for the writer
        return tasks

    async def _unit(self, tx: Transaction) -> None:
        self._begun.set()
        assert self._release.wait(PATIENCE)
        if self._then:
            await self._then(tx)


async def batch(store: SqliteStore, *units: Unit[Any]) -> list[Any]:
    """What each of `units` gives, or raises, when all of them meet in one transaction."""
    async with Held(store) as held:
        tasks = await held.queue(*units)
    return await asyncio.gather(*tasks, return_exceptions=True)
