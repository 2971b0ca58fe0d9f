"""`ports.Store` on one PostgreSQL database."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, NamedTuple, Self, TypeVar

from msgspec.structs import replace
from typing_extensions import override

from edgeclients.errors import StartError
from edgeclients.files import schema_path
from edgeclients.model import (
    Client,
    ClientFilter,
    Connection,
    DomainStanding,
    Effects,
    Event,
    JournalFilter,
    JournalPage,
    LocalOperator,
    MemberFilter,
    MemberPage,
    MembershipPage,
    OperatorToken,
    OutboxState,
    Page,
    RetiringPlace,
    RetiringSecret,
    Revocations,
    Role,
    RolePage,
    SecretRead,
    Viewed,
    Viewer,
)
from edgeclients.ports import Snapshot, Store, Unit
from edgeclients.progress import Progress
from edgeclients.store.clock import Clock, ServerTime, StoredTime, TimeSource, ticks
from edgeclients.store.limits import StoreLimits
from edgeclients.store.postgres import journal, listing, operators, peppers, reader, relay, retiring, role_lists, roles
from edgeclients.store.postgres.activity import SHARED_SECONDS, PostgresActivity
from edgeclients.store.postgres.answers import ServerWatch
from edgeclients.store.postgres.connect import PostgresAddress, PostgresConnection, roll_back
from edgeclients.store.postgres.domain_snapshot import snapshot
from edgeclients.store.postgres.faults import start_errors
from edgeclients.store.postgres.migration import check_current, migrate, take_turns
from edgeclients.store.postgres.pool import MIN_CONNECTIONS, Pool, Work
from edgeclients.store.postgres.pooling import first
from edgeclients.store.postgres.rows import NOW, key
from edgeclients.store.postgres.writer import PostgresWriter
from edgeclients.store.rows import OPERATORS, to_connection, to_operators

T = TypeVar("T")

_FLUSH_SECONDS = 1.0

# How many connections this user may open to this database; below 0: as many as the server allows.
_CONNECTIONS = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
       - coalesce(current_setting('reserved_connections', true), '0')::int,
    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
    (SELECT datconnlimit FROM pg_database WHERE datname = current_database())
"""


class StoreTime(NamedTuple):
    """The time state that a database stores, and its server's clock."""

    stored: StoredTime
    server: ServerTime


class PostgresDatabase:
    """An open, migrated database, before the service uses it. Made by `opened`; other starting processes wait until `close`."""

    def __init__(
        self, address: PostgresAddress, connection: PostgresConnection, time: StoreTime, watch: ServerWatch, progress: Progress
    ) -> None:
        self.address = address
        self.time = time
        self.progress = progress
        self._connection = connection
        self._watch = watch

    @classmethod
    async def opened(cls, address: PostgresAddress, *, upgrade: bool = True, progress: Progress | None = None) -> Self:
        """The database at `address`.

        Args:
            address: of the database.
            upgrade: whether to apply missing migrations; otherwise a missing one is an error.
            progress: receives the steps of slow statements until `close`, then those of the store's writer.

        Raises:
            StartError: it cannot be reached or used, its schema is newer than the program, or it is another program's.
        """
        with start_errors(address):
            connection = await first(address)
        progress = progress or Progress()
        watch = ServerWatch(address, connection.get_server_pid(), progress)
        try:
            with start_errors(address):
                if upgrade:
                    await take_turns(connection)
                await (migrate if upgrade else check_current)(connection, f"database {address.name!r}", schema_path("postgres"))
                server_time, asked = ServerTime(), ticks()
                rows = await connection.fetch(f"SELECT newest_at, steady_since, {NOW} FROM store_state")
                server_time.observe(rows[0][2], asked)
        except BaseException:
            connection.terminate()
            await watch.stop()
            raise
        return cls(address, connection, StoreTime(StoredTime(*rows[0][:2]), server_time), watch, progress)

    async def knows_pepper(self, key_id: str) -> bool:
        """Whether the service has used the pepper with this key id."""
        with start_errors(self.address):
            return key_id in await peppers.known(self._connection)

    async def record_peppers(self, given: Mapping[str, bytes]) -> None:
        """Check the given peppers (check value by key id) against the rows; see `peppers.check_and_record`."""
        with start_errors(self.address):
            await peppers.check_and_record(self._connection, given)

    async def check_peppers(self, given: Mapping[str, bytes]) -> None:
        """Check the given peppers (check value by key id) against the rows, and change nothing; see `peppers.check`."""
        with start_errors(self.address):
            await peppers.check(self._connection, given)

    async def argon2_schemes(self) -> frozenset[str]:
        """The argon2 schemes of all chosen secrets."""
        with start_errors(self.address):
            return await peppers.argon2_schemes(self._connection)

    async def check_connections(self, each: int, processes: int) -> None:
        """Return if the server allows this many connections for each edgeclients process of this host.

        Raises:
            StartError: it allows fewer.
        """
        with start_errors(self.address):
            limits = await self._connection.fetchrow(_CONNECTIONS)
        allowed = min(limit for limit in limits or () if limit is not None and limit >= 0)
        if each * processes > allowed:
            wanted = f"{each} for each of {processes} workers" if processes > 1 else str(each)
            raise StartError(
                f"MG_CLIENTS_DB_MAX_CONNECTIONS is {wanted}, and {self.address} has {allowed} for user {self.address.user!r}: "
                "lower it, or raise max_connections there"
            )

    async def close(self) -> None:
        """Close the connection, so that other processes can start."""
        self._connection.terminate()
        await self._watch.stop()


