"""The disk fills up: in the middle of a batch, and under a running service."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from edgeclients.errors import StorageFull
from edgeclients.ops.health import Readiness, StorageState
from edgeclients.ports import Transaction
from edgeclients.store.sqlite.store import SqliteStore
from edgeclients.store.sqlite.transaction import SqliteTransaction
from tests.conformance.harness import event, new_client
from tests.support.database import opened as opened_file
from tests.support.stores import Opened, batch

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")

_ALL = 2**32 - 2  # SQLite's most
TABLES = ("clients", "clients_roles", "clients_role_members", "search_rows", "totals", "outbox", "revocations")


async def allow(store: SqliteStore, more: int | None) -> None:
    """Let the database grow by so many pages and no more; None: as it likes."""

    async def unit(tx: Transaction) -> None:
        assert isinstance(tx, SqliteTransaction)
        count = tx._connection.execute("PRAGMA page_count").fetchall()[0][0]
        tx._connection.execute(f"PRAGMA max_page_count = {_ALL if more is None else count + more}").fetchall()

    await store.run(unit)


class Writing:
    """Units that write a client of some pages each, and note that they ran."""

    def __init__(self) -> None:
        self.ran: list[int] = []

    def unit(self, number: int) -> Callable[[Transaction], Awaitable[int]]:
        new = new_client(name=str(number), tags=("t",), metadata={"a": number}, private_metadata='{"p":"%s"}' % ("x" * 8000))

        async def unit(tx: Transaction) -> int:
            self.ran.append(number)
            await tx.insert([new])
            await tx.revoke([new.client.id])
            await tx.append([event(number)])
            return number

        return unit


async def test_the_unit_that_fills_the_disk_takes_its_batch_with_it(opened: Opened) -> None:
    store, writing = opened.store, Writing()
    await batch(store, *map(writing.unit, range(5)))
    with opened_file(opened.path) as file:
        before = {table: file.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
        state = file.execute("SELECT revision, outbox_rows, outbox_bytes FROM store_state").fetchall()
    opened.effects.clear()
    writing.ran.clear()

    await allow(store, 12)
    results = await batch(store, *map(writing.unit, range(100, 120)))
    assert [type(result) for result in results] == [StorageFull] * 20
    assert 1 < len(writing.ran) < 20, "some ran, one filled the disk, nothing after it ran"
    assert writing.ran == list(range(100, 100 + len(writing.ran)))
    assert not any(effect.revoked for effect in opened.effects)
    assert store.writer.failing
    with opened_file(opened.path) as file:
        assert {table: file.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES} == before
        assert file.execute("SELECT revision, outbox_rows, outbox_bytes FROM store_state").fetchall() == state
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    await allow(store, None)
    assert await batch(store, *map(writing.unit, range(200, 220))) == list(range(200, 220))
    assert len(await store.outbox(0, 100)) == 25
    assert not store.writer.failing


async def test_readiness_tells_of_it_and_probes_once_for_all(opened: Opened) -> None:
    store, writing = opened.store, Writing()

    async def probe() -> None:
        await store.run(writing.unit(0))

    ready = Readiness(lambda: StorageState("sqlite", store.writer.failing, store.writer.last_commit_at), probe)
    ready.serving = True
    await allow(store, 0)
    assert (await ready.report())[0]
    assert not writing.ran, "it has just committed: no probe is needed"
    with pytest.raises(StorageFull):
        await store.run(writing.unit(1))
    told = await asyncio.gather(*(ready.report() for _ in range(20)), ready.report())
    assert [(is_ready, document["storage"]["writable"]) for is_ready, document in told] == [(False, False)] * 21
    assert writing.ran.count(0) == 1
    await allow(store, None)
    await store.run(writing.unit(2))
    is_ready, document = await ready.report()
    assert is_ready
    assert document["storage"]["writable"]
    assert writing.ran.count(0) == 1


async def test_a_reader_is_served_while_nothing_can_be_written(opened: Opened) -> None:
    store, writing = opened.store, Writing()
    new = new_client()
    await store.run(lambda tx: tx.insert([new]))
    await allow(store, 0)
    with pytest.raises(StorageFull):
        await store.run(writing.unit(1))
    assert await store.client(new.client.id) == new.client
    assert (await store.secrets_of(new.client.id)).rows


async def test_many_batches_on_a_full_disk_do_not_stop_the_writer(opened: Opened) -> None:
    store, writing = opened.store, Writing()
    await allow(store, 0)
    for _ in range(20):
        results = await asyncio.gather(*(store.run(writing.unit(n)) for n in range(5)), return_exceptions=True)
        assert {type(result) for result in results} == {StorageFull}
    await allow(store, None)
    assert await store.run(writing.unit(1)) == 1
