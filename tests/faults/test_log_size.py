"""The write-ahead log does not stay large after large work: a card has little room (edgeclients/README.md#storage)."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from edgeclients.store.limits import StoreLimits
from edgeclients.store.sqlite.connect import LOG_LIMIT_BYTES
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.store import SqliteStore
from tests.conformance.harness import add, new_client
from tests.support.waiting import come_true

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")

MANY = 4000


def _log(folder: Path) -> int:
    return (folder / "clients.db-wal").stat().st_size


def _store(folder: Path) -> SqliteStore:
    return SqliteStore(SqliteDatabase(folder / "clients.db"), StoreLimits(), lambda _: None)


async def _is_bounded(folder: Path) -> bool:
    return _log(folder) <= LOG_LIMIT_BYTES


async def test_it_is_truncated_without_another_change(tmp_path: Path) -> None:
    async with _store(tmp_path) as store:
        await add(store, *(new_client(metadata={"text": "x" * 2000, "n": n}) for n in range(MANY)))
        await come_true(lambda: _is_bounded(tmp_path), "the log to be truncated")
        assert (tmp_path / "clients.db").stat().st_size > LOG_LIMIT_BYTES  # so it was larger


async def test_it_is_truncated_when_a_slow_reader_has_gone(tmp_path: Path) -> None:
    async with _store(tmp_path) as store:
        await add(store, new_client())
        with contextlib.closing(sqlite3.connect(tmp_path / "clients.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM clients").fetchall()
            await add(store, *(new_client(metadata={"text": "x" * 2000, "n": n}) for n in range(MANY)))
            await add(store, new_client())  # changes do not wait for the reader
            assert _log(tmp_path) > LOG_LIMIT_BYTES
            reader.execute("ROLLBACK")
        await come_true(lambda: _is_bounded(tmp_path), "the log to be truncated")
