"""When clients last authenticated, and denied logins, in a file next to the database that is not synced with every change.

The next start recreates a damaged file. Until then, and wherever the file cannot be read, an empty table in memory
replaces it.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec
from typing_extensions import override

from edgeclients.errors import StartError
from edgeclients.progress import Progress
from edgeclients.store.activity import Activity
from edgeclients.store.denials import RING_ROWS, Denied, Found
from edgeclients.store.journal import REMOVE
from edgeclients.store.sqlite.connect import add_functions, open_reader, read_only, report_steps
from edgeclients.store.sqlite.faults import primary_code
from edgeclients.store.sqlite.ids import uuid_bytes
from edgeclients.store.sqlite.names import numbered
from edgeclients.store.sqlite.rows import fetch, named

_log = logging.getLogger(__name__)

FILE = "activity.db"
_BUSY_TIMEOUT_MS = 5000
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS {schema}.seen_rows (
    id BLOB NOT NULL PRIMARY KEY, -- the 16 bytes of a UUID
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS {schema}.seen_rows_by_time ON seen_rows (at);
CREATE TABLE IF NOT EXISTS {schema}.denial_rows (
    hour INTEGER NOT NULL, -- when it began
    client BLOB NOT NULL, -- the 16 bytes of a UUID, none for unknown names
    domain TEXT NOT NULL,
    count INTEGER NOT NULL,
    at INTEGER NOT NULL, -- when the last was denied
    n INTEGER NOT NULL, -- of the newest entry of the journal when the first was counted
    PRIMARY KEY (hour, client)
) STRICT, WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS {schema}.last_seen AS
SELECT
    lower(
        substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) || '-' || substr(hex(id), 17, 4)
        || '-' || substr(hex(id), 21)
    ) AS client_id, at, id AS id_bytes
FROM seen_rows;
CREATE VIEW IF NOT EXISTS {schema}.denials AS
SELECT
    hour, CASE client WHEN x'' THEN '' ELSE lower(
        substr(hex(client), 1, 8) || '-' || substr(hex(client), 9, 4) || '-' || substr(hex(client), 13, 4) || '-'
        || substr(hex(client), 17, 4) || '-' || substr(hex(client), 21)
    ) END AS client_id, domain AS domain_id, count, at, n, client
FROM denial_rows;
"""
_DENIED = """
INSERT INTO denial_rows VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (hour, client) DO UPDATE SET count = count + excluded.count, at = max(at, excluded.at)
"""
_TRIM_DENIALS = f"""
DELETE FROM denial_rows WHERE (hour, client) IN (
    SELECT hour, client FROM denial_rows ORDER BY hour, client LIMIT max(0, (SELECT count(*) FROM denial_rows) - {RING_ROWS})
)
"""
_FIND = f"""
SELECT wanted.value, coalesce(
    (SELECT {named("domain")} FROM client_rows WHERE id = uuid_bytes(wanted.value)),
    (
        SELECT {named("domain")} FROM journal_rows
        WHERE client = uuid_bytes(wanted.value) AND client <> x'' AND operation = {numbered(f"'{REMOVE}'")}
        ORDER BY n DESC LIMIT 1
    )
) AS domain_id FROM json_each(?) wanted WHERE domain_id IS NOT NULL
"""

# The file of earlier versions has a table of that name, with the UUID as text.
_IS_OLD = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'last_seen'"
_CONVERT = "INSERT INTO seen_rows SELECT uuid_bytes(client_id), at FROM last_seen WHERE uuid_bytes(client_id) <> x''"

Statement: TypeAlias = tuple[str, tuple[str, ...]]

_EMPTY_ATTACHED: list[Statement] = [
    ("ATTACH ':memory:' AS activity", ()),
    *((sql, ()) for sql in _SCHEMA.format(schema="activity").split(";")[:-1]),
]


