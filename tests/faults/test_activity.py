"""When clients were last seen, on disk: seldom written, begun anew when damaged, never in anybody's way."""

import asyncio
import contextlib
import sqlite3
import stat
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import structs

from edgeclients.errors import StartError
from edgeclients.model import LAST_SEEN, Client, ClientFilter, Effects
from edgeclients.ports import Transaction
from edgeclients.store.clock import TimeSource
from edgeclients.store.limits import StoreLimits
from edgeclients.store.sqlite.activity import FILE
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.store import SqliteStore
from tests.conformance.harness import add, event, new_client
from tests.support.clocks import SECOND, SetClock
from tests.support.database import opened

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")

DAY_SECONDS, FLUSH_SECONDS, LOGIN_SECONDS = 24 * 3600, 900, 300
DEVICES, CHANGES = 200, 20
MOST_BYTES_A_DAY = 5_000_000


def _nothing(_: Effects) -> None: ...


@asynccontextmanager
async def _store(path: Path, seconds: float = 3600, clock: TimeSource | None = None) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(SqliteDatabase(path), StoreLimits(activity_seconds=seconds), _nothing, clock) as store:
        yield store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clients.db"


async def _last_seen(store: SqliteStore, client_id: str) -> int | None:
    viewed = await store.view(client_id)
    assert viewed is not None
    (item,) = (await store.page("d1", ClientFilter(id=client_id))).items
    assert item.last_seen_at == viewed.last_seen_at
    return viewed.last_seen_at


def _written(path: Path) -> dict[str, int]:
    with opened(path.with_name(FILE)) as file:
        return dict(file.execute("SELECT client_id, at FROM last_seen").fetchall())


async def test_it_is_written_when_the_store_closes_and_read_when_it_opens(path: Path) -> None:
    async with _store(path) as store:
        (client,) = await add(store, new_client())
        store.note_seen(client.id)
        seen = await _last_seen(store, client.id)
        assert _written(path) == {}
    assert _written(path) == {client.id: seen}
    async with _store(path) as store:
        assert await _last_seen(store, client.id) == seen


async def test_it_is_written_every_now_and_then(path: Path) -> None:
    async with _store(path, seconds=0.01) as store:
        (client,) = await add(store, new_client())
        store.note_seen(client.id)
        while not store.activity.flushes:
            await asyncio.sleep(0.001)
        assert _written(path) == {client.id: await _last_seen(store, client.id)}


async def test_nothing_new_is_nothing_written(path: Path) -> None:
    async with _store(path) as store:
        for _ in range(5):
            await store.activity.flush()
        assert store.activity.flushes == 0


async def test_what_is_seen_while_it_is_written_is_not_lost(path: Path) -> None:
    async with _store(path) as store:
        first, second = await add(store, new_client(), new_client())
        store.note_seen(first.id)
        writing = asyncio.ensure_future(store.activity.flush())
        await asyncio.sleep(0)
        before = await _last_seen(store, first.id)
        assert before is not None
        store.note_seen(first.id)
        store.note_seen(second.id)
        await writing
        assert (await _last_seen(store, first.id) or 0) > before
        assert await _last_seen(store, second.id) is not None
    assert set(_written(path)) == {first.id, second.id}


async def test_a_list_sees_memory_before_disk(path: Path) -> None:
    async with _store(path) as store:
        clients = await add(store, *(new_client() for _ in range(3)))
        for client in clients:
            store.note_seen(client.id)
            await store.activity.flush()
        store.note_seen(clients[0].id)
        page = await store.page("d1", ClientFilter(order=LAST_SEEN))
        assert [item.client.id for item in page.items] == [clients[0].id, clients[2].id, clients[1].id]


async def test_a_removed_client_leaves_nothing(path: Path) -> None:
    async with _store(path) as store:
        kept, gone, never_written = await add(store, new_client(), new_client(), new_client())
        for client in (kept, gone):
            store.note_seen(client.id)
        await store.activity.flush()
        store.note_seen(never_written.id)
        for client in (gone, never_written):
            await store.run(lambda tx, client=client: tx.remove(client))  # type: ignore[misc]
        await store.activity.flush()
        assert set(_written(path)) == {kept.id}