class PostgresStore(Store):
    """`ports.Store`. Create it in the event loop that uses it.

    Args:
        address: of a migrated database.
        connections: maximum number of connections.
        limits: sizes and durations.
        on_commit: called after each commit, before its caller gets the result.
        time: the database's time as it was read; None: not read yet.
        source: a clock that replaces the server's.
        progress: receives the steps of the writer.
    """

    # Bound to the methods of the clock and the activity: every cache hit calls them.
    now: Callable[[], int]
    note_seen: Callable[[str], None]
    note_denied: Callable[[str], None]

    def __init__(
        self,
        address: PostgresAddress,
        connections: int,
        limits: StoreLimits,
        on_commit: Callable[[Effects], None],
        time: StoreTime | None = None,
        source: TimeSource | None = None,
        progress: Progress | None = None,
    ) -> None:
        stored, self._server_time = time or StoreTime(StoredTime(), ServerTime())
        self.clock = Clock(stored, source or self._server_time)
        self.now = self.clock.now
        self._query_seconds = limits.query_seconds
        self._address = address
        size = max(connections, MIN_CONNECTIONS)
        self._pool = Pool(address, size, limits.waiting_writes, limits.waiting_reads, limits.query_seconds)
        self._on_commit = on_commit
        self.writer = PostgresWriter(self._pool, self.clock, self._server_time, limits, self._committed, progress)
        self.activity = PostgresActivity(self._pool, min(limits.activity_seconds, SHARED_SECONDS), self.now)
        self.note_seen = self.activity.note
        self.note_denied = self.activity.note_denied

    async def __aenter__(self) -> Self:
        """The store itself, closed at the end."""
        self.activity.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish running work and close every connection, without waiting for a server that does not answer."""
        flushed = asyncio.ensure_future(self.activity.close())
        await asyncio.wait([flushed], timeout=_FLUSH_SECONDS)
        await self._pool.close()
        await flushed

    @override
    async def run(self, unit: Unit[T]) -> T:
        return await self.writer.run(unit)

    @override
    async def client(self, client_id: str) -> Client | None:
        return await self._read(lambda connection: reader.client(connection, client_id))

    @override
    async def view(self, client_id: str) -> Viewed | None:
        viewed = await self._read(lambda connection: reader.view(connection, client_id))
        return viewed and viewed._replace(last_seen_at=self.activity.newer(client_id, viewed.last_seen_at))

    @override
    async def revocations(self, after: int) -> Revocations:
        asked = ticks()
        found, at = await self._read(lambda connection: reader.revocations(connection, after))
        self._server_time.observe(at, asked)
        return found

    @override
    async def secrets_of(self, client_id: str) -> SecretRead:
        return await self._read(lambda connection: reader.secrets_of(connection, client_id))

    @override
    async def secrets_by_lookup(self, lookups: Sequence[bytes]) -> SecretRead:
        return await self._read(lambda connection: reader.secrets_by_lookup(connection, lookups))

    @override
    def secrets_of_at_once(self, client_id: str, /) -> SecretRead | None:
        return None

    @override
    def secrets_by_lookup_at_once(self, lookups: Sequence[bytes], /) -> SecretRead | None:
        return None

    @override
    async def schemes(self, domain_id: str) -> tuple[str, ...]:
        return await self._read(lambda connection: reader.schemes(connection, domain_id))

    @override
    async def clients(self, client_ids: Sequence[str]) -> tuple[Client, ...]:
        return await self._scan(lambda connection: reader.clients(connection, client_ids))

    @override
    async def page(self, domain_id: str, wanted: ClientFilter, viewer: Viewer | None = None) -> Page:
        if wanted.of_sight:
            await self.activity.flush()
        page = await self._scan(lambda connection: listing.page(connection, domain_id, wanted, viewer))
        newer = self.activity.newer
        seen = (replace(item, last_seen_at=newer(item.client.id, item.last_seen_at)) for item in page.items)
        return Page(page.total, tuple(seen))

    @override
    def snapshot(self, domain_id: str) -> AbstractAsyncContextManager[Snapshot]:
        return snapshot(self._address, domain_id)

    @override
    async def parent_groups(self, domain_id: str, limit: int) -> tuple[str, ...]:
        return tuple(group for (group,) in await self._rows(listing.PARENT_GROUPS, domain_id, limit))

    @override
    async def role(self, client_id: str, role_id: str) -> Role | None:
        return await self._read(lambda connection: roles.role(connection, client_id, role_id))

    @override
    async def role_held(self, client_id: str, member_id: str) -> Role | None:
        return await self._read(lambda connection: roles.held(connection, client_id, member_id))

    @override
    async def roles(self, client_id: str, offset: int, limit: int) -> RolePage:
        return await self._scan(lambda connection: role_lists.roles(connection, client_id, offset, limit))

    @override
    async def members(self, role: Role, offset: int, limit: int) -> MemberPage:
        return await self._scan(lambda connection: role_lists.members(connection, role, offset, limit))

    @override
    async def memberships(self, client_id: str, wanted: MemberFilter) -> MembershipPage:
        return await self._scan(lambda connection: role_lists.memberships(connection, client_id, wanted))

    @override
    async def operators(self) -> tuple[LocalOperator, ...]:
        return to_operators(await self._rows(OPERATORS))

    @override
    async def operator_tokens(self, operator_id: str) -> tuple[OperatorToken, ...]:
        return tuple(OperatorToken(*row) for row in await self._rows(operators.TOKENS, key(operator_id)))

    @override
    async def operator_token(self, digests: Sequence[bytes]) -> OperatorToken | None:
        return await self._read(lambda connection: operators.token(connection, digests))

    @override
    async def operator_standing(self, operator_id: str, domain_id: str) -> DomainStanding | None:
        return await self._read(lambda connection: operators.standing(connection, operator_id, domain_id))

    @override
    async def retiring(self, domain_id: str, after: RetiringPlace, limit: int) -> tuple[RetiringSecret, ...]:
        return retiring.to_retiring(await self._rows(retiring.OF_DOMAIN, key(domain_id), *after, limit))

    @override
    async def retiring_of(self, client_id: str) -> tuple[RetiringSecret, ...]:
        return retiring.to_retiring(await self._rows(retiring.OF_CLIENT, key(client_id)))

    @override
    async def connections(self, client_id: str) -> tuple[Connection, ...]:
        sql = "SELECT channel_id, domain_id, client_id, type FROM connections WHERE client_id = $1 ORDER BY channel_id, type"
        return tuple(map(to_connection, await self._rows(sql, key(client_id))))

    @override
    async def journal(self, wanted: JournalFilter) -> JournalPage:
        await self.activity.flush()
        return await self._scan(lambda connection: journal.page(connection, wanted))

    @override
    async def outbox(self, after: int, limit: int) -> tuple[tuple[int, Event], ...]:
        sql = "SELECT seq, stream, client_id, payload, occurred_at FROM outbox WHERE seq > $1 ORDER BY seq LIMIT $2"
        return tuple((row[0], Event(*tuple(row)[1:])) for row in await self._rows(sql, after, limit))

    @override
    async def outbox_state(self) -> OutboxState:
        return await self._read(relay.state)

    def _committed(self, effects: Effects) -> None:
        self.activity.forget(dict(effects.removed))
        self._on_commit(effects)

    async def _read(self, work: Work[T]) -> T:
        return await self._pool.run(self._pool.reads, work)

    async def _rows(self, sql: str, *parameters: object) -> list[Sequence[Any]]:
        return await self._scan(lambda connection: connection.fetch(sql, *parameters))

    async def _scan(self, work: Work[T]) -> T:
        return await self._pool.run(self._pool.scans, partial(self._within_limit, work))

    async def _within_limit(self, work: Work[T], connection: PostgresConnection) -> T:
        """Run `work` in a read-only transaction with the time limit of lists."""
        await connection.execute(f"BEGIN READ ONLY; SET LOCAL statement_timeout = {max(1, int(self._query_seconds * 1000))}")
        try:
            return await work(connection)
        finally:
            await roll_back(connection)