class SqliteActivity(Activity):
    """See `store.activity`.

    Args:
        database: the clients' database; the file is in the same folder.
        seconds: the interval of writing.
        now: the store's time.
        on_written: called after the file has changed.
    """

    def __init__(self, database: Path, seconds: float, now: Callable[[], int], on_written: Callable[[], None]) -> None:
        super().__init__(seconds, now)
        self._database = database
        self._path = database.with_name(FILE)
        self._on_written = on_written
        self._connection: sqlite3.Connection | None = None

    @override
    async def close(self) -> None:
        await super().close()
        if self._connection:
            self._connection.close()

    @override
    async def _write(self, news: Mapping[str, int | None], denied: Sequence[Denied]) -> None:
        await asyncio.to_thread(self._write_file, news, denied)
        self._on_written()

    @override
    async def _find(self, names: Sequence[str]) -> Found:
        return await asyncio.to_thread(self._find_in_file, names)

    def _find_in_file(self, names: Sequence[str]) -> Found:
        with contextlib.closing(open_reader(self._database, _BUSY_TIMEOUT_MS)) as reader:
            add_functions(reader)
            newest = fetch(reader, "SELECT journal_seq FROM store_state", ())[0][0]
            return Found(dict(fetch(reader, _FIND, (msgspec.json.encode(names).decode(),))), newest)

    def _write_file(self, news: Mapping[str, int | None], denied: Sequence[Denied]) -> None:
        seen = sorted((uuid_bytes(client_id), at) for client_id, at in news.items() if at is not None)
        gone = sorted((uuid_bytes(client_id),) for client_id, at in news.items() if at is None)
        connection = self._connection
        if connection is None:
            connection = self._connection = _open(self._path)
            self._delete_unknown(connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany("DELETE FROM seen_rows WHERE id = ?", gone)
            connection.executemany(
                "INSERT INTO seen_rows VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET at = max(at, excluded.at)", seen
            )
            if denied:
                rows = [(one.hour, uuid_bytes(one.client_id), one.domain_id, one.times, one.at, one.n) for one in denied]
                connection.executemany(_DENIED, rows)
                connection.execute(_TRIM_DENIALS)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _delete_unknown(self, connection: sqlite3.Connection) -> None:
        """Delete the rows of clients that no longer exist: a crash may have left some."""
        connection.execute("ATTACH ? AS registry", (str(self._database),))
        try:
            connection.execute("DELETE FROM seen_rows WHERE id NOT IN (SELECT id FROM registry.client_rows)")
        finally:
            connection.execute("DETACH registry")


def prepare(database: Path, progress: Progress) -> None:
    """Create the file next to `database` if it is missing, and recreate it if it is damaged; `progress` receives steps.

    Raises:
        StartError: it cannot be created or read.
    """
    path = database.with_name(FILE)
    try:
        try:
            _create(path, progress)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            _recreate(path, progress)
    except (sqlite3.Error, OSError) as error:
        raise StartError(
            f"{path} cannot be used ({_reason(error)}): check that the disk has space and this user may write it, or remove it"
        ) from error


def check_readable(database: Path) -> None:
    """Return if the file next to `database` can be read, or does not exist.

    Raises:
        StartError: it is damaged.
    """
    path = database.with_name(FILE)
    if path.exists() and not _is_readable(path):
        raise StartError(f"{path} is damaged: start the service once, which recreates it, or remove it")


def attaching(database: Path) -> list[Statement]:
    """Statements with which a connection to `database` attaches the file as the schema `activity`."""
    path = database.with_name(FILE)
    return [("ATTACH ? AS activity", (read_only(path),))] if _is_readable(path) else _EMPTY_ATTACHED


def detaching() -> list[Statement]:
    """Statements that detach the file and attach an empty table instead; logs an error."""
    _log.error("the file of last-seen times cannot be read: the next start recreates it")
    return [("DETACH activity", ()), *_EMPTY_ATTACHED]


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite reports a damaged file, this one or another."""
    return primary_code(error) in _DAMAGE


def _is_readable(path: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(read_only(path), uri=True)) as connection:
            fetch(connection, "SELECT at FROM seen_rows LIMIT 1", ())
    except sqlite3.Error as error:
        return primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return True


def _recreate(path: Path, progress: Progress) -> None:
    _log.warning("the file of last-seen times is damaged and is recreated", extra={"file": str(path)})
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
    _create(path, progress)


def _reason(error: sqlite3.Error | OSError) -> str:
    return error.strerror or "" if isinstance(error, OSError) else str(error)


def _create(path: Path, progress: Progress) -> None:
    path.touch(mode=0o600, exist_ok=True)
    with contextlib.closing(_open(path)) as connection:
        report_steps(connection, progress)
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        _create_tables(connection)
        if fetch(connection, "PRAGMA quick_check(1)", ()) != [("ok",)]:
            raise _damaged()


def _create_tables(connection: sqlite3.Connection) -> None:
    table, *others = _SCHEMA.format(schema="main").split(";")[:-1]
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(table)
    if fetch(connection, _IS_OLD, ()):
        connection.execute(_CONVERT)
        connection.execute("DROP TABLE last_seen")
    for sql in others:
        connection.execute(sql)
    connection.execute("COMMIT")


def _damaged() -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("damaged")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}").fetchall()
        connection.execute("PRAGMA synchronous = NORMAL")
        add_functions(connection)
    except BaseException:
        connection.close()
        raise
    return connection