async def test_a_client_removed_before_a_sudden_end_leaves_nothing_in_the_end(path: Path) -> None:
    async with _store(path) as store:
        kept, gone = await add(store, new_client(), new_client())
        for client in (kept, gone):
            store.note_seen(client.id)
    with opened(path) as file:
        file.execute("DELETE FROM client_rows WHERE id = ?", (uuid.UUID(gone.id).bytes,))
    async with _store(path) as store:
        store.note_seen(kept.id)
    assert set(_written(path)) == {kept.id}


@pytest.mark.parametrize("damage", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 8000], ids=["empty", "text", "torn"])
async def test_a_damaged_file_is_begun_anew(path: Path, damage: bytes) -> None:
    async with _store(path) as store:
        (client,) = await add(store, new_client())
        store.note_seen(client.id)
    path.with_name(FILE).write_bytes(damage)
    async with _store(path) as store:
        assert await _last_seen(store, client.id) is None
        store.note_seen(client.id)
    assert set(_written(path)) == {client.id}


async def test_a_file_that_cannot_be_written_costs_nothing_but_itself(path: Path) -> None:
    """What is new stays new, and is written as soon as that works again."""
    async with _store(path) as store:
        (client,) = await add(store, new_client())
        store.note_seen(client.id)
        await store.activity.flush()
        with opened(path.with_name(FILE)) as file:
            file.execute("CREATE TRIGGER no BEFORE UPDATE ON seen_rows BEGIN SELECT RAISE(ABORT, 'no'); END")
            store.note_seen(client.id)
            seen = await _last_seen(store, client.id)
            await store.activity.flush()
            assert await _last_seen(store, client.id) == seen
            await add(store, new_client())
            file.execute("DROP TRIGGER no")
        await store.activity.flush()
        assert _written(path) == {client.id: seen}


async def test_a_caller_who_leaves_a_flush_leaves_it_whole(path: Path) -> None:
    async with _store(path) as store:
        (client,) = await add(store, new_client())
        store.note_seen(client.id)
        flushing = asyncio.ensure_future(store.activity.flush())
        await asyncio.sleep(0)
        flushing.cancel()
        await asyncio.wait([flushing])
        await store.activity.flush()  # stands behind the one that goes on
        assert set(_written(path)) == {client.id}
        assert await _last_seen(store, client.id) is not None


async def test_a_client_of_the_same_id_was_not_seen_because_the_file_says_so_of_the_old_one(path: Path) -> None:
    async with _store(path) as store:
        (client,) = await add(store, new_client())
        store.note_seen(client.id)
        await store.activity.flush()
        await store.run(lambda tx: tx.remove(client))
        await add(store, new_client(id=client.id))
        assert await _last_seen(store, client.id) is None
        assert (await store.page("d1", ClientFilter(seen_after=0, order=LAST_SEEN))).total == 0
        flushing = asyncio.ensure_future(store.activity.flush())
        await asyncio.sleep(0)
        assert await _last_seen(store, client.id) is None
        await flushing
        assert _written(path) == {}
        store.note_seen(client.id)
        assert await _last_seen(store, client.id) is not None


@pytest.mark.parametrize("spoil", [Path.unlink, lambda file: file.write_bytes(b"no database" * 1000)], ids=["none", "damaged"])
async def test_beside_the_service_it_is_not_needed(path: Path, spoil: Callable[[Path], object]) -> None:
    """As an edgeclients left it that knew of no such file, for commands that make nothing in the data directory."""
    async with _store(path) as store:
        (client,) = await add(store, new_client())
        store.note_seen(client.id)
    file = path.with_name(FILE)
    spoil(file)
    before = file.read_bytes() if file.exists() else None
    async with SqliteStore(SqliteDatabase(path, upgrade=False), StoreLimits(), _nothing) as store:
        assert await _last_seen(store, client.id) is None
        assert await store.operators() == ()
    assert (file.read_bytes() if file.exists() else None) == before


