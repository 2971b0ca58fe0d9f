"""When clients last proved themselves: in memory, and now and then in a file of its own beside the database.

Losing the last quarter of an hour to a power cut is no harm, so that file is not synced with every change; and written every
minute it would wear an SD card more than everything else together. A damaged one is begun anew.
"""

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from edgeclients.store.sqlite.connect import read_only
from edgeclients.store.sqlite.faults import primary_code
from edgeclients.store.sqlite.rows import fetch

_log = logging.getLogger(__name__)

FILE = "activity.db"
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_TABLE = "CREATE TABLE IF NOT EXISTS last_seen (client_id TEXT NOT NULL PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID"


class Activity:
    """Who was seen when. To be used in one event loop.

    Args:
        database: the database whose clients these are; the file lies beside it.
        seconds: how often what is new is written.
        on_written: called when the file has changed.
    """

    def __init__(self, database: Path, seconds: float, on_written: Callable[[], None]) -> None:
        self._database = database
        self._path = database.with_name(FILE)
        self._seconds = seconds
        self._on_written = on_written
        self._new: dict[str, int] = {}
        self._being_written: dict[str, int] = {}
        self._gone: set[str] = set()
        self._connection: sqlite3.Connection | None = None
        self._timer: asyncio.Task[None] | None = None
        self.flushes = 0

    def note(self, client_id: str) -> None:
        """`Store.note_seen`."""
        self._new[client_id] = time.time_ns() // 1000

    def forget(self, client_ids: Iterable[str]) -> None:
        """These clients are no more."""
        for client_id in client_ids:
            self._new.pop(client_id, None)
            self._gone.add(client_id)

    def in_memory(self) -> Mapping[str, int]:
        """What is newer than the file, as of now."""
        return {**self._being_written, **self._new} if self._being_written else self._new

    def newer(self, client_id: str, written: int | None) -> int | None:
        """When a client was last seen, where the file says `written`."""
        return self._new.get(client_id) or self._being_written.get(client_id) or written

    def start(self) -> None:
        """Write what is new every now and then from here on."""
        self._timer = asyncio.ensure_future(self._flush_regularly())

    async def close(self) -> None:
        """Write what is new and close the file."""
        if self._timer:
            self._timer.cancel()
            await asyncio.wait([self._timer])
        await self.flush()
        if self._connection:
            self._connection.close()

    async def flush(self) -> None:
        """Write what is new; if that fails it stays new."""
        if not self._new and not self._gone:
            return
        self._being_written, self._new = self._new, {}
        gone, self._gone = self._gone, set()
        # A task of its own: a flush that has begun is finished, and what it could not write is kept, whoever is cancelled.
        writing = asyncio.ensure_future(asyncio.to_thread(self._write, sorted(self._being_written.items()), sorted(gone)))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            self._settle(writing, gone)
            raise
        except (sqlite3.Error, OSError):
            pass
        self._settle(writing, gone)

    def _settle(self, writing: "asyncio.Future[None]", gone: set[str]) -> None:
        error = writing.exception()
        if error is None:
            self.flushes += 1
            self._on_written()
        else:
            _log.warning("when clients were last seen was not written", extra={"error": str(error)})
            kept = {client_id: at for client_id, at in self._being_written.items() if client_id not in self._gone}
            self._new = {**kept, **self._new}
            self._gone |= gone
        self._being_written = {}

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self.flush()

    def _write(self, seen: list[tuple[str, int]], gone: list[str]) -> None:
        connection = self._connection
        if connection is None:
            connection = self._connection = _open(self._path)
            self._forget_strangers(connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany("DELETE FROM last_seen WHERE client_id = ?", [(client_id,) for client_id in gone])
            connection.executemany(
                "INSERT INTO last_seen VALUES (?, ?) ON CONFLICT (client_id) DO UPDATE SET at = excluded.at", seen
            )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _forget_strangers(self, connection: sqlite3.Connection) -> None:
        """Remove what is said of clients that were removed before the last end, if that was a sudden one."""
        connection.execute("ATTACH ? AS registry", (str(self._database),))
        connection.execute("DELETE FROM last_seen WHERE client_id NOT IN (SELECT id FROM registry.clients)")
        connection.execute("DETACH registry")


def prepare(database: Path) -> None:
    """Make the file beside `database` if there is none, and anew if it is damaged.

    Raises:
        sqlite3.Error, OSError: it cannot be made.
    """
    path = database.with_name(FILE)
    try:
        _make(path)
    except sqlite3.DatabaseError as error:
        if primary_code(error) not in _DAMAGE:
            raise
        _log.warning("the file that says when clients were last seen is damaged: it begins anew", extra={"file": str(path)})
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)
        _make(path)


def attach(connection: sqlite3.Connection, database: Path) -> None:
    """Let a connection to `database` read the file as the schema `activity`."""
    connection.execute("ATTACH ? AS activity", (read_only(database.with_name(FILE)),))


def _make(path: Path) -> None:
    path.touch(mode=0o600, exist_ok=True)
    with contextlib.closing(_open(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute(_TABLE)
        if fetch(connection, "PRAGMA quick_check(1)", ()) != [("ok",)]:
            raise _damaged()


def _damaged() -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("damaged")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA busy_timeout = 5000").fetchall()
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection
