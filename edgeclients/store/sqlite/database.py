"""An open, migrated database file, before the service uses it."""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from edgeclients.errors import StartError
from edgeclients.files import remedy, schema_path
from edgeclients.progress import Progress
from edgeclients.store.clock import StoredTime
from edgeclients.store.datadir import LOCK
from edgeclients.store.sqlite import activity, completeness, peppers, search, settlement
from edgeclients.store.sqlite.connect import open_writer
from edgeclients.store.sqlite.faults import primary_code
from edgeclients.store.sqlite.migration import check_current, migrate


class SqliteDatabase:
    """An open, migrated database file, before the service uses it.

    Args:
        path: the file; it is created if it does not exist.
        upgrade: whether to apply missing migrations; otherwise a missing one is an error.
        progress: receives the steps of the migration, and of the writer that uses the connection afterwards.

    Raises:
        StartError: its schema is newer than the program, it is another program's, corrupt, or cannot be written.
    """

    def __init__(self, path: Path, *, upgrade: bool = True, progress: Progress | None = None) -> None:
        self.path = path
        self.progress = progress or Progress()
        had_log = completeness.has_log(path)
        try:
            if upgrade:
                path.touch(mode=0o600, exist_ok=True)
            self.connection = open_writer(path, self.progress)
        except (sqlite3.Error, OSError) as error:
            raise _start_error(path, error) from error
        try:
            with self.start_errors():
                if upgrade:
                    activity.prepare(path, self.progress)
                    self.connection = migrate(self.connection, path, schema_path("sqlite"), self.progress)
                    search.catch_up(self.connection, self.progress)
                else:
                    check_current(self.connection, path, schema_path("sqlite"))
                marked = completeness.is_marked(self.connection)
                self.lacks_log = marked and not had_log
                if marked and had_log and not upgrade:
                    completeness.unmark_if_abandoned(self.connection, path.with_name(LOCK))
                self.time = StoredTime(
                    *self.connection.execute("SELECT newest_at, steady_since FROM store_state").fetchall()[0]
                )
        except BaseException:
            self.connection.close()
            raise
        self.in_use = False

    def use(self, *, have_reader: bool = True) -> None:
        """Mark the file as in use by a service; the store that uses it clears the mark when it closes.

        Args:
            have_reader: whether somebody reads the service's events; if nobody ever did, they are not kept.
        """
        with self.start_errors():
            settlement.keep_events(self.connection, have_reader=have_reader)
            completeness.mark(self.connection)
        self.in_use = True

    def is_new(self) -> bool:
        """Whether no service has used it yet."""
        with self.start_errors():
            return not peppers.known(self.connection)

    def has_peppers(self) -> bool:
        """Whether secrets in it may need an existing pepper."""
        with self.start_errors():
            return any(peppers.rows_of(self.connection, key_id) for key_id in peppers.known(self.connection))

    def knows_pepper(self, key_id: str) -> bool:
        """Whether the service has used the pepper with this key id."""
        with self.start_errors():
            return key_id in peppers.known(self.connection)

    def record_peppers(self, given: Mapping[str, bytes]) -> None:
        """Check the given peppers (check value by key id) against the rows; see `peppers.check_and_record`."""
        with self.start_errors():
            peppers.check_and_record(self.connection, given)

    def argon2_schemes(self) -> frozenset[str]:
        """The argon2 schemes of all chosen secrets."""
        with self.start_errors():
            return peppers.argon2_schemes(self.connection)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def start_errors(self) -> AbstractContextManager[None]:
        """`start_errors` of this file: the service does not run yet."""
        return start_errors(self.path)


@contextlib.contextmanager
def start_errors(path: Path) -> Iterator[None]:
    """Raise errors of SQLite and of the file system as `StartError` about the database at `path`.

    Raises:
        StartError: see `_start_error`.
    """
    try:
        yield
    except (sqlite3.Error, OSError, IndexError) as error:
        raise _start_error(path, error) from error


def _start_error(path: Path, error: Exception) -> StartError:
    if isinstance(error, OSError) and error.filename not in {None, str(path)}:
        return StartError(f"{error.filename} cannot be read ({error.strerror})")
    if isinstance(error, OSError):
        return StartError(
            f"database {path} cannot be opened ({error.strerror}): {remedy(error, 'make it writable for this user')}"
        )
    code = primary_code(error) if isinstance(error, sqlite3.Error) else 0
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return StartError(f"database {path} is damaged: restore it from the backup")
    if code == sqlite3.SQLITE_BUSY:
        return StartError(f"database {path} is in use by another program: stop that program")
    if code == sqlite3.SQLITE_FULL:
        return StartError(f"database {path} cannot be written, the disk is full: free some space")
    return StartError(f"database {path} cannot be used ({error}): check that its folder is writable and the disk healthy")
