"""Copies a data directory's databases for a backup. They are read as the owner of the directory, and written as this user."""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from edgeclients.files import schema_path
from edgeclients.ops.backup import folder
from edgeclients.ops.backup.manifest import ACTIVITY, DATABASE
from edgeclients.store.clock import StoredTime
from edgeclients.store.sqlite import activity, migration, quiet, snapshot
from edgeclients.store.sqlite.database import start_errors
from edgeclients.store.sqlite.faults import primary_code
from edgeclients.wiring.owner import acting_as_owner


class Copies(NamedTuple):
    """The copied files by name, and what the database says of itself."""

    files: Mapping[str, Path]
    schema: int
    clients: int
    time: StoredTime

    @property
    def has_activity(self) -> bool:
        """Whether they include the last-seen times."""
        return ACTIVITY in self.files


def make(data: Path, scratch: Path) -> Copies:
    """Copy the databases of the data directory into the folder `scratch`.

    A damaged file of last-seen times is left out: the service recreates it, too.

    Raises:
        StartError: they cannot be read, are damaged, or are another program's; or the copy cannot be written.
    """
    path, target = data / DATABASE, scratch / DATABASE
    with start_errors(path), _reading(path) as connection:
        schema = migration.version(connection, path, schema_path("sqlite"))
        with write_errors(scratch.parent):
            snapshot.copy(connection, target)
    files = {DATABASE: target}
    if _copy_activity(data / ACTIVITY, scratch):
        files = {ACTIVITY: scratch / ACTIVITY, **files}
    with contextlib.closing(sqlite3.connect(target)) as copied:
        return Copies(files, schema, quiet.count_clients(copied), quiet.stored_time(copied))


@contextlib.contextmanager
def write_errors(folder_of_backup: Path) -> Iterator[None]:
    """Raise what the folder of the backup does not take as `StartError`."""
    try:
        yield
    except OSError as error:
        raise folder.unwritable(folder_of_backup, error) from error
    except sqlite3.Error as error:
        if primary_code(error) != sqlite3.SQLITE_FULL:
            raise
        raise folder.unwritable(folder_of_backup, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) from error


def _copy_activity(path: Path, scratch: Path) -> bool:
    """Copy the file of last-seen times; False if it is missing or damaged."""
    if not path.exists():
        return False
    with start_errors(path):
        try:
            with _reading(path) as connection, write_errors(scratch.parent):
                snapshot.copy(connection, scratch / path.name, ())
        except sqlite3.Error as error:
            if not activity.is_damage(error):
                raise
            return False
    return True


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a database, opened and closed as the owner of its folder."""
    with acting_as_owner(path.parent):
        connection = quiet.open_quietly(path)
    try:
        yield connection
    finally:
        with acting_as_owner(path.parent):
            connection.close()
