"""Connections to PostgreSQL that are used one after the other."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from edgeclients.errors import Unavailable
from edgeclients.store.postgres.connect import PostgresConnection, bare
from edgeclients.store.postgres.pool import Links, Pool
from edgeclients.store.postgres.pooling import first
from tests.support.postgres import Server
from tests.support.waiting import come_true


class Clock:
    """Seconds, as the test wants them."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def links(postgres: Server, clock: Clock) -> AsyncIterator[Links]:
    made = Links(postgres.address("postgres"), clock)
    yield made
    await made.close(5)


async def test_the_one_used_last_is_used_first(links: Links) -> None:
    one, other = await links.take(), await links.take()
    assert one is not other
    links.give(one)
    links.give(other)
    assert await links.take() is other
    assert await links.take() is one


async def test_each_has_the_settings_of_ours(links: Links) -> None:
    one = await links.take()
    names = ("application_name", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "jit")
    kept = {name: await one.fetchval(f"SHOW {name}") for name in (*names, "client_connection_check_interval")}
    assert list(kept.values()) == ["edgeclients", "1min", "5s", "30s", "off", "2s"]


async def test_it_begins_with_nothing_that_a_pooler_refuses(postgres: Server) -> None:
    """PgBouncer keeps these two apart for each caller."""
    link = await bare(postgres.address("postgres"))
    begun = await link.fetch("SELECT name FROM pg_settings WHERE source = 'client'")
    link.terminate()
    assert {name for (name,) in begun} <= {"application_name", "client_encoding"}


async def test_the_first_of_a_process_keeps_no_statement(postgres: Server) -> None:
    link = await first(postgres.address("postgres"))
    assert await link.fetchval("SELECT count(*) FROM pg_prepared_statements") == 0
    assert await link.fetchval("SHOW statement_timeout") == "1min"
    link.terminate()


async def test_one_that_nobody_needed_for_minutes_is_closed(links: Links, clock: Clock) -> None:
    one, other = await links.take(), await links.take()
    links.give(one)
    clock.now = 299
    links.give(other)
    assert not one.is_closed()
    clock.now = 301
    assert await links.take() is other
    links.give(other)
    assert one.is_closed()
    assert not other.is_closed()


async def test_one_that_was_left_in_a_transaction_is_used_no_more(links: Links) -> None:
    one = await links.take()
    await one.execute("BEGIN")
    links.give(one)
    assert one.is_closed()
    assert await links.take() is not one


async def test_one_that_the_server_has_ended_is_used_no_more(links: Links, postgres: Server) -> None:
    one = await links.take()
    number = await one.fetchval("SELECT pg_backend_pid()")
    links.give(one)
    await postgres.execute(f"SELECT pg_terminate_backend({number}, 10000)")

    async def has_arrived() -> bool:
        return one.is_closed()

    await come_true(has_arrived, "the end to arrive")
    again = await links.take()
    assert await again.fetchval("SELECT 1") == 1
    assert again is not one


async def test_at_the_end_all_are_closed(links: Links) -> None:
    used, idle = await links.take(), await links.take()
    links.give(idle)
    await links.close(5)
    assert used.is_closed()
    assert idle.is_closed()
    links.give(used)
    with pytest.raises(asyncpg.InterfaceError, match="closing"):
        await links.take()


async def test_a_session_that_has_become_another_one_is_used_no_more(postgres: Server) -> None:
    """As behind a pooler that begins to share them: that is no fault of the caller's, and the next has a new one."""
    pool = Pool(postgres.address("postgres"), 3, 10, 10, 5)

    async def read(link: PostgresConnection) -> object:
        return await link.fetchval("SELECT 1")

    assert await pool.run(pool.reads, read) == 1
    await pool.run(pool.reads, lambda link: link.execute("DEALLOCATE ALL"))
    with pytest.raises(Unavailable):
        await pool.run(pool.reads, read)
    assert await pool.run(pool.reads, read) == 1
    await pool.close()
