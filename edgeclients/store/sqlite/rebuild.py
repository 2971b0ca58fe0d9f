"""A migration that writes a new file: half the space of one that changes the old file, and no page of it is empty.

The new file takes the old one's place in one step. Until then, whatever happens, the old one is the database.
"""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from edgeclients.files import sync_directory

PAGE_BYTES = 2048
"""A change writes whole pages, most of them for one row: half of SQLite's usual size (tests/perf, `written`)."""

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}  # FAT and some network file systems


def rebuild(source: sqlite3.Connection, path: Path, fill: Callable[[], None]) -> Path:
    """Write the new file of the database at `path`, synced, and return its path.

    Args:
        source: the old database; the new one is attached to it as `new`. It is locked until it is closed.
        path: of the old database.
        fill: creates and fills the tables.

    Raises:
        sqlite3.OperationalError: another program has the old file open, or the disk is full.
    """
    target = path.with_name(f"{path.name}.new")
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    try:
        _attach(source, target)
        fill()
        source.execute("COMMIT")
        _sync(target)
    except BaseException:
        source.close()
        target.unlink(missing_ok=True)
        raise
    return target


def replace(source: sqlite3.Connection, path: Path, target: Path, keep: Path | None) -> None:
    """Put the file at `target` in the place of the one at `path`, which stays as `keep`. Closes `source`."""
    source.execute("DETACH new")
    source.execute("PRAGMA main.journal_mode = DELETE").fetchall()  # a log that stays would become the new file's
    source.close()
    if keep is not None:
        _keep(path, keep)
    target.replace(path)
    sync_directory(path.parent)


def _attach(source: sqlite3.Connection, target: Path) -> None:
    source.execute("ATTACH ? AS new", (str(target),))
    # Without a journal: a file that is not complete is never used.
    for setting in (f"page_size = {PAGE_BYTES}", "journal_mode = OFF", "synchronous = OFF"):
        source.execute(f"PRAGMA new.{setting}").fetchall()
    source.execute("PRAGMA temp_store = FILE")  # the order of an index of a million rows
    source.execute("PRAGMA main.locking_mode = EXCLUSIVE").fetchall()
    source.execute("BEGIN EXCLUSIVE")


def _keep(path: Path, kept: Path) -> None:
    """Let the file at `path` have the name `kept`, too."""
    kept.unlink(missing_ok=True)
    try:
        os.link(path, kept)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        kept.touch(mode=0o600)
        shutil.copyfile(path, kept)
        _sync(kept)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