async def test_damage_while_it_is_in_use_is_in_nobodys_way(path: Path) -> None:
    async with _store(path) as store:
        clients = await add(store, *(new_client() for _ in range(500)))
        for client in clients:
            store.note_seen(client.id)
        await store.activity.flush()
        with opened(path.with_name(FILE)) as file:
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        with path.with_name(FILE).open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.with_name(FILE).stat().st_size - 4096))
        with contextlib.suppress(sqlite3.DatabaseError), opened(path.with_name(FILE)) as file:
            file.execute("PRAGMA user_version = 1")  # nobody trusts what they remember of the file any more
        assert await _last_seen(store, clients[0].id) is None
        store.note_seen(clients[0].id)
        assert await _last_seen(store, clients[0].id) is not None
        for _ in range(3):
            assert (await store.page("d1", ClientFilter(order=LAST_SEEN))).total == 500
    async with _store(path) as store:
        assert (await store.page("d1", ClientFilter())).total == 500


@pytest.mark.parametrize(
    "spoil", [Path.mkdir, lambda file: file.symlink_to("/nowhere/at/all")], ids=["folder", "no such folder"]
)
def test_one_that_cannot_be_opened_is_told_by_its_own_name(path: Path, spoil: Callable[[Path], object]) -> None:
    spoil(path.with_name(FILE))
    with pytest.raises(StartError, match=FILE):
        SqliteDatabase(path)


async def test_it_is_private(path: Path) -> None:
    async with _store(path) as store:
        await add(store, new_client())
        for file in path.parent.glob(f"{FILE}*"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


async def test_a_file_of_an_earlier_version_is_taken_over(path: Path) -> None:
    """There ids were text."""
    async with _store(path) as store:
        (client,) = await add(store, new_client())
    path.with_name(FILE).unlink()
    with opened(path.with_name(FILE)) as file:
        file.execute("CREATE TABLE last_seen (client_id TEXT NOT NULL PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID")
        file.executemany("INSERT INTO last_seen VALUES (?, ?)", [(client.id, 7), ("no UUID", 8)])
    async with _store(path) as store:
        assert await _last_seen(store, client.id) == 7
    assert _written(path) == {client.id: 7}


def _written_by_this_process() -> int:
    """Bytes this process has handed to write calls: what SQLite writes, whatever the file system makes of it."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar:"))


async def test_a_day_of_two_hundred_devices_is_less_than_five_megabytes(path: Path) -> None:
    """Each authenticates every five minutes, twenty are changed, and 200 more at once; the last write-back counts as well."""
    clock = SetClock()
    async with _store(path, clock=clock) as store:
        clients = await add(store, *(new_client(tags=("meter",)) for _ in range(DEVICES)))
    before = _written_by_this_process()
    async with _store(path, clock=clock) as store:
        for login in range(DAY_SECONDS // LOGIN_SECONDS):
            for client in clients:
                store.note_seen(client.id)
            if login % (FLUSH_SECONDS // LOGIN_SECONDS) == 0:
                await store.activity.flush()
            if login % (DAY_SECONDS // LOGIN_SECONDS // CHANGES) == 0:
                await _rename(store, clients[login % DEVICES : login % DEVICES + 1], f"changed {login}")
            clock.move(LOGIN_SECONDS * SECOND)
        await _rename(store, clients, "changed at once")
        assert store.activity.flushes == DAY_SECONDS // FLUSH_SECONDS
    total = _written_by_this_process() - before
    print(f"{total:,} bytes a day")
    assert 96 * 4096 < total < MOST_BYTES_A_DAY


async def _rename(store: SqliteStore, clients: Sequence[Client], name: str) -> None:
    async def unit(tx: Transaction) -> None:
        for client in clients:
            old = await tx.client(client.id)
            assert old is not None
            await tx.replace(old, structs.replace(old, name=name, updated_at=tx.now, updated_by="somebody"))
            await tx.append([event(1)])

    await store.run(unit)
