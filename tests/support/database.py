"""The database of a service, looked at from outside."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from edgeclients.store.clause import Clause
from edgeclients.store.postgres.connect import Address, connect
from tests.support.service import Service


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


def kept(service: Service, sql: str, parameters: tuple[object, ...] = ()) -> list[Any]:
    """What a query finds in the database of a service, whichever that is."""
    if service.env.get("MG_CLIENTS_MODE") != "cloud":
        return rows(service.data, sql, parameters)
    with ThreadPoolExecutor(1) as thread:  # the caller's own may have an event loop
        return thread.submit(asyncio.run, _kept_in_postgres(service, Clause(sql, parameters))).result()


async def _kept_in_postgres(service: Service, clause: Clause) -> list[Any]:
    host, port, user, password, name = (
        service.env[f"MG_CLIENTS_DB_{part}"] for part in ("HOST", "PORT", "USER", "PASS", "NAME")
    )
    link = await connect(Address(host, int(port), user, password, name))
    try:
        return [tuple(row) for row in await link.fetch(clause.numbered(), *clause.parameters)]
    finally:
        link.terminate()
