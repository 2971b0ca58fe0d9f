"""What the first start of a version takes that has another schema: time, and space on the card beside the old database."""

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from edgeclients.files import schema_path
from edgeclients.store.migrate import available
from edgeclients.store.sqlite.connect import add_functions
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.terms import terms
from tests.perf.fleet import BULK, SESSION, drafts
from tests.perf.homes import registry
from tests.perf.measure import Figure, Row, Run, Spread, chunks

_MIB = 1024 * 1024
_LOOK_SECONDS = 0.01
_OLD = 5  # the last schema whose rows had ids of 36 characters
_RECORD = (
    "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,"
    " applied_at INTEGER NOT NULL) STRICT"
)
_SAME = ("peppers", "clients", "clients_roles", "clients_role_members", "connections", "outbox")
_CLIENTS = "SELECT id, domain_id, tags, metadata FROM new.clients"
_TAG = "INSERT INTO main.client_tags (domain_id, tag, client_id) VALUES (?, ?, ?)"
_METADATA = "INSERT INTO main.client_metadata (domain_id, path, value, client_id) VALUES (?, ?, ?, ?)"


def upgrade(run: Run) -> list[Row]:
    """A database of the last schema before this one."""
    count, folder = run.pick(100_000, 500), run.folder / "upgrade"
    folder.mkdir()
    uvloop.run(_fill(run, count))
    _make_old(run.folder / "upgrade.db", folder / "clients.db")
    before = _bytes(folder)
    with _watched(folder) as most:
        began = time.perf_counter()
        SqliteDatabase(folder / "clients.db").close()
        seconds = time.perf_counter() - began
    rows = (
        (f"upgrade of {count:,} clients from schema {_OLD}", seconds, 1, " s", "≤ 20 s", 20),
        (f"…space at most, with the old database of {before / _MIB:,.0f} MiB", most[0] / before, 2, " ×", "≤ 2 ×", 2),
        ("…the new database, of the old one", (folder / "clients.db").stat().st_size / before, 2, " ×", "", None),
    )
    return [
        Row(
            "upgrade",
            what,
            Figure(Spread(value, value, value), digits, unit),
            budget,
            None if limit is None else value <= limit,
        )
        for what, value, digits, unit, budget, limit in rows
    ]


async def _fill(run: Run, count: int) -> None:
    async with registry(run.home, "upgrade") as ours:
        for some in chunks(count, BULK):
            await ours.clients.create(SESSION, drafts(some))


def _make_old(new: Path, old: Path) -> None:
    """Write what is in a database into one with the old schema."""
    with contextlib.closing(sqlite3.connect(old, isolation_level=None)) as connection:
        add_functions(connection)
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute(_RECORD)
        for migration in available(schema_path("sqlite"))[:_OLD]:
            connection.executescript(migration.sql)
            connection.execute(
                "INSERT INTO schema_migrations VALUES (?, ?, ?, 1)", (migration.version, migration.name, migration.checksum)
            )
        connection.execute("ATTACH ? AS new", (str(new),))
        for table in _SAME:
            columns = ", ".join(name for _, name, *_ in connection.execute(f"PRAGMA main.table_info({table})").fetchall())
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}")
        for client_id, domain_id, tags, metadata in connection.execute(_CLIENTS):
            connection.executemany(_TAG, [(domain_id, tag, client_id) for tag in json.loads(tags)])
            connection.executemany(_METADATA, [(domain_id, *term, client_id) for term in terms(json.loads(metadata))])


@contextlib.contextmanager
def _watched(folder: Path) -> Iterator[list[int]]:
    """The most bytes that the files of a folder take meanwhile."""
    over, most = threading.Event(), [0]

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            most[0] = max(most[0], _bytes(folder))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield most
    finally:
        over.set()
        looking.join()


def _bytes(folder: Path) -> int:
    """The size of the files in a folder; one with two names counts once."""
    found = {}
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # it is gone already
            status = path.stat()
            found[status.st_ino] = status.st_size
    return sum(found.values())
