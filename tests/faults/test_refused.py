"""Changes that are refused write nothing: whoever may not change anything shall not wear out the disk."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from edgeclients.errors import Forbidden, LastManagingRole, NotFound, StorageFull, Unavailable
from edgeclients.model import NO_ACTIONS
from edgeclients.ports import Transaction, Unit
from edgeclients.store.sqlite.store import SqliteStore
from edgeclients.store.sqlite.transaction import SqliteTransaction
from tests.conformance.harness import event, new_client
from tests.conformance.roles import bare, new_role
from tests.faults.test_disk_full import Writing, allow
from tests.support.stores import Held, Opened

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")


def refused(error: type[Exception]) -> Unit[None]:
    """A unit that changes much before it turns out that it may not."""

    async def unit(tx: Transaction) -> None:
        new = new_client(tags=("t",), metadata={"a": 1})
        await tx.insert([new])
        await tx.add_role(new_role(new.client, "r", NO_ACTIONS, ["m"]))
        await tx.append([event(1)])
        await tx.revoke([new.client.id])
        await tx.grant()
        raise error

    return unit


async def together(store: SqliteStore, *units: Unit[Any]) -> list[Any]:
    """What each of `units` gives, or raises, when all of them meet in one transaction, behind one that is refused."""
    async with Held(store, refused(NotFound)) as held:
        tasks = await held.queue(*units)
    assert isinstance(held.task.exception(), NotFound)
    return await asyncio.gather(*tasks, return_exceptions=True)


def log_of(opened: Opened) -> bytes:
    """The write-ahead log, byte by byte."""
    return opened.path.with_name(f"{opened.path.name}-wal").read_bytes()


async def insert(tx: Transaction) -> None:
    await tx.insert([new_client()])


async def damage(tx: Transaction) -> None:
    """What is met while reading: the transaction can go on."""
    raise Unavailable("sqlite")


async def write_nowhere(tx: Transaction) -> None:
    """As if the disk could only be read from here on: the transaction can go on, and cannot write."""
    assert isinstance(tx, SqliteTransaction)
    tx._connection.execute("PRAGMA query_only = ON")
    await insert(tx)


async def test_a_batch_of_refused_units_writes_nothing(opened: Opened) -> None:
    store = opened.store
    await store.run(insert)
    commits, log, at = store.writer.commits, log_of(opened), store.writer.last_commit_at
    opened.effects.clear()
    results = await together(store, *map(refused, [NotFound, Forbidden, LastManagingRole] * 20))
    assert [type(result) for result in results] == [NotFound, Forbidden, LastManagingRole] * 20
    assert len({id(result) for result in results}) == 60
    assert (store.writer.commits, log_of(opened), store.writer.last_commit_at) == (commits, log, at)
    assert not store.writer.failing
    assert opened.effects == []
    assert await store.outbox(0, 10) == ()


async def test_refused_units_one_by_one_write_nothing(opened: Opened) -> None:
    store = opened.store
    await store.run(insert)
    commits, log = store.writer.commits, log_of(opened)
    for _ in range(50):
        with pytest.raises(Forbidden):
            await store.run(refused(Forbidden))
    assert (store.writer.commits, log_of(opened)) == (commits, log)


async def test_nothing_is_left_open_behind_refused_units(opened: Opened) -> None:
    """Another process can change the database then, and so can the next unit."""
    store = opened.store
    await together(store, refused(NotFound), refused(Forbidden))

    async def unit(tx: Transaction) -> bool:
        assert isinstance(tx, SqliteTransaction)
        return tx._connection.in_transaction

    assert not store.writer._connection.in_transaction
    assert await store.run(unit)
    assert not store.writer._connection.in_transaction


async def test_a_caller_who_left_among_refused_units_commits_nothing(opened: Opened) -> None:
    store = opened.store
    await store.run(insert)
    commits, log = store.writer.commits, log_of(opened)
    async with Held(store, refused(NotFound)) as held:
        left, *tasks = await held.queue(insert, refused(NotFound), refused(Forbidden))
        left.cancel()
    assert isinstance(held.task.exception(), NotFound)
    results = await asyncio.gather(left, *tasks, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError, NotFound, Forbidden]
    assert (store.writer.commits, log_of(opened)) == (commits, log)


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_unit_that_succeeds_among_refused_ones_is_committed(opened: Opened, place: int) -> None:
    store, new = opened.store, bare()
    await store.run(insert)
    commits, log = store.writer.commits, log_of(opened)
    opened.effects.clear()

    async def unit(tx: Transaction) -> None:
        await tx.insert([new])
        await tx.append([event(7)])

    units = [refused(NotFound), refused(Forbidden)]
    units.insert(place, unit)
    results = await together(store, *units)
    assert results[place] is None
    assert [type(results[n]) for n in range(3) if n != place] == [NotFound, Forbidden]
    assert store.writer.commits == commits + 1
    assert log_of(opened) != log
    assert await store.client(new.client.id) == new.client
    assert [one.occurred_at for _, one in await store.outbox(0, 10)] == [7]
    assert not any(effect.revoked or effect.granted for effect in opened.effects)


async def test_a_unit_that_changes_nothing_is_committed_all_the_same(opened: Opened) -> None:
    """The probe of readiness is such a unit: it must meet the disk."""

    async def unit(tx: Transaction) -> None: ...

    commits = opened.store.writer.commits
    await opened.store.run(unit)
    assert opened.store.writer.commits == commits + 1


async def test_refused_units_do_not_say_that_a_full_disk_has_room_again(opened: Opened) -> None:
    store, writing = opened.store, Writing()
    await allow(store, 0)
    with pytest.raises(StorageFull):
        await store.run(writing.unit(1))
    assert store.writer.failing
    refusal = _refused_at_once(Forbidden)
    results = await asyncio.gather(*(store.run(refusal) for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [Forbidden] * 5
    assert store.writer.failing
    await allow(store, None)
    assert not store.writer.failing


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["refused first", "refused last"])
async def test_a_full_disk_is_noticed_beside_refused_units(opened: Opened, order: slice) -> None:
    store, writing = opened.store, Writing()
    await allow(store, 0)
    commits = store.writer.commits
    units: list[Unit[Any]] = [_refused_at_once(NotFound), writing.unit(1)][order]
    async with Held(store, _refused_at_once(NotFound)) as held:
        tasks = await held.queue(*units)
    assert isinstance(held.task.exception(), NotFound)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [StorageFull] * 2
    assert store.writer.failing
    assert store.writer.commits == commits


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_disk_that_can_only_be_read_is_noticed_beside_refused_units(opened: Opened, place: int) -> None:
    store = opened.store
    commits = store.writer.commits
    units = [_refused_at_once(NotFound), _refused_at_once(Forbidden)]
    units.insert(place, write_nowhere)
    results = await together(store, *units)
    assert [type(result) for result in results] == [Unavailable] * 3
    assert store.writer.failing
    assert store.writer.commits == commits
    store.writer._connection.execute("PRAGMA query_only = OFF")  # its thread waits for work
    await store.run(insert)
    assert not store.writer.failing


async def test_whether_a_fault_was_the_disks_is_found_out_by_committing(opened: Opened) -> None:
    store = opened.store
    commits = store.writer.commits
    results = await together(store, refused(NotFound), damage)
    assert [type(result) for result in results] == [NotFound, Unavailable]
    assert store.writer.commits == commits + 1
    assert not store.writer.failing


def _refused_at_once(error: type[Exception]) -> Callable[[Transaction], Awaitable[None]]:
    async def unit(tx: Transaction) -> None:
        raise error

    return unit
