"""Copies a database file for a backup, and makes a restored one one of its own (packaging/operations/backup.md#inside)."""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgeclients.store.sqlite import completeness
from edgeclients.store.sqlite.quiet import check_integrity, columns
from edgeclients.store.sqlite.rows import fetch

LEFT_OUT: Final[Sequence[str]] = ()
"""The tables whose rows a backup leaves out, and a restore deletes: tokens of people who have logged in."""

# Event ids begin with the store's id. With another one, none is used again, though the numbers are those of the backup.
_NEW_STORE = "UPDATE relay SET store_id = lower(hex(randomblob(16))), lease_owner = NULL, lease_until = 0"


def copy(connection: sqlite3.Connection, target: Path, left_out: Sequence[str] = LEFT_OUT) -> None:
    """Write the database of `connection`, as it is at this moment, to the new file `target`, and check the copy.

    A service may go on with the database. The copy holds nothing of deleted rows, and is not marked as in use.

    Args:
        connection: of `open_quietly`.
        target: the file.
        left_out: the tables whose rows are not copied.

    Raises:
        sqlite3.Error: the database is damaged or cannot be read, or the copy cannot be written.
        OSError: the copy cannot be written.
    """
    target.touch(mode=0o600, exist_ok=False)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("VACUUM INTO ?", (str(target),)).close()
    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copied:
        # A copy that is not complete is never used, so it needs no journal.
        for setting in ("journal_mode = OFF", "synchronous = OFF", "secure_delete = ON"):
            fetch(copied, f"PRAGMA {setting}", ())
        _delete_rows(copied, left_out)
        if "in_use" in columns(copied, "store_state"):
            copied.execute(completeness.CLEAR_MARK)
        check_integrity(copied)


def make_own(connection: sqlite3.Connection, left_out: Sequence[str] = LEFT_OUT) -> None:
    """Make a restored database one of its own: with another id, used by nobody, without rows of `left_out`.

    Args:
        connection: to a database with the current schema.
        left_out: the tables whose rows are deleted.
    """
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_NEW_STORE)
    connection.execute(completeness.CLEAR_MARK)
    _delete_rows(connection, left_out)
    connection.execute("COMMIT")


def _delete_rows(connection: sqlite3.Connection, tables: Sequence[str]) -> None:
    for table in tables:
        if columns(connection, table):  # an older schema lacks some
            connection.execute(f"DELETE FROM {table}")
