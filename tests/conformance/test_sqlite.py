"""The store's contracts, kept by SQLite."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest

from edgeclients.model import Effects
from edgeclients.ports import Transaction
from edgeclients.store.sqlite import search
from edgeclients.store.sqlite.client_set import BLOCK
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.store import SqliteStore
from edgeclients.store.sqlite.transaction import SqliteTransaction
from tests.conformance.activity import ActivityContract
from tests.conformance.clients import ClientContract
from tests.conformance.clock import ClockContract
from tests.conformance.connections import ConnectionContract, OutboxContract
from tests.conformance.harness import Bounds, Harness, MakeHarness
from tests.conformance.journal import DenialContract, JournalContract
from tests.conformance.listing import ListContract
from tests.conformance.operators import OperatorContract
from tests.conformance.outbox import LeaseContract, SentContract
from tests.conformance.properties import ListPropertiesContract
from tests.conformance.provisioning import ExportPropertiesContract, ImportContract, SnapshotContract
from tests.conformance.roles import RoleContract, RoleListContract
from tests.conformance.secrets import RetiringContract, RevocationContract, SecretContract
from tests.conformance.views import ViewContract, ViewPropertiesContract
from tests.support.clocks import SetClock


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database, migrated once."""
    path = tmp_path_factory.mktemp("prepared") / "clients.db"
    SqliteDatabase(path).close()
    return path


@pytest.fixture
async def make_harness(prepared: Path, tmp_path: Path) -> AsyncIterator[MakeHarness]:
    """A store on a copy of that database."""
    async with AsyncExitStack() as stack:

        async def make(bounds: Bounds) -> Harness:
            path = tmp_path / "clients.db"
            with closing(sqlite3.connect(prepared)) as source, closing(sqlite3.connect(path)) as copy:
                source.backup(copy)
            effects: list[Effects] = []
            limits = bounds.limits()
            clock = SetClock()
            store = await stack.enter_async_context(SqliteStore(SqliteDatabase(path), limits, effects.append, clock))
            return Harness(store, effects, clock)

        yield make


@pytest.fixture
async def harness(make_harness: MakeHarness) -> Harness:
    """A store with room."""
    return await make_harness(Bounds())


class TestClients(ClientContract): ...


class TestActivity(ActivityContract): ...


class TestClock(ClockContract): ...


class TestLists(ListContract): ...


class TestListProperties(ListPropertiesContract): ...


class TestSecrets(SecretContract): ...


class TestRevocations(RevocationContract): ...


class TestRetiring(RetiringContract): ...


class TestConnections(ConnectionContract): ...


class TestOutbox(OutboxContract): ...


class TestLease(LeaseContract): ...


class TestJournal(JournalContract): ...


class TestDenials(DenialContract): ...


class TestSent(SentContract): ...


class TestRoles(RoleContract): ...


class TestRoleLists(RoleListContract): ...


class TestImports(ImportContract): ...


class TestSnapshots(SnapshotContract): ...


class TestExportProperties(ExportPropertiesContract): ...


class TestOperators(OperatorContract): ...


class TestViews(ViewContract): ...


class TestViewProperties(ViewPropertiesContract): ...


@pytest.fixture
async def searched(make_harness: MakeHarness, monkeypatch: pytest.MonkeyPatch) -> Harness:
    """A store that writes the search rows of each client at once, of the first clients in another block than of the others."""
    monkeypatch.setattr(search, "LAG", 1)
    harness = await make_harness(Bounds())

    async def unit(tx: Transaction) -> None:
        assert isinstance(tx, SqliteTransaction)
        tx._connection.execute("UPDATE store_state SET indexed_through = ?", (BLOCK - 3,))

    await harness.store.run(unit)
    return harness


class WithSearchRows:
    """The contracts of lists, where no client is one of the newest."""

    @pytest.fixture
    def harness(self, searched: Harness) -> Harness:
        return searched


class TestSearchedLists(WithSearchRows, ListContract): ...


class TestSearchedListProperties(WithSearchRows, ListPropertiesContract): ...


class TestSearchedViews(WithSearchRows, ViewContract): ...


class TestSearchedViewProperties(WithSearchRows, ViewPropertiesContract): ...


class TestSearchedClients(WithSearchRows, ClientContract): ...
