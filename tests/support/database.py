"""The database file of a service, looked at from outside."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of one's own, in autocommit."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def rows(data: Path, sql: str, parameters: tuple[object, ...] = ()) -> list[Any]:
    """What a query finds in the data directory's database."""
    with opened(data / "clients.db") as connection:
        return connection.execute(sql, parameters).fetchall()


@contextlib.contextmanager
def write_locked(data: Path) -> Iterator[None]:
    """Nobody else can change the database meanwhile: changes wait."""
    with opened(data / "clients.db") as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
