"""A page of retiring secrets costs as much in a large domain, among large ones, as in a small one: it is found by key."""

import sqlite3
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edgeclients.store.postgres import retiring
from edgeclients.store.postgres.connect import connect
from edgeclients.store.sqlite import retiring as on_sqlite
from edgeclients.store.sqlite.connect import add_functions
from edgeclients.store.sqlite.database import SqliteDatabase
from tests.support.postgres import Server

LARGE, PAGE = 20_000, 100
FILL = f"""
INSERT INTO clients (
    id, domain_id, status, secret, secret_lookup, name, name_folded, tags, identity, external_id, created_at, changed_at,
    metadata, metadata_text, private_metadata
)
SELECT 'c' || n, CASE WHEN n > {LARGE // 2} THEN 'd1' ELSE 'd2' END, 0, '', int8send(n), '', '', '{{}}', '', '', 0, 0,
    '{{}}', '{{}}', '{{}}'
FROM generate_series(1, {LARGE}) n;
INSERT INTO secret_retirements (lookup, client_id, domain_id, secret, expires_at, retired_at)
SELECT c.secret_lookup, c.id, c.domain_id, '', substr(c.id, 2)::int / 10, 0 FROM clients c
"""


def filled(path: Path, secrets: int) -> sqlite3.Connection:
    """A database with so many retiring secrets in each of two domains: those of `d2` expire before; some expire together."""
    database = SqliteDatabase(path)
    connection = database.connection
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO names (n, name) VALUES (?, ?)", [(1000, "d1"), (1001, "d2")])
    clients = [(number + 1, uuid.UUID(int=number).bytes, 1000 + (number < secrets)) for number in range(2 * secrets)]
    connection.executemany(
        "INSERT INTO client_rows (n, id, domain, secret, secret_lookup, name, created_at) VALUES (?1, ?2, ?3, '', ?2, ?1, 0)",
        clients,
    )
    connection.executemany(
        "INSERT INTO retirement_rows (lookup, client, domain, secret, expires_at, retired_at) VALUES (?2, ?1, ?3, '', ?4, 0)",
        [(n, row_id, domain, n // 10) for n, row_id, domain in clients],
    )
    connection.execute("COMMIT")
    add_functions(connection)
    return connection


def steps(connection: sqlite3.Connection, *parameters: Any) -> int:
    """Instructions that SQLite takes for one page."""
    counted = 0

    def step() -> int:
        nonlocal counted
        counted += 1
        return 0

    connection.set_progress_handler(step, 10)
    rows = connection.execute(on_sqlite.OF_DOMAIN, parameters).fetchall()
    connection.set_progress_handler(None, 0)
    assert len(rows) == PAGE
    return counted * 10


@pytest.mark.parametrize("place", [0, 0.5, 0.8])
def test_sqlite_reads_no_more_of_a_larger_domain(tmp_path: Path, place: float) -> None:
    found = []
    for secrets in (LARGE // 20, LARGE):
        connection = filled(tmp_path / f"{secrets}.db", secrets)
        after = int(secrets // 10 * (1 + place)) if place else 0
        found.append(steps(connection, "d1", after, uuid.UUID(int=after * 10).bytes, PAGE))
    small, large = found
    assert large < 1.2 * small, found


@pytest.fixture
async def large(postgres: Server, prepared_postgres: str) -> AsyncIterator[str]:
    async with postgres.database(prepared_postgres) as name:
        await postgres.execute(FILL, name)
        await postgres.execute("ANALYZE", name)
        yield name


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_postgresql_finds_a_page_by_key(postgres: Server, large: str, mode: str) -> None:
    link = await connect(postgres.address(large))
    try:
        await link.execute(f"SET plan_cache_mode = {mode}; PREPARE page (text, bigint, text, bigint) AS {retiring.OF_DOMAIN}")
        rows = await link.fetch(f"EXPLAIN (ANALYZE, TIMING OFF) EXECUTE page ('d1', 0, '', {PAGE})")
    finally:
        link.terminate()
    plan = "\n".join(line for (line,) in rows)
    assert "secret_retirements_by_domain" in plan
    assert "Sort" not in plan
    assert "Seq Scan" not in plan
