"""`ports.Store` on one SQLite file."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Self, TypeVar

import aiosqlite
from typing_extensions import override

from edgeclients.model import (
    Client,
    ClientFilter,
    Connection,
    ConnectionType,
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
from edgeclients.store.clock import Clock, SystemTime, TimeSource
from edgeclients.store.limits import StoreLimits
from edgeclients.store.rows import OPERATORS, to_operators
from edgeclients.store.sqlite import completeness, journal, listing, operators, retiring, role_lists
from edgeclients.store.sqlite.activity import SqliteActivity
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.domain_snapshot import snapshot
from edgeclients.store.sqlite.faults import primary_code, translate
from edgeclients.store.sqlite.ids import uuid_bytes
from edgeclients.store.sqlite.reader import Reader
from edgeclients.store.sqlite.rows import to_client
from edgeclients.store.sqlite.scanner import Scanner, Work
from edgeclients.store.sqlite.viewed import ViewedRows
from edgeclients.store.sqlite.writer import SqliteWriter

T = TypeVar("T")

_BUSY_TIMEOUT_MS = 2000


class SqliteStore(Store):
    """`ports.Store`. Create it in the event loop that uses it.

    Args:
        database: the store owns it from now on.
        limits: sizes and durations.
        on_commit: called after each commit, before its caller gets the result.
        source: the clock.

    Raises:
        StartError: the file can no longer be opened.
    """

    # Bound to the methods of the clock and the activity: every cache hit calls them.
    now: Callable[[], int]
    note_seen: Callable[[str], None]
    note_denied: Callable[[str], None]

    def __init__(
        self,
        database: SqliteDatabase,
        limits: StoreLimits,
        on_commit: Callable[[Effects], None],
        source: TimeSource | None = None,
    ) -> None:
        self._database = database
        self.clock = Clock(database.time, source or SystemTime())
        self.now = self.clock.now
        self._viewed = ViewedRows()
        self.activity = SqliteActivity(database.path, limits.activity_seconds, self.now, self._viewed.forget)
        self.note_seen = self.activity.note
        self.note_denied = self.activity.note_denied
        self._on_commit = on_commit
        self._path = database.path
        self._scanner = Scanner(database.path, limits.query_seconds)
        final = (completeness.CLEAR_MARK,) if database.in_use else ()
        with contextlib.ExitStack() as opened, database.start_errors():
            self._reader = Reader(database.path)
            opened.callback(self._reader.close)
            self.writer = SqliteWriter(
                database.connection,
                database.path,
                self.clock,
                limits,
                self._committed,
                final,
                database.progress,
            )
            opened.pop_all()

    async def __aenter__(self) -> Self:
        """The store itself, closed at the end.

        Raises:
            StartError: the file can no longer be opened.
        """
        try:
            with self._database.start_errors():
                await self._scanner.open()
        except BaseException:
            await self.close()
            raise
        self.activity.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Commit queued units and close every connection, even if closing another one fails."""
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.activity.close)
            stack.callback(self._reader.close)
            stack.push_async_callback(self._scanner.close)
            stack.push_async_callback(self.writer.close)

    @override
    async def run(self, unit: Unit[T]) -> T:
        return await self.writer.run(unit)

    @override
    async def client(self, client_id: str) -> Client | None:
        return await self._read(lambda reader: reader.client(client_id))

    @override
    async def view(self, client_id: str) -> Viewed | None:
        viewed = self._viewed.get(client_id)
        if viewed is None:
            generation = self._viewed.generation
            viewed = await self._read(lambda reader: reader.view(client_id))
            if viewed is None:
                return None
            self._viewed.keep(viewed, generation)
        seen = self.activity.newer(client_id, viewed.last_seen_at)
        return viewed if seen == viewed.last_seen_at else Viewed(viewed.client, seen)

    @override
    async def secrets_of(self, client_id: str) -> SecretRead:
        return await self._read(lambda reader: reader.secrets_of(client_id))

    @override
    async def secrets_by_lookup(self, lookups: Sequence[bytes]) -> SecretRead:
        return await self._read(lambda reader: reader.secrets_by_lookup(lookups))

    @override
    def secrets_of_at_once(self, client_id: str, /) -> SecretRead | None:
        return self._read_at_once(lambda reader: reader.secrets_of(client_id))

    @override
    def secrets_by_lookup_at_once(self, lookups: Sequence[bytes], /) -> SecretRead | None:
        return self._read_at_once(lambda reader: reader.secrets_by_lookup(lookups))

    @override
    async def revocations(self, after: int) -> Revocations:
        return await self._read(lambda reader: reader.revocations(after))

    @override
    async def schemes(self, domain_id: str) -> tuple[str, ...]:
        return await self._read(lambda reader: reader.schemes(domain_id))

    @override
    async def clients(self, client_ids: Sequence[str]) -> tuple[Client, ...]:
        sql, parameters = listing.clients_query(client_ids)
        return tuple(map(to_client, await self._rows(sql, *parameters)))

    @override
    async def page(self, domain_id: str, wanted: ClientFilter, viewer: Viewer | None = None) -> Page:
        return await self._scan(
            lambda connection: listing.page(connection, domain_id, wanted, viewer, self.activity.in_memory())
        )

    @override
    def snapshot(self, domain_id: str) -> AbstractAsyncContextManager[Snapshot]:
        return snapshot(self._path, domain_id)

    @override
    async def parent_groups(self, domain_id: str, limit: int) -> tuple[str, ...]:
        return tuple(group for (group,) in await self._rows(listing.PARENT_GROUPS, domain_id, limit))

    @override
    async def role(self, client_id: str, role_id: str) -> Role | None:
        return await self._read(lambda reader: reader.role(client_id, role_id))

    @override
    async def role_held(self, client_id: str, member_id: str) -> Role | None:
        return await self._read(lambda reader: reader.role_held(client_id, member_id))

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
        return tuple(OperatorToken(*row) for row in await self._rows(operators.TOKENS, operator_id))

    @override
    async def operator_token(self, digests: Sequence[bytes]) -> OperatorToken | None:
        return await self._read(lambda reader: reader.operator_token(digests))

    @override
    async def operator_standing(self, operator_id: str, domain_id: str) -> DomainStanding | None:
        return await self._read(lambda reader: reader.operator_standing(operator_id, domain_id))

    @override
    async def retiring(self, domain_id: str, after: RetiringPlace, limit: int) -> tuple[RetiringSecret, ...]:
        return retiring.to_retiring(
            await self._rows(retiring.OF_DOMAIN, domain_id, after.expires_at, uuid_bytes(after.client_id), limit)
        )

    @override
    async def retiring_of(self, client_id: str) -> tuple[RetiringSecret, ...]:
        return retiring.to_retiring(await self._rows(retiring.OF_CLIENT, uuid_bytes(client_id)))

    @override
    async def connections(self, client_id: str) -> tuple[Connection, ...]:
        rows = await self._rows(listing.CONNECTIONS, uuid_bytes(client_id))
        return tuple(Connection(channel, domain, client_id, ConnectionType(kind)) for channel, domain, kind in rows)

    @override
    async def journal(self, wanted: JournalFilter) -> JournalPage:
        async def work(connection: aiosqlite.Connection) -> JournalPage:
            async with self.activity.denied() as denied:  # they are not written for every reader: cards wear out
                await connection.execute_fetchall(journal.WRITTEN)  # what is written from now on is not seen
            return await journal.page(connection, wanted, denied)

        return await self._scan(work)

    @override
    async def outbox(self, after: int, limit: int) -> tuple[tuple[int, Event], ...]:
        sql = "SELECT seq, stream, client_id, payload, occurred_at FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?"
        return tuple((row[0], Event(*row[1:])) for row in await self._rows(sql, after, limit))

    @override
    async def outbox_state(self) -> OutboxState:
        return await self._read(lambda reader: reader.outbox_state())

    def _committed(self, effects: Effects) -> None:
        self._viewed.forget()
        self.activity.forget(dict(effects.removed))
        self._on_commit(effects)

    def _read_at_once(self, read: Callable[[Reader], T]) -> T | None:
        """The result of `read`; None if the database is locked."""
        try:
            return read(self._reader)
        except sqlite3.Error as error:
            if primary_code(error) not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise translate(error) from error
        return None

    async def _read(self, read: Callable[[Reader], T]) -> T:
        try:
            return read(self._reader)
        except sqlite3.Error as error:
            if primary_code(error) not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise translate(error) from error
        try:
            return await asyncio.to_thread(self._read_waiting, read)
        except sqlite3.Error as error:
            raise translate(error) from error

    def _read_waiting(self, read: Callable[[Reader], T]) -> T:
        """Repeat the read in a thread where waiting for a lock blocks no other read.

        Rare in WAL mode: recovery, or a checkpoint at close.
        """
        reader = Reader(self._path, _BUSY_TIMEOUT_MS)
        try:
            return read(reader)
        finally:
            reader.close()

    async def _rows(self, sql: str, *parameters: object) -> list[Any]:
        async def work(connection: aiosqlite.Connection) -> list[Any]:
            return list(await connection.execute_fetchall(sql, parameters))

        return await self._scan(work)

    async def _scan(self, work: Work[T]) -> T:
        try:
            return await self._scanner.read(work)
        except sqlite3.Error as error:
            raise translate(error) from error
