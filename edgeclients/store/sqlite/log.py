"""Truncates the write-ahead log that one large transaction, or a slow reader, has made large.

SQLite writes the log back and begins it anew by itself, but truncates it only at the next change, which may come tomorrow.
"""

import logging
import sqlite3
from pathlib import Path

from edgeclients.store.sqlite.connect import BUSY_TIMEOUT_MS, LOG_LIMIT_BYTES
from edgeclients.store.sqlite.rows import fetch

_log = logging.getLogger(__name__)


class WriteAheadLog:
    """The log of the database at `path`. Use it in the thread of `connection`, which writes."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path.with_name(f"{path.name}-wal")
        self.is_bounded = True

    def bound(self) -> None:
        """Write the log back and truncate it if it is large; `is_bounded` says whether it no longer is."""
        self.is_bounded = self._size() <= LOG_LIMIT_BYTES or self._truncate()

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:  # somebody has removed it
            return 0

    def _truncate(self) -> bool:
        # Changes wait meanwhile, so readers are not waited for.
        self._connection.execute("PRAGMA busy_timeout = 0").close()
        try:
            ((busy, *_),) = fetch(self._connection, "PRAGMA wal_checkpoint(TRUNCATE)", ())
        except sqlite3.Error as error:  # a change meets the same fault, and its caller is told
            _log.warning("the write-ahead log could not be truncated", extra={"error": str(error)})
            return True
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}").close()
        return not busy
