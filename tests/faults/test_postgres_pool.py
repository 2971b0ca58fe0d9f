"""Connections whose server is silent, and a pool that is closed: no place is lost, no session too many, nobody waits on."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from edgeclients.errors import Unavailable
from edgeclients.model import ClientFilter
from edgeclients.ports import Transaction
from edgeclients.store.limits import StoreLimits
from edgeclients.store.postgres.connect import PostgresAddress, PostgresConnection
from edgeclients.store.postgres.pool import Pool
from edgeclients.store.postgres.store import PostgresDatabase, PostgresStore
from tests.conformance.harness import add, new_client
from tests.support.postgres import Server
from tests.support.proxy import Proxy
from tests.support.waiting import PATIENCE, come_true

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")

SOON = 0.5  # seconds: in place of the limits, which are longer
SIZE = 3  # a connection for each kind of work


@pytest.fixture
async def address(postgres: Server, prepared_postgres: str) -> AsyncIterator[PostgresAddress]:
    async with postgres.database(prepared_postgres) as name:
        yield postgres.address(name)


@pytest.fixture
async def pool(address: PostgresAddress) -> AsyncIterator[Pool]:
    made = Pool(address, SIZE, 10, 10, PATIENCE)
    yield made
    await made.close()


async def _sleep(link: PostgresConnection) -> None:
    await link.execute("SELECT pg_sleep(55)")


async def _is_none(postgres: Server, address: PostgresAddress, counting: str) -> bool:
    return await postgres.rows(address.name, counting) == [(0,)]


@pytest.mark.parametrize("kind", ["change", "list"])
async def test_a_line_that_goes_dead_under_work_costs_no_place(address: PostgresAddress, kind: str) -> None:
    """Though that work wants to roll back, which the server will not answer either."""
    database = await PostgresDatabase.opened(address)
    await database.close()
    with Proxy(address.port) as way:
        there = address._replace(host="127.0.0.1", port=way.port)
        async with PostgresStore(there, SIZE, StoreLimits(), lambda _: None) as store:
            (client,) = await add(store, new_client())
            lanes = store._pool
            lanes.changes.limit = lanes.scans.limit = SOON

            async def change(tx: Transaction) -> None:
                way.freeze()
                await tx.client(client.id)

            async def look() -> None:
                way.freeze()
                await store.page(client.domain_id, ClientFilter())

            for _ in range(2):  # there is one place
                async with asyncio.timeout(PATIENCE):
                    with pytest.raises(Unavailable):
                        await (store.run(change) if kind == "change" else look())
                way.thaw()
            lanes.changes.limit = lanes.scans.limit = PATIENCE
            assert (await store.page(client.domain_id, ClientFilter())).total == 1
            await add(store, new_client())


async def test_the_server_does_not_go_on_for_those_who_have_hung_up(
    postgres: Server, address: PostgresAddress, pool: Pool
) -> None:
    """Else there were more sessions than were agreed on, the longer the slower it is."""
    pool.reads.limit = SOON
    for _ in range(4):
        with pytest.raises(Unavailable):
            await pool.run(pool.reads, _sleep)
    sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(55)'"
    async with asyncio.timeout(PATIENCE):  # well before they end by themselves
        await come_true(lambda: _is_none(postgres, address, sql), "their sessions to end")


async def test_what_waits_when_it_is_closed_does_not_begin(postgres: Server, address: PostgresAddress, pool: Pool) -> None:
    begun = asyncio.Event()

    async def slow(link: PostgresConnection) -> None:
        begun.set()
        await link.execute("SELECT pg_sleep(0.3)")

    async def late(link: PostgresConnection) -> None:
        raise AssertionError(link)

    first = asyncio.ensure_future(pool.run(pool.changes, slow))
    await begun.wait()
    second = asyncio.ensure_future(pool.run(pool.changes, late))
    await asyncio.sleep(0)
    await pool.close()
    await first
    with pytest.raises(Unavailable, match="closing"):
        await second
    sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    await come_true(lambda: _is_none(postgres, address, sql), "all sessions to end")


async def test_what_takes_too_long_when_it_is_closed_is_told(address: PostgresAddress) -> None:
    database = await PostgresDatabase.opened(address)
    await database.close()
    begun = asyncio.Event()

    async def unit(tx: Transaction) -> None:
        begun.set()
        await tx._connection.execute("SELECT pg_sleep(55)")  # type: ignore[attr-defined]

    async with PostgresStore(address, SIZE, StoreLimits(), lambda _: None) as store:
        running = asyncio.ensure_future(store.run(unit))
        await begun.wait()
    with pytest.raises(Unavailable):
        await running
