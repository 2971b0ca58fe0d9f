"""Roles and their members: reads by key, and the changes of a unit of work.

A role is looked up by id among the few roles of its client (`core.limits.ROLES`). A unit locks a client before it changes
the client's roles, so that its reads of them stay true until it commits.
"""

from collections.abc import Sequence

import asyncpg
from typing_extensions import override

from edgeclients.errors import RoleNameTaken
from edgeclients.model import Action, NewRole, Role
from edgeclients.ports import RoleTransaction
from edgeclients.store.postgres.connect import Statements
from edgeclients.store.postgres.faults import constraint_of
from edgeclients.store.postgres.rows import key
from edgeclients.store.rows import ROLE_COLUMNS, to_role

LOCK_CLIENTS = "SELECT id FROM clients WHERE id = ANY ($1) ORDER BY id FOR UPDATE"

_ROLE = f"SELECT {ROLE_COLUMNS} FROM clients_roles r WHERE r.entity_id = $1 AND r.id = $2"

_HELD = f"""
SELECT {ROLE_COLUMNS} FROM clients_role_members m
JOIN clients_roles r ON r.entity_id = m.entity_id AND r.id = m.role_id
WHERE m.entity_id = $1 AND m.member_id = $2
"""

_HELD_ANYWHERE = f"""
SELECT {ROLE_COLUMNS} FROM clients_role_members m
JOIN clients_roles r ON r.entity_id = m.entity_id AND r.id = m.role_id
WHERE m.member_id = $1
"""

_MANAGED = """
SELECT EXISTS (
    SELECT 1 FROM clients_roles WHERE entity_id = $1 AND actions & $2 <> 0
    AND id IN (SELECT role_id FROM clients_role_members WHERE entity_id = $1)
)
"""

_INSERT = "INSERT INTO clients_roles (entity_id, id, name, actions, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)"
_UPDATE = (
    "UPDATE clients_roles SET name = $1, actions = $2, updated_at = $3, updated_by = $4"
    " WHERE entity_id = $5 AND name = $6 AND id = $7"
)
_INSERT_MEMBER = "INSERT INTO clients_role_members (entity_id, member_id, role_id) VALUES ($1, $2, $3)"


async def role(connection: Statements, client_id: str, role_id: str) -> Role | None:
    """`ports.RoleStore.role`."""
    row = await connection.fetchrow(_ROLE, key(client_id), key(role_id))
    return to_role(row) if row else None


async def held(connection: Statements, client_id: str, member_id: str) -> Role | None:
    """`ports.RoleStore.role_held`."""
    row = await connection.fetchrow(_HELD, key(client_id), key(member_id))
    return to_role(row) if row else None


class PostgresRoles(RoleTransaction):
    """`ports.RoleTransaction` on the connection of a unit.

    `roles_changed` says whether the unit has changed a role or its members.
    """

    roles_changed = False

    def __init__(self, connection: Statements) -> None:
        self._connection = connection

    @override
    async def role(self, client_id: str, role_id: str) -> Role | None:
        return await role(self._connection, client_id, role_id)

    @override
    async def role_held(self, client_id: str, member_id: str) -> Role | None:
        return await held(self._connection, client_id, member_id)

    @override
    async def roles_held(self, client_id: str, member_ids: Sequence[str]) -> dict[str, str]:
        sql = "SELECT member_id, role_id FROM clients_role_members WHERE entity_id = $1 AND member_id = ANY ($2)"
        return dict(await self._connection.fetch(sql, key(client_id), list(map(key, member_ids))))

    @override
    async def count_roles(self, client_id: str) -> int:
        return int(await self._connection.fetchval("SELECT count(*) FROM clients_roles WHERE entity_id = $1", key(client_id)))

    @override
    async def is_managed(self, client_id: str) -> bool:
        # Units call this before they read the client, and the answer has to stay true.
        await self._connection.execute(LOCK_CLIENTS, [key(client_id)])
        return bool(await self._connection.fetchval(_MANAGED, key(client_id), int(Action.MANAGE_ROLE)))

    @override
    async def add_role(self, role: NewRole) -> None:
        self.roles_changed = True
        try:
            await insert(self._connection, [role])
        except asyncpg.UniqueViolationError as error:
            raise _name_taken(error) from error

    @override
    async def replace_role(self, old: Role, new: Role) -> None:
        self.roles_changed = True
        key = (old.entity_id, old.name, old.id)
        try:
            await self._connection.execute(_UPDATE, new.name, int(new.actions), new.updated_at, new.updated_by, *key)
        except asyncpg.UniqueViolationError as error:
            raise _name_taken(error) from error

    @override
    async def remove_role(self, role: Role) -> None:
        await self.remove_members(role, None)
        await self._connection.execute(
            "DELETE FROM clients_roles WHERE entity_id = $1 AND name = $2", role.entity_id, role.name
        )

    @override
    async def add_members(self, role: Role, member_ids: Sequence[str]) -> None:
        self.roles_changed = True
        await self._connection.executemany(_INSERT_MEMBER, [(role.entity_id, member, role.id) for member in member_ids])

    @override
    async def remove_members(self, role: Role, member_ids: Sequence[str] | None) -> tuple[str, ...]:
        self.roles_changed = True
        sql = "DELETE FROM clients_role_members WHERE entity_id = $1 AND role_id = $2"
        parameters: tuple[object, ...] = (role.entity_id, role.id)
        if member_ids is not None:
            sql += " AND member_id = ANY ($3)"
            parameters += (list(map(key, member_ids)),)
        removed = await self._connection.fetch(f"{sql} RETURNING member_id", *parameters)
        return tuple(member for (member,) in removed)


async def insert(connection: Statements, roles: Sequence[NewRole]) -> None:
    """Write roles with their members.

    Raises:
        asyncpg.UniqueViolationError: a name or a member exists already.
    """
    await connection.executemany(
        _INSERT, [(r.entity_id, r.id, r.name, int(r.actions), r.created_at, r.created_by) for r in roles]
    )
    await connection.executemany(_INSERT_MEMBER, [(r.entity_id, member, r.id) for r in roles for member in r.members])


async def leave_all(connection: Statements, member_id: str, now: int, by: str) -> tuple[Role, ...]:
    """`ports.OperatorTransaction.leave_roles`."""
    clients = await connection.fetch("SELECT entity_id FROM clients_role_members WHERE member_id = $1", member_id)
    await connection.execute(LOCK_CLIENTS, [client_id for (client_id,) in clients])
    left = tuple(map(to_role, await connection.fetch(_HELD_ANYWHERE, member_id)))
    await connection.execute("DELETE FROM clients_role_members WHERE member_id = $1", member_id)
    await connection.executemany(
        "UPDATE clients_roles SET updated_at = $1, updated_by = $2 WHERE entity_id = $3 AND name = $4",
        [(max(now, role.created_at), by, role.entity_id, role.name) for role in left],
    )
    return left


def _name_taken(error: asyncpg.UniqueViolationError) -> Exception:
    """`RoleNameTaken` if the name exists already; a violation of another constraint as it is."""
    return RoleNameTaken() if constraint_of(error) == "clients_roles_pkey" else error
