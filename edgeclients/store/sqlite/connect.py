"""Connections and their settings (edgeclients/README.md#storage)."""

import sqlite3
from pathlib import Path
from urllib.parse import quote

from edgeclients.errors import StartError
from edgeclients.progress import Progress
from edgeclients.store.sqlite import client_set
from edgeclients.store.sqlite.ids import role_bytes, uuid_bytes

OLDEST = (3, 37, 0)  # STRICT tables

BUSY_TIMEOUT_MS = 5000  # for changes, where another program holds a lock
_STEP_OPERATIONS = 500_000  # of SQLite's virtual machine: some 10 ms on a server, a second on the slowest board

_COMMON = """
PRAGMA foreign_keys = ON;
PRAGMA temp_store = MEMORY;
PRAGMA trusted_schema = OFF;
"""

# The system caches the file as well: more does not pay.
_CACHE_KIB, _READ_CACHE_KIB = 4 * 1024, 1024
_WRITE_BACK_PAGES = 3000
LOG_LIMIT_BYTES = 7 * 1024 * 1024
"""A write-ahead log that grew larger is truncated; SQLite itself begins to write it back at 3,000 pages, 6 MiB."""


def open_writer(path: Path | str, progress: Progress) -> sqlite3.Connection:
    """The connection for changes; it creates the file if there is none. Use it in one thread at a time.

    Args:
        path: of the file.
        progress: receives the steps of long statements.

    Raises:
        StartError: SQLite is too old.
        sqlite3.Error: the file cannot be opened, or is no database.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        raise StartError(f"SQLite {sqlite3.sqlite_version} is too old: 3.37 or newer is needed")
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        report_steps(connection, progress)
        add_functions(connection)
        connection.create_function("clients_add", 2, client_set.add, deterministic=True)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_WRITE_BACK_PAGES}").fetchall()
        connection.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT_BYTES}").fetchall()
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.executescript(_COMMON)
    except BaseException:
        connection.close()
        raise
    return connection


def add_functions(connection: sqlite3.Connection) -> None:
    """Let the SQL of a connection convert ids."""
    connection.create_function("uuid_bytes", 1, uuid_bytes, deterministic=True)
    connection.create_function("role_bytes", 1, role_bytes, deterministic=True)


def report_steps(connection: sqlite3.Connection, progress: Progress) -> None:
    """Report steps to `progress` while a long statement runs."""
    connection.set_progress_handler(progress.step, _STEP_OPERATIONS)


def read_only(path: Path) -> str:
    """The URI of the database at `path` for read-only connections."""
    return f"file:{quote(str(path))}?mode=ro"


def open_reader(path: Path, busy_timeout_ms: int = 0) -> sqlite3.Connection:
    """A connection that only reads, in autocommit: each statement sees what is committed when it starts."""
    connection = sqlite3.connect(
        read_only(path), uri=True, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        connection.execute(f"PRAGMA busy_timeout = {busy_timeout_ms}").fetchall()
        connection.execute(f"PRAGMA cache_size = -{_READ_CACHE_KIB}")
        connection.executescript(_COMMON)
    except BaseException:
        connection.close()
        raise
    return connection
