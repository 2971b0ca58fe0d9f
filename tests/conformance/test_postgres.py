"""The store's contracts, kept by PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from edgeclients.model import Effects
from edgeclients.store.postgres.store import PostgresStore
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
from tests.support.postgres import Server


@pytest.fixture
async def make_harness(postgres: Server, prepared_postgres: str) -> AsyncIterator[MakeHarness]:
    """A store on a database made from one that was migrated once."""
    async with AsyncExitStack() as stack:

        async def make(bounds: Bounds) -> Harness:
            name = await stack.enter_async_context(postgres.database(prepared_postgres))
            effects: list[Effects] = []
            limits = bounds.limits()
            clock = SetClock()
            store = PostgresStore(postgres.address(name), 5, limits, effects.append, source=clock)
            return Harness(await stack.enter_async_context(store), effects, clock)

        yield make


@pytest.fixture
async def harness(make_harness: MakeHarness) -> Harness:
    """A store with room."""
    return await make_harness(Bounds())


class TestActivity(ActivityContract): ...


class TestClock(ClockContract): ...


class TestClients(ClientContract): ...


class TestLists(ListContract): ...


class TestListProperties(ListPropertiesContract): ...


class TestSecrets(SecretContract): ...


class TestRevocations(RevocationContract): ...


class TestRetiring(RetiringContract): ...


class TestConnections(ConnectionContract): ...


class TestOutbox(OutboxContract): ...


class TestRoles(RoleContract): ...


class TestRoleLists(RoleListContract): ...


class TestImports(ImportContract): ...


class TestSnapshots(SnapshotContract): ...


class TestExportProperties(ExportPropertiesContract): ...


class TestOperators(OperatorContract): ...


class TestViews(ViewContract): ...


class TestViewProperties(ViewPropertiesContract): ...


class TestLease(LeaseContract): ...


class TestJournal(JournalContract): ...


class TestDenials(DenialContract): ...


class TestSent(SentContract): ...
