"""Local operators: reads by key, and the changes of a unit of work."""

import sqlite3
from collections.abc import Sequence

from msgspec.structs import astuple
from typing_extensions import override

from edgeclients.errors import TokenNameTaken
from edgeclients.model import DomainStanding, LocalOperator, OperatorToken, Role
from edgeclients.ports import OperatorTransaction
from edgeclients.store.rows import TOKEN_COLUMNS, count_from_now, operators_where, to_operators
from edgeclients.store.sqlite import roles
from edgeclients.store.sqlite.rows import fetch
from edgeclients.times import DAY

_OPERATOR = operators_where("o.id = ?")
TOKENS = f"SELECT {TOKEN_COLUMNS} FROM operator_tokens WHERE operator_id = ? ORDER BY name"
_TOKEN = f"SELECT {TOKEN_COLUMNS} FROM operator_tokens WHERE digest = ?"
_TOUCH = (
    f"UPDATE operator_tokens SET last_used_at = :now, {count_from_now('created_at', ':now', ':ahead')},"
    " digest = :digest, key_id = :key_id WHERE digest = :old"
)
_STANDING = "SELECT standing FROM operator_domains WHERE operator_id = ? AND domain_id = ?"


def token(connection: sqlite3.Connection, digests: Sequence[bytes]) -> OperatorToken | None:
    """`ports.OperatorStore.operator_token`. From the oldest digest to the newest: a token changes in this direction."""
    for digest in reversed(digests):
        for row in fetch(connection, _TOKEN, (digest,)):
            return OperatorToken(*row)
    return None


def standing(connection: sqlite3.Connection, operator_id: str, domain_id: str) -> DomainStanding | None:
    """`ports.OperatorStore.operator_standing`."""
    rows = fetch(connection, _STANDING, (operator_id, domain_id))
    return DomainStanding(rows[0][0]) if rows else None


class SqliteOperators(OperatorTransaction):
    """`ports.OperatorTransaction` on the writer's connection, for the length of one unit."""

    roles_changed = False

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        self._connection = connection
        self.now = now

    @override
    async def operator(self, operator_id: str) -> LocalOperator | None:
        return next(iter(to_operators(fetch(self._connection, _OPERATOR, (operator_id,)))), None)

    @override
    async def put_operator(self, operator: LocalOperator) -> None:
        self._connection.execute(
            "INSERT INTO operators (id, name, created_at) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, created_at = excluded.created_at",
            (operator.id, operator.name, operator.created_at),
        )
        self._connection.execute("DELETE FROM operator_domains WHERE operator_id = ?", (operator.id,))
        self._connection.executemany(
            "INSERT INTO operator_domains (operator_id, domain_id, standing) VALUES (?, ?, ?)",
            [(operator.id, domain_id, str(kind)) for domain_id, kind in operator.domains.items()],
        )

    @override
    async def remove_operator(self, operator_id: str) -> None:
        self._connection.execute("DELETE FROM operators WHERE id = ?", (operator_id,))

    @override
    async def leave_roles(self, member_id: str, by: str) -> tuple[Role, ...]:
        left = roles.leave_all(self._connection, member_id, self.now, by)
        self.roles_changed = self.roles_changed or bool(left)
        return left

    @override
    async def count_operator_tokens(self, operator_id: str) -> int:
        sql = "SELECT count(*) FROM operator_tokens WHERE operator_id = ?"
        return int(fetch(self._connection, sql, (operator_id,))[0][0])

    @override
    async def add_operator_token(self, token: OperatorToken) -> None:
        try:
            self._connection.execute(
                f"INSERT INTO operator_tokens ({TOKEN_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                astuple(token),
            )
        except sqlite3.IntegrityError as error:
            if "operator_tokens.name" not in str(error):
                raise
            raise TokenNameTaken from error

    @override
    async def remove_operator_token(self, operator_id: str, name: str) -> bool:
        sql = "DELETE FROM operator_tokens WHERE operator_id = ? AND name = ? RETURNING 1"
        return bool(fetch(self._connection, sql, (operator_id, name)))

    @override
    async def touch_operator_token(self, old: OperatorToken, digest: bytes, key_id: str) -> None:
        self._connection.execute(
            _TOUCH,
            {"now": self.now, "ahead": self.now + DAY, "digest": digest, "key_id": key_id, "old": old.digest},
        )
