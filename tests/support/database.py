"""The database of a service, looked at from outside."""

import asyncio
import contextlib
import functools
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgeclients.store.clause import Clause
from edgeclients.store.postgres.connect import PostgresAddress, PostgresConnection, connect
from edgeclients.store.sqlite.client_set import ClientSet, decode
from edgeclients.store.sqlite.terms import Term
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


def searched(connection: sqlite3.Connection) -> dict[int, set[Term]]:
    """The numbers of a gateway's clients that have search rows, each with what lists find it by."""
    found: dict[int, set[Term]] = {}
    for path, value, block, clients in connection.execute("SELECT path, value, block, clients FROM search_rows"):
        for number in ClientSet({block: decode(clients)}):
            found.setdefault(number, set()).add((path, value))
    return found


def keep_events(service: Service) -> None:
    """Have a gateway's outbox keep events from now on, as if a stream had once taken some."""
    with opened(service.data / "clients.db") as connection:
        connection.execute("UPDATE relay SET sent_at = 1")
        connection.execute("UPDATE store_state SET outbox_kept = 1")


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
    (found,) = each_kept(service, [Clause(sql, parameters)])
    return found


def each_kept(service: Service, clauses: Sequence[Clause]) -> list[list[Any]]:
    """What several queries find there."""
    if service.env.get("MG_CLIENTS_MODE") != "cloud":
        with opened(service.data / "clients.db") as connection:
            return [connection.execute(clause.sql, clause.parameters).fetchall() for clause in clauses]
    return asyncio.run_coroutine_threadsafe(_kept_in_postgres(_address(service), clauses), _loop()).result()


def _address(service: Service) -> PostgresAddress:
    host, port, user, password, name = (
        service.env[f"MG_CLIENTS_DB_{part}"] for part in ("HOST", "PORT", "USER", "PASS", "NAME")
    )
    return PostgresAddress(host, int(port), user, password, name)


_links: dict[PostgresAddress, PostgresConnection] = {}  # opening one takes a hundred times as long as a query
_turn = asyncio.Lock()


async def _kept_in_postgres(address: PostgresAddress, clauses: Sequence[Clause]) -> list[list[Any]]:
    async with _turn:
        link = _links.get(address)
        if link is None or link.is_closed():
            link = _links[address] = await connect(address)
        return [[tuple(row) for row in await link.fetch(clause.numbered(), *clause.parameters)] for clause in clauses]


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """In a thread of its own, as the caller's may have one already."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop
