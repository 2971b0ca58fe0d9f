"""Translates SQLite's errors to domain errors. The driver's text goes to the log and to the administrator of the file."""

import logging
import sqlite3

from edgeclients.errors import Busy, DomainError, Internal, QueryTimedOut, StorageFull, Unavailable

_log = logging.getLogger(__name__)

_NO_SHARED_MEMORY = sqlite3.SQLITE_IOERR_SHMSIZE  # a disk that is full takes no -shm file either, which is no fault of the disk

_MEANING: dict[int, type[DomainError]] = {
    sqlite3.SQLITE_FULL: StorageFull,
    sqlite3.SQLITE_BUSY: Busy,
    sqlite3.SQLITE_LOCKED: Busy,
    sqlite3.SQLITE_INTERRUPT: QueryTimedOut,
    sqlite3.SQLITE_IOERR: Unavailable,
    sqlite3.SQLITE_CANTOPEN: Unavailable,
    sqlite3.SQLITE_READONLY: Unavailable,
    sqlite3.SQLITE_CORRUPT: Unavailable,
    sqlite3.SQLITE_NOTADB: Unavailable,
}


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code of `error`; 0 where the driver gave none."""
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return sqlite3.SQLITE_FULL if code == _NO_SHARED_MEMORY else code & 0xFF


def translate(error: BaseException) -> BaseException:
    """The domain error for an error of SQLite; anything else unchanged."""
    if not isinstance(error, sqlite3.Error):
        return error
    meaning = _MEANING.get(primary_code(error), Internal)
    detail = f"{getattr(error, 'sqlite_errorname', '')} {error}"
    if meaning is not QueryTimedOut:
        _log.error("sqlite failed", extra={"error": detail})
    return meaning(detail)
