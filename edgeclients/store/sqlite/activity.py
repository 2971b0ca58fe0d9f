"""When clients last proved themselves: in memory, and now and then in a file of its own beside the database.

Losing the last quarter of an hour to a power cut is no harm, so that file is not synced with every change; and written every
minute it would wear an SD card more than everything else together. A damaged one is begun anew at the next start; until
then, and wherever there is none that can be read, an empty one stands in for it.
"""

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from edgeclients.errors import StartError
from edgeclients.store.sqlite.connect import read_only
from edgeclients.store.sqlite.faults import primary_code
from edgeclients.store.sqlite.rows import fetch

_log = logging.getLogger(__name__)

FILE = "activity.db"
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_TABLE = "CREATE TABLE IF NOT EXISTS last_seen (client_id TEXT NOT NULL PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID"

Statement: TypeAlias = tuple[str, tuple[str, ...]]

_STAND_IN: list[Statement] = [("ATTACH ':memory:' AS activity", ()), (_TABLE.replace("last_seen", "activity.last_seen", 1), ())]


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
        # None for a client that is no more: one that gets its id was never seen.
        self._new: dict[str, int | None] = {}
        self._being_written: dict[str, int | None] = {}
        self._connection: sqlite3.Connection | None = None
        self._timer: asyncio.Task[None] | None = None
        self.flushes = 0

    def note(self, client_id: str) -> None:
        """`Store.note_seen`."""
        self._new[client_id] = time.time_ns() // 1000

    def forget(self, client_ids: Iterable[str]) -> None:
        """These clients are no more."""
        self._new.update(dict.fromkeys(client_ids))

    def in_memory(self) -> Mapping[str, int | None]:
        """What is newer than the file, as of now; None for what holds no longer."""
        return {**self._being_written, **self._new} if self._being_written else self._new

    def newer(self, client_id: str, written: int | None) -> int | None:
        """When a client was last seen, where the file says `written`."""
        return self._new.get(client_id, self._being_written.get(client_id, written))

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
        if not self._new:
            return
        self._being_written, self._new = self._new, {}
        # A task of its own: a flush that has begun is finished, and what it could not write is kept, whoever is cancelled.
        writing = asyncio.ensure_future(asyncio.to_thread(self._write, self._being_written))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            self._settle(writing)
            raise
        except (sqlite3.Error, OSError):
            pass
        self._settle(writing)

    def _settle(self, writing: "asyncio.Future[None]") -> None:
        error = writing.exception()
        if error is None:
            self.flushes += 1
            self._on_written()
        else:
            _log.warning("when clients were last seen was not written", extra={"error": str(error)})
            self._new = {**self._being_written, **self._new}
        self._being_written = {}

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self.flush()

    def _write(self, news: Mapping[str, int | None]) -> None:
        seen = sorted((client_id, at) for client_id, at in news.items() if at is not None)
        gone = sorted((client_id,) for client_id, at in news.items() if at is None)
        connection = self._connection
        if connection is None:
            connection = self._connection = _open(self._path)
            self._forget_strangers(connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany("DELETE FROM last_seen WHERE client_id = ?", gone)
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
        StartError: it cannot be made, or read.
    """
    path = database.with_name(FILE)
    try:
        try:
            _make(path)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            _begin_anew(path)
    except (sqlite3.Error, OSError) as error:
        raise StartError(f"{path} cannot be used ({_reason(error)}): make it writable for this user, or remove it") from error


def attaching(database: Path) -> list[Statement]:
    """Statements that let a connection to `database` read the file as the schema `activity`."""
    path = database.with_name(FILE)
    return [("ATTACH ? AS activity", (read_only(path),))] if _is_readable(path) else _STAND_IN


def doing_without() -> list[Statement]:
    """Statements that let what was attached go, so that an empty file is read instead."""
    _log.error("when clients were last seen cannot be read: that file is begun anew at the next start")
    return [("DETACH activity", ()), *_STAND_IN]


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that a file is damaged, this one or another."""
    return primary_code(error) in _DAMAGE


def _is_readable(path: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(read_only(path), uri=True)) as connection:
            fetch(connection, "SELECT at FROM last_seen LIMIT 1", ())
    except sqlite3.Error as error:
        return primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return True


def _begin_anew(path: Path) -> None:
    _log.warning("the file that says when clients were last seen is damaged: it begins anew", extra={"file": str(path)})
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
    _make(path)


def _reason(error: sqlite3.Error | OSError) -> str:
    return error.strerror or "" if isinstance(error, OSError) else str(error)


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
