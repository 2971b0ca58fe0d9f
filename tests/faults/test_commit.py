"""One transaction for many: what a unit does wrong is its own affair, what the transaction does wrong is everybody's."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable

import pytest

from edgeclients.errors import Busy, DomainError, NotFound, Unavailable
from edgeclients.model import Client, Effects, NewClient
from edgeclients.ports import Transaction, Unit
from edgeclients.store.limits import StoreLimits
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.store import SqliteStore
from edgeclients.store.sqlite.transaction import SqliteTransaction
from tests.conformance.harness import event, new_client
from tests.support.stores import Held, MakeStore, Opened, batch
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")


def insert(new: NewClient) -> Unit[Client]:
    """A unit that writes one client."""

    async def unit(tx: Transaction) -> Client:
        await tx.insert([new])
        await tx.append([event(1)])
        return new.client

    return unit


def insert_and(new: NewClient, then: Callable[[Transaction], Awaitable[None]]) -> Unit[None]:
    """A unit that writes one client, says that access was lost and gained, and goes on to something that fails."""

    async def unit(tx: Transaction) -> None:
        await insert(new)(tx)
        await tx.revoke([new.client.id])
        await tx.grant()
        await then(tx)

    return unit


async def refuse(tx: Transaction) -> None:
    raise NotFound


async def break_down(tx: Transaction) -> None:
    raise ZeroDivisionError


async def yield_to_the_loop(tx: Transaction) -> None:
    await asyncio.sleep(0)


async def fail_at_commit(tx: Transaction) -> None:
    """A foreign key that is looked at when the transaction ends, and leads nowhere."""
    assert isinstance(tx, SqliteTransaction)
    tx._connection.execute("PRAGMA defer_foreign_keys = ON")
    tx._connection.execute("INSERT INTO connection_rows VALUES (1, 1, 4711, 1)")


async def end_the_transaction(tx: Transaction) -> None:
    assert isinstance(tx, SqliteTransaction)
    tx._connection.execute("ROLLBACK")


async def is_there(store: SqliteStore, *clients: NewClient) -> list[bool]:
    """Which of them are in the database."""
    return [await store.client(new.client.id) is not None for new in clients]


@pytest.mark.parametrize(
    ("fault", "raised"), [(refuse, NotFound), (break_down, ZeroDivisionError), (yield_to_the_loop, RuntimeError)]
)
async def test_a_unit_that_raises_leaves_its_neighbours_alone(
    opened: Opened, fault: Callable[[Transaction], Awaitable[None]], raised: type[Exception]
) -> None:
    store = opened.store
    before, wrong, after = new_client(), new_client(tags=("t",), metadata={"a": 1}), new_client()
    results = await batch(store, insert(before), insert_and(wrong, fault), insert(after))
    assert results[0] == before.client
    assert isinstance(results[1], raised)
    assert results[2] == after.client
    assert await is_there(store, before, wrong, after) == [True, False, True]
    assert len(await store.outbox(0, 10)) == 2
    assert not any(effect.revoked or effect.granted for effect in opened.effects)


async def test_a_unit_that_awaits_something_foreign_is_a_fault_of_ours(opened: Opened) -> None:
    new = new_client()

    async def unit(tx: Transaction) -> None:
        await tx.insert([new])
        await asyncio.sleep(0)
        pytest.fail("it went on")

    with pytest.raises(RuntimeError, match="outside its transaction"):
        await opened.store.run(unit)
    assert await opened.store.client(new.client.id) is None
    assert await opened.store.run(insert(new)) == new.client


@pytest.mark.parametrize("fault", [fail_at_commit, end_the_transaction])
async def test_a_transaction_that_fails_fails_all_of_the_batch(
    opened: Opened, fault: Callable[[Transaction], Awaitable[None]]
) -> None:
    store = opened.store
    before, wrong, after = new_client(), new_client(), new_client()
    results = await batch(store, insert(before), insert_and(wrong, fault), insert(after))
    assert [isinstance(result, DomainError) for result in results] == [True] * 3, results
    assert len({id(result) for result in results}) == 3
    assert await is_there(store, before, wrong, after) == [False] * 3
    assert await store.outbox(0, 10) == ()
    assert not any(effect.revoked or effect.granted for effect in opened.effects)
    assert store.writer.failing
    assert await store.run(insert(before)) == before.client
    assert not store.writer.failing


async def test_what_a_batch_causes_is_caused_before_anybody_hears_of_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    told: list[str] = []

    def on_commit(effects: Effects) -> None:
        told.extend(f"effect {client_id}" for client_id, _ in effects.revoked)

    def revoke(client_id: str) -> Unit[None]:
        return lambda tx: tx.revoke([client_id])

    path = tmp_path_factory.mktemp("store") / "clients.db"
    async with SqliteStore(SqliteDatabase(path), StoreLimits(), on_commit) as store:
        async with Held(store) as held:
            tasks = await held.queue(revoke("a"), revoke("b"))
            tasks[0].add_done_callback(lambda _: told.append("answer a"))
            tasks[1].add_done_callback(lambda _: told.append("answer b"))
        await asyncio.gather(*tasks)
    assert told == ["effect a", "effect b", "answer a", "answer b"]


async def test_a_full_queue_is_said_at_once(make_store: MakeStore) -> None:
    store = (await make_store(StoreLimits(waiting_writes=3))).store
    waiting, too_many = [new_client(), new_client()], new_client()
    async with Held(store) as held:
        tasks = await held.queue(*map(insert, waiting))
        with pytest.raises(Busy) as raised:
            await store.run(insert(too_many))
        assert raised.value.retry_after == 1
    await asyncio.gather(*tasks)
    assert await is_there(store, *waiting, too_many) == [True, True, False]
    await store.run(insert(too_many))


async def test_a_caller_that_left_the_queue_makes_room_there(make_store: MakeStore) -> None:
    store = (await make_store(StoreLimits(waiting_writes=2))).store
    left = new_client()
    async with Held(store) as held:
        (task,) = await held.queue(insert(left))
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await store.run(insert(new_client()))  # behind it: when this is told, the place of the one who left is free
    new = [new_client(), new_client()]  # as many as may wait
    assert await asyncio.gather(*(store.run(insert(one)) for one in new)) == [one.client for one in new]
    assert await is_there(store, left) == [False]


async def test_what_waits_when_the_store_closes_is_finished(make_store: MakeStore) -> None:
    store = (await make_store()).store
    new = [new_client() for _ in range(300)]  # more than one batch
    async with Held(store) as held:
        tasks = await held.queue(*map(insert, new))
        closing = asyncio.ensure_future(store.close())
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await store.run(insert(new_client()))
    assert await asyncio.gather(*tasks) == [one.client for one in new]
    await closing


async def test_the_writer_outlives_whatever_a_unit_throws(opened: Opened) -> None:
    async def unit(tx: Transaction) -> None:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="CancelledError"):
        await asyncio.wait_for(opened.store.run(unit), PATIENCE)
    new = new_client()
    assert await asyncio.wait_for(opened.store.run(insert(new)), PATIENCE) == new.client


async def test_units_run_one_at_a_time_in_one_thread(opened: Opened) -> None:
    threads = set()

    async def unit(tx: Transaction) -> None:
        threads.add(threading.current_thread().name)

    await asyncio.gather(*(opened.store.run(unit) for _ in range(20)))
    assert threads == {"sqlite-writer"}
