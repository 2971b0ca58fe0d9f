"""Whether a database file is all there is of it: it may have been copied without its `-wal`, or begun anew beside old files.

SQLite opens both without a word. What gives them away is a mark in the file itself, that is there while a service has it in
use, and the files that an earlier database has left in the data directory.
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
    LOG_MISSING: "a service had the database in use, and its -wal file is missing: the newest changes may be missing with it; "
    "stop the service and restore both files",
    BEGUN_ANEW: "the database is new and the data directory is not: whatever clients there were are missing; "
    "stop the service and restore clients.db with its -wal file",
}

RELEASE: Final = "UPDATE store_state SET in_use = 0 WHERE id = 1"
_TAKE = "UPDATE store_state SET in_use = 1 WHERE id = 1"


def has_log(path: Path) -> bool:
    """Whether there is a write-ahead log beside the database; to be asked before that is opened, which makes one."""
    return path.with_name(f"{path.name}-wal").exists()


def is_marked(connection: sqlite3.Connection) -> bool:
    """Whether a service has the database in use, or ended without closing it."""
    return bool(fetch(connection, "SELECT in_use FROM store_state", ())[0][0])


def mark(connection: sqlite3.Connection) -> None:
    """Say in the file itself that it is in use."""
    connection.execute(_TAKE)
    fetch(connection, "PRAGMA wal_checkpoint(TRUNCATE)", ())


def unmark_if_abandoned(connection: sqlite3.Connection, lock: Path) -> None:
    """Take the mark of a service that was killed away: closing this connection removes the log, with all of it written back."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        connection.execute(RELEASE)
    except OSError:  # a service runs
        pass
    finally:
        os.close(descriptor)
