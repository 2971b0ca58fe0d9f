"""Detects an incomplete database file: one copied without its `-wal`, or a new one next to older files.

SQLite opens both without an error. Two things reveal them: a mark in the file that is set while a service uses it, and
files of an earlier database in the data directory.
"""

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

from edgeclients.store.sqlite.rows import fetch

LOG_MISSING: Final = "write_ahead_log_missing"
BEGUN_ANEW: Final = "begun_anew"

TEXTS: Final = {
    LOG_MISSING: "a service was using the database, and its -wal file is missing: the newest changes may be missing with it; "
    "stop the service and restore both files",
    BEGUN_ANEW: "the database is new and the data directory is not: all earlier clients are missing; "
    "stop the service and restore clients.db with its -wal file",
}

CLEAR_MARK: Final = "UPDATE store_state SET in_use = 0 WHERE id = 1"
_SET_MARK = "UPDATE store_state SET in_use = 1 WHERE id = 1"


def has_log(path: Path) -> bool:
    """Whether the database has a write-ahead log; call it before opening the database, which creates one."""
    return path.with_name(f"{path.name}-wal").exists()


def is_marked(connection: sqlite3.Connection) -> bool:
    """Whether a service uses the database, or ended without closing it."""
    return bool(fetch(connection, "SELECT in_use FROM store_state", ())[0][0])


def mark(connection: sqlite3.Connection) -> None:
    """Mark the file itself as in use."""
    connection.execute(_SET_MARK)
    fetch(connection, "PRAGMA wal_checkpoint(TRUNCATE)", ())


def unmark_if_abandoned(connection: sqlite3.Connection, lock: Path) -> None:
    """Clear the mark of a killed service: closing this connection writes the whole log back and removes it."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        connection.execute(CLEAR_MARK)
    except OSError:  # a service runs
        pass
    finally:
        os.close(descriptor)
