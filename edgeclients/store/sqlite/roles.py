"""Roles and their members: reads by key, and the changes of a unit of work.

A role is looked up by id among the few roles of its client (`core.limits.ROLES`).
"""

import sqlite3
from collections.abc import Sequence

import msgspec
from typing_extensions import override

from edgeclients.errors import RoleNameTaken
from edgeclients.model import Action, NewRole, Role
from edgeclients.ports import RoleTransaction
from edgeclients.store.rows import ROLE_COLUMNS, to_role
from edgeclients.store.sqlite.rows import fetch

_ROLE = f"SELECT {ROLE_COLUMNS} FROM clients_roles r WHERE r.entity_id = ? AND r.id = ?"

_HELD = f"""
SELECT {ROLE_COLUMNS} FROM clients_role_members m
JOIN clients_roles r ON r.entity_id = m.entity_id AND r.id = m.role_id
WHERE m.entity_id = ? AND m.member_id = ?
"""

_HELD_BY_SEVERAL = """
SELECT m.member_id, m.role_id FROM json_each(?) wanted
CROSS JOIN clients_role_members m ON m.entity_id = ? AND m.member_id = wanted.value
"""

_HELD_ANYWHERE = f"""
SELECT {ROLE_COLUMNS} FROM clients_role_members m
CROSS JOIN clients_roles r ON r.entity_id = m.entity_id AND r.id = m.role_id
WHERE m.member_id = ?
"""

# Scans the members once, not once per role.
_MANAGED = """
SELECT EXISTS (
    SELECT 1 FROM clients_roles WHERE entity_id = ?1 AND actions & ?2
    AND id IN (SELECT role_id FROM clients_role_members WHERE entity_id = ?1)
)
"""

_INSERT = "INSERT INTO clients_roles (entity_id, id, name, actions, created_at, created_by) VALUES (?, ?, ?, ?, ?, ?)"
_UPDATE = (
    "UPDATE clients_roles SET name = ?, actions = ?, updated_at = ?, updated_by = ? WHERE entity_id = ? AND name = ? AND id = ?"
)
_INSERT_MEMBER = "INSERT INTO clients_role_members (entity_id, member_id, role_id) VALUES (?, ?, ?)"


def role(connection: sqlite3.Connection, client_id: str, role_id: str) -> Role | None:
    """`ports.RoleStore.role`."""
    rows = fetch(connection, _ROLE, (client_id, role_id))
    return to_role(rows[0]) if rows else None


def held(connection: sqlite3.Connection, client_id: str, member_id: str) -> Role | None:
    """`ports.RoleStore.role_held`."""
    rows = fetch(connection, _HELD, (client_id, member_id))
    return to_role(rows[0]) if rows else None


class SqliteRoles(RoleTransaction):
    """`ports.RoleTransaction` on the writer's connection, for the length of one unit.

    `roles_changed` says whether the unit has changed a role or its members.
    """

    roles_changed = False

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @override
    async def role(self, client_id: str, role_id: str) -> Role | None:
        return role(self._connection, client_id, role_id)

    @override
    async def role_held(self, client_id: str, member_id: str) -> Role | None:
        return held(self._connection, client_id, member_id)

    @override
    async def roles_held(self, client_id: str, member_ids: Sequence[str]) -> dict[str, str]:
        wanted = msgspec.json.encode(member_ids).decode()
        return dict(fetch(self._connection, _HELD_BY_SEVERAL, (wanted, client_id)))

    @override
    async def count_roles(self, client_id: str) -> int:
        sql = "SELECT count(*) FROM clients_roles WHERE entity_id = ?"
        return int(fetch(self._connection, sql, (client_id,))[0][0])

    @override
    async def is_managed(self, client_id: str) -> bool:
        return bool(fetch(self._connection, _MANAGED, (client_id, int(Action.MANAGE_ROLE)))[0][0])

    @override
    async def add_role(self, role: NewRole) -> None:
        self.roles_changed = True
        try:
            insert(self._connection, [role])
        except sqlite3.IntegrityError as error:
            raise _name_taken(error) from error

    @override
    async def replace_role(self, old: Role, new: Role) -> None:
        self.roles_changed = True
        key = (old.entity_id, old.name, old.id)
        try:
            self._connection.execute(_UPDATE, (new.name, int(new.actions), new.updated_at, new.updated_by, *key))
        except sqlite3.IntegrityError as error:
            raise _name_taken(error) from error

    @override
    async def remove_role(self, role: Role) -> None:
        await self.remove_members(role, None)
        self._connection.execute("DELETE FROM clients_roles WHERE entity_id = ? AND name = ?", (role.entity_id, role.name))

    @override
    async def add_members(self, role: Role, member_ids: Sequence[str]) -> None:
        self.roles_changed = True
        self._connection.executemany(_INSERT_MEMBER, [(role.entity_id, member, role.id) for member in member_ids])

    @override
    async def remove_members(self, role: Role, member_ids: Sequence[str] | None) -> tuple[str, ...]:
        self.roles_changed = True
        sql = "DELETE FROM clients_role_members WHERE entity_id = ? AND role_id = ?"
        parameters: tuple[str, ...] = (role.entity_id, role.id)
        if member_ids is not None:
            sql += " AND member_id IN (SELECT value FROM json_each(?))"
            parameters += (msgspec.json.encode(member_ids).decode(),)
        removed = fetch(self._connection, f"{sql} RETURNING member_id", parameters)
        return tuple(member for (member,) in removed)


def insert(connection: sqlite3.Connection, roles: Sequence[NewRole]) -> None:
    """Write roles with their members.

    Raises:
        sqlite3.IntegrityError: a name or a member exists already.
    """
    connection.executemany(_INSERT, [(r.entity_id, r.id, r.name, int(r.actions), r.created_at, r.created_by) for r in roles])
    connection.executemany(_INSERT_MEMBER, [(r.entity_id, member, r.id) for r in roles for member in r.members])


def leave_all(connection: sqlite3.Connection, member_id: str, now: int, by: str) -> tuple[Role, ...]:
    """`ports.OperatorTransaction.leave_roles`."""
    left = tuple(map(to_role, fetch(connection, _HELD_ANYWHERE, (member_id,))))
    connection.execute("DELETE FROM clients_role_members WHERE member_id = ?", (member_id,))
    connection.executemany(
        "UPDATE clients_roles SET updated_at = ?, updated_by = ? WHERE entity_id = ? AND name = ?",
        [(max(now, role.created_at), by, role.entity_id, role.name) for role in left],
    )
    return left


def _name_taken(error: sqlite3.IntegrityError) -> Exception:
    """`RoleNameTaken` if the name exists already; a violation of another constraint as it is."""
    return RoleNameTaken() if "clients_roles.name" in str(error) else error
