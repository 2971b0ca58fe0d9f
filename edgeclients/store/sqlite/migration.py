"""Migration of a database file to this program's schema."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from edgeclients.errors import StartError
from edgeclients.progress import Progress
from edgeclients.store.migrate import Migration, available, pending

_COPIED_PAGES = 1024  # between two reports of progress

_RECORD = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT
"""


def migrate(connection: sqlite3.Connection, path: Path, folder: Path, progress: Progress) -> None:
    """Apply the migrations of `folder` that the database at `path` lacks, each in one transaction.

    A database that has some is first copied to `<name>.schema-<version>`. `progress` receives a step for each part of the
    copy, and for each statement.

    Raises:
        StartError: its schema is newer than this program, or it is another program's.
    """
    _check_owner(connection, path)
    # Only after the owner is checked: this changes the file.
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute(_RECORD)
    applied = _applied(connection)
    wanted = pending(available(folder), applied, str(path))
    if wanted and applied:
        _backup(connection, path.with_name(f"{path.name}.schema-{max(applied)}"), progress)
    for migration in wanted:
        _apply(connection, migration, progress)


def check_current(connection: sqlite3.Connection, path: Path, folder: Path) -> None:
    """Return if the database at `path` has all migrations of `folder`; nothing is changed.

    Raises:
        StartError: it does not, its schema is newer than this program, or it is another program's.
    """
    tables = _check_owner(connection, path)
    applied = _applied(connection) if tables else {}
    if pending(available(folder), applied, str(path)):
        raise StartError(f"{path} has the schema of an older edgeclients: start the service of this version once")


def _check_owner(connection: sqlite3.Connection, path: Path) -> set[str]:
    """The names of all tables.

    Raises:
        StartError: they are another program's.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()}
    if "gorp_migrations" in tables:
        raise StartError(f"{path} belongs to the original Magistrala service: use an empty data directory")
    if tables and "schema_migrations" not in tables:
        raise StartError(f"{path} is not a database of edgeclients: use another data directory")
    return tables


def _applied(connection: sqlite3.Connection) -> dict[int, str]:
    return dict(connection.execute("SELECT version, checksum FROM schema_migrations").fetchall())


def _apply(connection: sqlite3.Connection, migration: Migration, progress: Progress) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _statements(migration.sql):
            connection.execute(statement)
            progress.step()
        connection.execute(
            "INSERT INTO schema_migrations VALUES (?, ?, ?, ?)",
            (migration.version, migration.name, migration.checksum, time.time_ns() // 1000),
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(sql: str) -> Iterator[str]:
    """The statements of a file one by one: `executescript` would commit between them."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


def _backup(connection: sqlite3.Connection, target: Path, progress: Progress) -> None:
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    copy = sqlite3.connect(target)
    try:
        connection.backup(copy, pages=_COPIED_PAGES, progress=lambda *_: progress.step())
    finally:
        copy.close()
