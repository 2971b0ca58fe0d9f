"""Reads a database file without leaving a trace, whether a service uses it or not."""

import errno
import os
import sqlite3
from pathlib import Path

from edgeclients.store.clock import StoredTime
from edgeclients.store.sqlite import completeness
from edgeclients.store.sqlite.connect import read_only
from edgeclients.store.sqlite.rows import fetch

_SETTINGS = """
PRAGMA busy_timeout = 5000;
PRAGMA cache_size = -1024;
PRAGMA trusted_schema = OFF;
"""


def open_quietly(path: Path) -> sqlite3.Connection:
    """A connection that only reads the database at `path`, and leaves its folder as it was.

    Its files are open when this returns, so another user may go on with it.

    Raises:
        sqlite3.Error: it cannot be opened, or is no database.
        OSError: there is no such file, or only its owner can read it without leaving a trace.
    """
    connection = sqlite3.connect(_address(path), uri=True, isolation_level=None)
    try:
        connection.executescript(_SETTINGS)
        fetch(connection, "SELECT count(*) FROM sqlite_schema", ())
    except BaseException:
        connection.close()
        raise
    return connection


def _address(path: Path) -> str:
    if completeness.has_log(path):
        return read_only(path)
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return f"{read_only(path)}&immutable=1"  # reading would make files beside it
    if not os.access(path, os.W_OK, effective_ids=True):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    # A connection that may not write would leave an empty log behind, and a database that has lost its log would look whole.
    return read_only(path).replace("mode=ro", "mode=rw")


def check_integrity(connection: sqlite3.Connection) -> None:
    """Return if SQLite finds no fault in the database; it reads all of it.

    Raises:
        sqlite3.DatabaseError: it is damaged, or cannot be read.
    """
    ((found,),) = fetch(connection, "PRAGMA integrity_check(1)", ())
    if found != "ok":
        error = sqlite3.DatabaseError(found)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def columns(connection: sqlite3.Connection, table: str) -> set[str]:
    """The names of a table's columns; none if there is no such table."""
    return {name for _, name, *_ in fetch(connection, f"PRAGMA table_info({table})", ())}


def stored_time(connection: sqlite3.Connection) -> StoredTime:
    """The time state of the database, as far as its schema has one."""
    known = [name for name in StoredTime._fields if name in columns(connection, "store_state")]
    (values,) = fetch(connection, f"SELECT {', '.join(known)} FROM store_state", ())
    return StoredTime(*values)


def count_clients(connection: sqlite3.Connection) -> int:
    """How many clients there are, of all domains."""
    table = "client_rows" if columns(connection, "client_rows") else "clients"
    ((count,),) = fetch(connection, f"SELECT count(*) FROM {table}", ())
    return int(count)
