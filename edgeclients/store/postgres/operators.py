"""Local operators: reads by key, and the changes of a unit of work."""

from collections.abc import Sequence

import asyncpg
from msgspec.structs import astuple
from typing_extensions import override

from edgeclients.errors import TokenNameTaken
from edgeclients.model import DomainStanding, LocalOperator, OperatorToken, Role
from edgeclients.ports import OperatorTransaction
from edgeclients.store.postgres import roles
from edgeclients.store.postgres.connect import Statements
from edgeclients.store.postgres.faults import constraint_of
from edgeclients.store.postgres.rows import key
from edgeclients.store.rows import TOKEN_COLUMNS, count_from_now, operators_where, to_operators
from edgeclients.times import DAY

# There are few, and a change first checks whether the operator exists: one lock for all of them.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('operators', 2))"

_OPERATOR = operators_where("o.id = $1")
TOKENS = f"SELECT {TOKEN_COLUMNS} FROM operator_tokens WHERE operator_id = $1 ORDER BY name"
# All digests in one statement: a token whose digest changes meanwhile is found under the old or the new one.
TOKEN = f"SELECT {TOKEN_COLUMNS} FROM operator_tokens WHERE digest = ANY ($1) ORDER BY array_position($1, digest) LIMIT 1"
STANDING = "SELECT standing FROM operator_domains WHERE operator_id = $1 AND domain_id = $2"

_TOUCH = (
    f"UPDATE operator_tokens SET last_used_at = $1, {count_from_now('created_at', '$1', '$2')},"
    " digest = $3, key_id = $4 WHERE digest = $5"
)

_PUT = (
    "INSERT INTO operators (id, name, created_at) VALUES ($1, $2, $3)"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, created_at = excluded.created_at"
)


async def token(connection: Statements, digests: Sequence[bytes]) -> OperatorToken | None:
    """`ports.OperatorStore.operator_token`."""
    row = await connection.fetchrow(TOKEN, digests)
    return OperatorToken(*row) if row else None


async def standing(connection: Statements, operator_id: str, domain_id: str) -> DomainStanding | None:
    """`ports.OperatorStore.operator_standing`."""
    kind = await connection.fetchval(STANDING, key(operator_id), key(domain_id))
    return None if kind is None else DomainStanding(kind)


class PostgresOperators(OperatorTransaction):
    """`ports.OperatorTransaction` on the connection of a unit."""

    roles_changed = False

    def __init__(self, connection: Statements, now: int) -> None:
        self._connection = connection
        self.now = now

    @override
    async def operator(self, operator_id: str) -> LocalOperator | None:
        await self._connection.execute(_LOCK)
        return next(iter(to_operators(await self._connection.fetch(_OPERATOR, key(operator_id)))), None)

    @override
    async def put_operator(self, operator: LocalOperator) -> None:
        await self._connection.execute(_LOCK)
        await self._connection.execute(_PUT, operator.id, operator.name, operator.created_at)
        await self._connection.execute("DELETE FROM operator_domains WHERE operator_id = $1", operator.id)
        await self._connection.executemany(
            "INSERT INTO operator_domains (operator_id, domain_id, standing) VALUES ($1, $2, $3)",
            [(operator.id, domain_id, str(kind)) for domain_id, kind in operator.domains.items()],
        )

    @override
    async def remove_operator(self, operator_id: str) -> None:
        await self._connection.execute("DELETE FROM operators WHERE id = $1", operator_id)

    @override
    async def leave_roles(self, member_id: str, by: str) -> tuple[Role, ...]:
        left = await roles.leave_all(self._connection, member_id, self.now, by)
        self.roles_changed = self.roles_changed or bool(left)
        return left

    @override
    async def count_operator_tokens(self, operator_id: str) -> int:
        return int(await self._connection.fetchval("SELECT count(*) FROM operator_tokens WHERE operator_id = $1", operator_id))

    @override
    async def add_operator_token(self, token: OperatorToken) -> None:
        try:
            await self._connection.execute(
                f"INSERT INTO operator_tokens ({TOKEN_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                *astuple(token),
            )
        except asyncpg.UniqueViolationError as error:
            if constraint_of(error) != "operator_tokens_name":
                raise
            raise TokenNameTaken from error

    @override
    async def remove_operator_token(self, operator_id: str, name: str) -> bool:
        sql = "DELETE FROM operator_tokens WHERE operator_id = $1 AND name = $2 RETURNING TRUE"
        return bool(await self._connection.fetchval(sql, key(operator_id), key(name)))

    @override
    async def touch_operator_token(self, old: OperatorToken, digest: bytes, key_id: str) -> None:
        await self._connection.execute(
            _TOUCH,
            self.now,
            self.now + DAY,
            digest,
            key_id,
            old.digest,
        )
