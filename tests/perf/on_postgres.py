"""A cloud's storage: servers of PostgreSQL and Redis that are started for it, and keep what they have acknowledged."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from edgeclients.model import Effects
from edgeclients.ports import Store
from edgeclients.store.limits import StoreLimits
from edgeclients.store.postgres.connect import PostgresAddress, PostgresConnection, connect
from edgeclients.store.postgres.rows import CLIENT_COLUMNS
from edgeclients.store.postgres.store import PostgresDatabase, PostgresStore
from tests.perf.homes import Rows
from tests.support.on_postgres import OPERATOR, TOKEN
from tests.support.postgres import Packaged, Server
from tests.support.redis import RedisServer

_CONNECTIONS = 10
_LIMITS = StoreLimits()
_TABLES = {"clients": "id", "clients_roles": "entity_id", "clients_role_members": "entity_id", "outbox": "client_id"}


class OnPostgres:
    """`homes.Home` on these servers.

    Args:
        server: of PostgreSQL.
        redis: what processes share.
        folder: for what a service has besides.
    """

    title = "cloud: PostgreSQL, Redis beside the cache in the process"
    raw = "asyncpg"

    def __init__(self, server: Server, redis: RedisServer, folder: Path) -> None:
        self.folder = folder
        self._server = server
        self._redis = redis
        self._made: set[str] = set()
        self._pepper = folder / "pepper"
        self._pepper.write_bytes(bytes(32))

    def settings(self, name: str) -> dict[str, str]:
        return {
            **self._server.settings(self._database(name)),
            "MG_CLIENTS_CACHE_URL": self._redis.address,
            "MG_CLIENTS_PEPPER_FILE": str(self._pepper),
            "MG_CLIENTS_STANDALONE_ID": OPERATOR,
            "MG_CLIENTS_STANDALONE_TOKEN": TOKEN,
        }

    @contextlib.asynccontextmanager
    async def store(
        self, name: str, on_commit: Callable[[Effects], None], limits: StoreLimits = _LIMITS
    ) -> AsyncIterator[Store]:
        database = await PostgresDatabase.opened(self._address(name))
        await database.close()
        async with PostgresStore(database.address, _CONNECTIONS, limits, on_commit, database.time) as store:
            yield store

    def commits(self, store: Store) -> int:
        return cast("PostgresStore", store).writer.commits

    async def rest(self, name: str) -> None:
        """As autovacuum does: statistics, and entries of indexes that wait to be sorted in."""
        async with self._link(name) as link:
            await link.execute("VACUUM ANALYZE")

    async def read_plainly(self, name: str, client_ids: Sequence[str]) -> float:
        query = f"SELECT {CLIENT_COLUMNS} FROM clients c WHERE c.id = $1"
        async with self._link(name) as link:
            began = time.perf_counter()
            for client_id in client_ids:
                await link.fetchrow(query, client_id)
            return time.perf_counter() - began

    async def rows_of_clients(self, name: str) -> list[Rows]:
        found: dict[str, list[tuple[str, tuple[object, ...]]]] = {}
        async with self._link(name) as link:
            for table, owner in _TABLES.items():
                for client_id, *row in await link.fetch(f"SELECT {owner}, * FROM {table}"):
                    found.setdefault(client_id, []).append((table, tuple(row)))
        return list(found.values())

    async def insert_plainly(self, name: str, clients: Sequence[Rows]) -> float:
        await (await PostgresDatabase.opened(self._address(name))).close()
        async with self._link(name) as link:
            began = time.perf_counter()
            for rows in clients:
                await link.execute("BEGIN")
                for table, values in rows:
                    marks = ", ".join(f"${number}" for number in range(1, len(values) + 1))
                    await link.execute(f"INSERT INTO {table} VALUES ({marks})", *values)
                await link.execute("COMMIT")
            return time.perf_counter() - began

    @contextlib.asynccontextmanager
    async def _link(self, name: str) -> AsyncIterator[PostgresConnection]:
        link = await connect(self._address(name))
        try:
            yield link
        finally:
            link.terminate()

    def _address(self, name: str) -> PostgresAddress:
        return self._server.address(self._database(name))

    def _database(self, name: str) -> str:
        """The database of a name, made when it is asked for."""
        if name not in self._made:
            with ThreadPoolExecutor(1) as thread:  # who asks may have an event loop
                thread.submit(asyncio.run, self._server.execute(f"CREATE DATABASE \"{name}\" ENCODING 'UTF8'")).result()
            self._made.add(name)
        return name


@contextlib.contextmanager
def on_postgres(folder: Path) -> Iterator[OnPostgres]:
    """A home whose data lies in `folder`."""
    with contextlib.ExitStack() as stack:
        data = Path(tempfile.mkdtemp(prefix="postgres-", dir=folder))
        data.chmod(0o755)
        durable = {"fsync": "on", "max_connections": "100"}
        server = stack.enter_context(Packaged(data, durable)).server
        redis = stack.enter_context(RedisServer())
        yield OnPostgres(server, redis, folder)
