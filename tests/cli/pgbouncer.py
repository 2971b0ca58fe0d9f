"""PgBouncer before the database: refused where it shares sessions, and worked with where it does not.

Run where that program is; see `.ci/check_debian_servers`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeclients.store.postgres.connect import bare
from tests.support.api import Api
from tests.support.commands import Ended, refused, run
from tests.support.on_postgres import Cloud, secret_works
from tests.support.pgbouncer import pgbouncer
from tests.support.service import started
from tests.support.waiting import wait_until

# What users let pass by for programs that begin their sessions with settings.
IGNORED = "extra_float_digits,statement_timeout,lock_timeout,idle_in_transaction_session_timeout,jit"

SHARING = {
    "transaction": {"pool_mode": "transaction"},
    "transaction, settings ignored": {"pool_mode": "transaction", "ignore_startup_parameters": IGNORED},
    "transaction, one session": {"pool_mode": "transaction", "default_pool_size": "1"},
    "transaction, in turns": {"pool_mode": "transaction", "server_round_robin": "1"},
    "statement": {"pool_mode": "statement"},
    "statement, settings ignored": {"pool_mode": "statement", "ignore_startup_parameters": IGNORED},
}
SESSIONS = {
    "as it comes": {"pool_mode": "session"},
    "settings ignored": {"pool_mode": "session", "ignore_startup_parameters": IGNORED},
}

OURS = "('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'client_connection_check_interval', 'jit')"
LEFT = f"""
SELECT 'a statement', name FROM pg_prepared_statements
UNION ALL SELECT 'a setting', name FROM pg_settings WHERE source = 'session' AND name IN {OURS}
"""
LOCKS = "SELECT * FROM pg_locks WHERE locktype = 'advisory'"
TABLES = "SELECT * FROM pg_tables WHERE schemaname = 'public'"
SERVED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
def pooled(request: pytest.FixtureRequest, cloud: Cloud) -> Iterator[Cloud]:
    """The database through a pooler of the wanted kind."""
    with pgbouncer(cloud.server, **request.param) as server:
        yield cloud._replace(server=server, env=cloud.through(server))


def sessions(cloud: Cloud) -> int:
    """How many there are on the database."""
    return int(cloud.rows(SERVED)[0][0])


@contextlib.asynccontextmanager
async def at_once(pooled: Cloud, count: int) -> AsyncIterator[list[Any]]:
    """So many sessions of the pool, each within a transaction."""
    async with contextlib.AsyncExitStack() as stack:
        links = [await bare(pooled.server.address(pooled.name), statements=0) for _ in range(count)]
        for link in links:
            stack.push_async_callback(link.close)
            if count > 1:
                await link.execute("BEGIN")
        yield links
        for link in links:
            if count > 1:
                await link.execute("ROLLBACK")


async def left(pooled: Cloud, count: int) -> list[Any]:
    """What another user of the pool finds in its sessions."""
    async with at_once(pooled, count) as links:
        return [row for link in links for row in await link.fetch(LEFT)]


async def fill(pooled: Cloud, count: int) -> None:
    """Leave so many idle sessions in the pool."""
    async with at_once(pooled, count):
        pass


def assert_told(ended: Ended) -> None:
    assert ended.code != 0
    assert "a connection pooler, such as PgBouncer, in transaction or statement mode: set pool_mode=session" in ended.line


@pytest.mark.parametrize("pooled", SHARING.values(), ids=SHARING, indirect=True)
def test_shared_sessions_are_refused_before_anything_is_done(pooled: Cloud, cloud: Cloud, tmp_path: Path) -> None:
    assert_told(refused(tmp_path / "data", pooled.env))
    assert cloud.rows(TABLES) == []
    assert cloud.rows(LOCKS) == []
    assert asyncio.run(left(pooled, sessions(cloud))) == []


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("pooled", list(SHARING.values())[:4:3], ids=list(SHARING)[:4:3], indirect=True)
def test_shared_sessions_are_recognised_in_an_idle_pool(pooled: Cloud, cloud: Cloud, tmp_path: Path, count: int) -> None:
    asyncio.run(fill(pooled, count))
    assert sessions(cloud) == count
    assert_told(refused(tmp_path / "data", pooled.env))
    assert asyncio.run(left(pooled, sessions(cloud))) == []


@pytest.mark.parametrize("pooled", [SHARING["transaction"]], ids=["transaction"], indirect=True)
def test_whoever_starts_after_a_refusal_waits_for_nothing(pooled: Cloud, cloud: Cloud, tmp_path: Path) -> None:
    assert_told(refused(tmp_path / "data", pooled.env))
    assert sessions(cloud) > 0
    with started(tmp_path / "data", cloud.env) as service, Api(service) as api:
        api.create()
        assert not [line for line in service.lines if "waiting" in line["msg"]]


@pytest.mark.parametrize("pooled", [SHARING["transaction"]], ids=["transaction"], indirect=True)
def test_commands_refuse_shared_sessions(pooled: Cloud, cloud: Cloud, tmp_path: Path) -> None:
    data = tmp_path / "gateway"
    with started(data, {}) as service, Api(service) as api:
        api.create()
    with started(tmp_path / "data", cloud.env):
        pass
    server, pepper = pooled.server, cloud.env["MG_CLIENTS_PEPPER_FILE"]
    url = f"postgres://{server.user}@{server.host}:{server.port}/{pooled.name}"
    password = {"MG_CLIENTS_DB_PASS": server.password or "unused"}
    for command in ("operators list", "operators add anna", "events status"):
        assert_told(run(*command.split(), data=tmp_path / "data", env=pooled.env))
    assert_told(run("move", "--to", url, "--pepper", str(tmp_path / "a"), data=data, env=password))
    there = {**password, "MG_CLIENTS_PEPPER_FILE": pepper}
    assert_told(run("move", "--from", url, "--pepper", str(tmp_path / "b"), data=tmp_path / "new", env=there))
    assert asyncio.run(left(pooled, sessions(cloud))) == []


@pytest.mark.parametrize("pooled", SESSIONS.values(), ids=SESSIONS, indirect=True)
def test_sessions_of_ones_own_will_do(pooled: Cloud, cloud: Cloud, tmp_path: Path) -> None:
    for _ in range(2):
        with started(tmp_path / "data", pooled.env) as service, Api(service) as api:
            clients = [api.create(name=f"n{number}") for number in range(20)]
            assert all(secret_works(service, client) for client in clients)
            assert api.request("GET", "/clients").json()["total"] >= len(clients)
        wait_until(lambda: not cloud.rows(LOCKS), "no lock")
    assert "waiting" in run("events", "status", data=tmp_path / "data", env=pooled.env).out
    server = pooled.server
    url = f"postgres://{server.user}@{server.host}:{server.port}/{pooled.name}"
    env = {"MG_CLIENTS_DB_PASS": server.password, "MG_CLIENTS_PEPPER_FILE": cloud.env["MG_CLIENTS_PEPPER_FILE"]}
    moved = run("move", "--from", url, "--pepper", str(tmp_path / "copy"), data=tmp_path / "new", env=env)
    assert moved.code == 0, moved
    assert asyncio.run(left(pooled, sessions(cloud))) == []


@pytest.mark.parametrize("pooled", [{"pool_mode": "session", "default_pool_size": "1"}], ids=["one session"], indirect=True)
def test_a_pool_that_is_full_is_named(pooled: Cloud, tmp_path: Path) -> None:
    assert "no second connection" in refused(tmp_path / "data", pooled.env).line


@pytest.mark.parametrize("pooled", SESSIONS.values(), ids=SESSIONS, indirect=True)
def test_what_a_pooler_refuses_is_not_told_as_tls(pooled: Cloud, tmp_path: Path) -> None:
    line = refused(tmp_path / "data", {**pooled.env, "MG_CLIENTS_DB_NAME": "no_such_database"}).line
    assert "no_such_database" in line
    assert "SSL" not in line
