"""Stores for the tests of faults."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from edgeclients.model import Effects
from edgeclients.store.limits import StoreLimits
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.store import SqliteStore
from tests.support.stores import MakeStore, Opened


@pytest.fixture
async def make_store(tmp_path: Path) -> AsyncIterator[MakeStore]:
    """Opens a store on an empty database."""
    async with AsyncExitStack() as stack:

        async def make(limits: StoreLimits | None = None) -> Opened:
            path = tmp_path / "clients.db"
            effects: list[Effects] = []
            database = SqliteDatabase(path)
            store = await stack.enter_async_context(SqliteStore(database, limits or StoreLimits(), effects.append))
            return Opened(store, path, effects)

        yield make


@pytest.fixture
async def opened(make_store: MakeStore) -> Opened:
    """A store with the usual limits."""
    return await make_store()
