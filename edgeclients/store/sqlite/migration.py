"""Migration of a database file to this program's schema."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgeclients.errors import StartError
from edgeclients.progress import Progress
from edgeclients.store.migrate import Migration, available, pending
from edgeclients.store.sqlite.connect import open_writer
from edgeclients.store.sqlite.rebuild import rebuild, replace

_COPIED_PAGES = 1024  # between two reports of progress

_TABLE = """(
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT
"""
_RECORD = f"CREATE TABLE IF NOT EXISTS schema_migrations {_TABLE}"
_COPY_RECORD = (
    f"CREATE TABLE new.schema_migrations {_TABLE}",
    "INSERT INTO new.schema_migrations SELECT * FROM main.schema_migrations",
)


def migrate(connection: sqlite3.Connection, path: Path, folder: Path, progress: Progress) -> sqlite3.Connection:
    """Apply the migrations of `folder` that the database at `path` lacks, each in one transaction.

    A database that has some is kept as `<name>.schema-<version>`. `progress` receives a step for each part of a copy, and
    for each statement.

    Returns:
        The connection to use from now on; `connection`, or one to a new file.

    Raises:
        StartError: its schema is newer than this program, or it is another program's.
        sqlite3.Error: it is open in another program, or the disk is full.
    """
    tables = _check_owner(connection, path)
    applied = _applied(connection) if tables else {}
    wanted = pending(available(folder), applied, str(path))
    if not applied:
        return _create(connection, path, wanted, progress)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    return _upgrade(connection, path, wanted, path.with_name(f"{path.name}.schema-{max(applied)}"), progress)


def check_current(connection: sqlite3.Connection, path: Path, folder: Path) -> None:
    """Return if the database at `path` has all migrations of `folder`; nothing is changed.

    Raises:
        StartError: it does not, its schema is newer than this program, or it is another program's.
    """
    if version(connection, path, folder) < len(available(folder)):
        raise StartError(f"{path} has the schema of an older edgeclients: start the service of this version once")


def version(connection: sqlite3.Connection, path: Path, folder: Path) -> int:
    """The version of the schema that the database at `path` has; 0 for an empty one.

    Raises:
        StartError: it is newer than `folder`, or the database is another program's.
    """
    tables = _check_owner(connection, path)
    applied = _applied(connection) if tables else {}
    pending(available(folder), applied, str(path))
    return len(applied)


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


def _create(connection: sqlite3.Connection, path: Path, wanted: Sequence[Migration], progress: Progress) -> sqlite3.Connection:
    """Fill the empty database of `connection`; one that will be rebuilt is filled in memory until then."""
    rebuilding = [place for place, migration in enumerate(wanted) if migration.rebuilds]
    if not rebuilding:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute(_RECORD)
        return _upgrade(connection, path, wanted, None, progress)
    connection.close()
    memory = open_writer(":memory:", progress)
    memory.execute(_RECORD)
    for migration in wanted[: rebuilding[0]]:
        _apply(memory, migration, progress)
    return _upgrade(memory, path, wanted[rebuilding[0] :], None, progress)


def _upgrade(
    connection: sqlite3.Connection, path: Path, wanted: Sequence[Migration], kept: Path | None, progress: Progress
) -> sqlite3.Connection:
    """Apply the migrations; the database as it was stays as `kept`."""
    for migration in wanted:
        if migration.rebuilds:
            connection = _rebuild(connection, path, migration, kept, progress)
        else:
            if kept is not None:
                _backup(connection, kept, progress)
            _apply(connection, migration, progress)
        kept = None
    return connection


def _apply(connection: sqlite3.Connection, migration: Migration, progress: Progress) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        _run(connection, migration, "main", progress)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _run(connection: sqlite3.Connection, migration: Migration, schema: str, progress: Progress) -> None:
    """Run the statements of a migration, and record it in `schema`."""
    for statement in _statements(migration.sql):
        connection.execute(statement)
        progress.step()
    connection.execute(
        f"INSERT INTO {schema}.schema_migrations VALUES (?, ?, ?, ?)",
        (migration.version, migration.name, migration.checksum, time.time_ns() // 1000),
    )


def _rebuild(
    source: sqlite3.Connection, path: Path, migration: Migration, kept: Path | None, progress: Progress
) -> sqlite3.Connection:
    def fill() -> None:
        for statement in _COPY_RECORD:
            source.execute(statement)
        _run(source, migration, "new", progress)

    replace(source, path, rebuild(source, path, fill), kept)
    connection = open_writer(path, progress)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    return connection


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
