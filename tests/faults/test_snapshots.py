"""Every read sees what was committed a moment ago, and keeps nothing of the database open behind it."""

import asyncio
import sqlite3
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from edgeclients.model import ClientFilter, Connection, ConnectionType, NewClient, Retirement
from edgeclients.ports import Transaction
from edgeclients.store.sqlite.store import SqliteStore
from tests.conformance.harness import chosen, event, new_client
from tests.support.database import opened as opened_file
from tests.support.stores import Held, Opened

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")

Read = Callable[[SqliteStore, NewClient], Awaitable[Any]]

OTHER = "0190a0d2-5d4b-4f6e-8e0f-d4e5c6a7b801"

READS: dict[str, tuple[Read, str]] = {
    "client": (lambda store, new: store.client(new.client.id), "UPDATE client_rows SET name = name || 'x'"),
    "clients": (lambda store, new: store.clients([new.client.id]), "UPDATE client_rows SET name = name || 'x'"),
    "page": (lambda store, _: store.page("d1", ClientFilter()), "UPDATE client_rows SET name = name || 'x'"),
    "connections": (
        lambda store, new: store.connections(new.client.id),
        "UPDATE names SET name = name || 'x' WHERE n IN (SELECT channel FROM connection_rows)",
    ),
    "secrets_of": (lambda store, new: store.secrets_of(new.client.id), "UPDATE store_state SET revision = revision + 1"),
    "secrets_by_lookup": (
        lambda store, new: store.secrets_by_lookup([b"?", new.secret.lookup]),
        "UPDATE client_rows SET status = 1 - status",
    ),
    "retiring secrets": (
        lambda store, new: store.secrets_of(new.client.id),
        "UPDATE retirement_rows SET expires_at = expires_at + 1",
    ),
    "schemes": (
        lambda store, _: store.schemes("d1"),
        "UPDATE names SET name = name || 'x' WHERE n IN (SELECT secret_scheme FROM retirement_rows)",
    ),
    "outbox": (lambda store, _: store.outbox(0, 10), "UPDATE outbox SET client_id = client_id || 'x'"),
    "outbox_state": (lambda store, _: store.outbox_state(), "UPDATE relay SET sent_through = sent_through + 1"),
    "a client that was not there": (
        lambda store, _: store.client(OTHER),
        f"UPDATE client_rows SET id = x'{OTHER.replace('-', '')}'",
    ),
}


async def add(store: SqliteStore) -> NewClient:
    """A client with one of everything that can be read."""
    new = new_client(tags=("t",), metadata={"a": 1})
    retiring = Retirement(new.client.id, chosen("d1", "old secret"), new.client.created_at + 3_600_000_000)

    async def unit(tx: Transaction) -> None:
        await tx.insert([new])
        await tx.retire(new.client, retiring)
        await tx.connect([Connection(str(uuid.uuid4()), "d1", new.client.id, ConnectionType.PUBLISH)])
        await tx.append([event(1)])

    await store.run(unit)
    return new


@pytest.mark.parametrize("name", READS)
async def test_a_read_sees_what_another_connection_has_just_committed(opened: Opened, name: str) -> None:
    read, change = READS[name]
    new = await add(opened.store)
    with opened_file(opened.path) as other:
        before = await read(opened.store, new)
        other.execute(change)
        assert await read(opened.store, new) != before
        # All of the log can be written back and the log emptied: no reader holds on to a part of it.
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0] == 0


@pytest.mark.parametrize("name", READS)
async def test_a_read_sees_what_the_store_has_committed_and_nothing_before(opened: Opened, name: str) -> None:
    """While a transaction is open, reads go on and show what was before it."""
    read, _ = READS[name]
    new = await add(opened.store)
    before = await read(opened.store, new)
    async with Held(opened.store):
        assert await read(opened.store, new) == before


async def test_a_read_that_fails_keeps_nothing_open(opened: Opened) -> None:
    new = await add(opened.store)
    with pytest.raises((sqlite3.Error, OverflowError, TypeError)):
        await opened.store.secrets_by_lookup([2**70])  # type: ignore[list-item]
    with opened_file(opened.path) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0] == 0
    assert await opened.store.client(new.client.id) == new.client


async def test_a_list_whose_caller_is_gone_keeps_nothing_open(opened: Opened) -> None:
    await add(opened.store)
    reading = asyncio.ensure_future(opened.store.page("d1", ClientFilter()))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (await opened.store.page("d1", ClientFilter())).total == 1
    await opened.store._scanner.close()
    with opened_file(opened.path) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0] == 0
