"""Roles and their members: reads by key, and the changes of a unit of work.

A role is looked up by id among the few roles of its client (`core.limits.ROLES`).
"""

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec
from typing_extensions import override

from edgeclients.errors import RoleNameTaken
from edgeclients.model import Action, NewRole, Role
from edgeclients.ports import RoleTransaction
from edgeclients.store.sqlite.ids import role_bytes, role_text, uuid_bytes, uuid_text
from edgeclients.store.sqlite.names import Names, numbered
from edgeclients.store.sqlite.rows import ROLE_COLUMNS, fetch, named, to_role

CLIENT = "(SELECT n FROM client_rows WHERE id = ?)"
"""The number of the client whose id's bytes are a parameter."""

_ROLE = f"SELECT {ROLE_COLUMNS} FROM role_rows r WHERE r.client = {CLIENT} AND r.id = ?"

_HELD = f"""
SELECT {ROLE_COLUMNS} FROM member_rows m
JOIN role_rows r ON r.client = m.client AND r.id = m.role
WHERE m.client = {CLIENT} AND m.member = {numbered()}
"""

_HELD_BY_SEVERAL = f"""
SELECT wanted.value, m.role FROM json_each(?) wanted
CROSS JOIN member_rows m ON m.client = {CLIENT} AND m.member = {numbered("wanted.value")}
"""

_HELD_ANYWHERE = f"""
SELECT {ROLE_COLUMNS}, c.id FROM member_rows m
CROSS JOIN role_rows r ON r.client = m.client AND r.id = m.role
CROSS JOIN client_rows c ON c.n = m.client
WHERE m.member = {numbered()}
"""

# Scans the members once, not once per role.
_MANAGED = """
WITH wanted (n) AS (SELECT n FROM client_rows WHERE id = ?1)
SELECT EXISTS (
    SELECT 1 FROM wanted w CROSS JOIN role_rows r ON r.client = w.n
    WHERE r.actions & ?2 AND r.id IN (SELECT m.role FROM wanted o CROSS JOIN member_rows m ON m.client = o.n)
)
"""

_INSERT = "INSERT INTO role_rows (client, id, name, actions, created_at, created_by) VALUES (?, ?, ?, ?, ?, ?)"
_UPDATE = (
    "UPDATE role_rows SET name = ?, actions = ?, updated_at = ?, updated_by = ?"
    f" WHERE client = {CLIENT} AND name = ? AND id = ?"
)
_INSERT_MEMBER = "INSERT INTO member_rows (client, member, role) VALUES (?, ?, ?)"


def role(connection: sqlite3.Connection, client_id: str, role_id: str) -> Role | None:
    """`ports.RoleStore.role`."""
    rows = fetch(connection, _ROLE, (uuid_bytes(client_id), role_bytes(role_id)))
    return to_role(rows[0], client_id) if rows else None


def held(connection: sqlite3.Connection, client_id: str, member_id: str) -> Role | None:
    """`ports.RoleStore.role_held`."""
    rows = fetch(connection, _HELD, (uuid_bytes(client_id), member_id))
    return to_role(rows[0], client_id) if rows else None


class SqliteRoles(RoleTransaction):
    """`ports.RoleTransaction` on the writer's connection, for the length of one unit.

    `roles_changed` says whether the unit has changed a role or its members.
    """

    roles_changed = False

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._names = Names(connection)

    @override
    async def role(self, client_id: str, role_id: str) -> Role | None:
        return role(self._connection, client_id, role_id)

    @override
    async def role_held(self, client_id: str, member_id: str) -> Role | None:
        return held(self._connection, client_id, member_id)

    @override
    async def roles_held(self, client_id: str, member_ids: Sequence[str]) -> dict[str, str]:
        wanted = msgspec.json.encode(member_ids).decode()
        found = fetch(self._connection, _HELD_BY_SEVERAL, (wanted, uuid_bytes(client_id)))
        return {member: role_text(role_id) for member, role_id in found}

    @override
    async def count_roles(self, client_id: str) -> int:
        sql = f"SELECT count(*) FROM role_rows WHERE client = {CLIENT}"
        return int(fetch(self._connection, sql, (uuid_bytes(client_id),))[0][0])

    @override
    async def is_managed(self, client_id: str) -> bool:
        return bool(fetch(self._connection, _MANAGED, (uuid_bytes(client_id), int(Action.MANAGE_ROLE)))[0][0])

    @override
    async def add_role(self, role: NewRole) -> None:
        self.roles_changed = True
        number = _number_of(self._connection, role.entity_id)
        try:
            insert(self._connection, self._names, [role], {role.entity_id: number})
        except sqlite3.IntegrityError as error:
            raise _name_taken(error) from error

    @override
    async def replace_role(self, old: Role, new: Role) -> None:
        self.roles_changed = True
        key = (uuid_bytes(old.entity_id), old.name, role_bytes(old.id))
        by = self._names.optional(new.updated_by)
        try:
            self._connection.execute(_UPDATE, (new.name, int(new.actions), new.updated_at, by, *key))
        except sqlite3.IntegrityError as error:
            raise _name_taken(error) from error

    @override
    async def remove_role(self, role: Role) -> None:
        await self.remove_members(role, None)
        sql = f"DELETE FROM role_rows WHERE client = {CLIENT} AND name = ?"
        self._connection.execute(sql, (uuid_bytes(role.entity_id), role.name))

    @override
    async def add_members(self, role: Role, member_ids: Sequence[str]) -> None:
        self.roles_changed = True
        number, role_id = _number_of(self._connection, role.entity_id), role_bytes(role.id)
        members = [(number, self._names.number(member), role_id) for member in member_ids]
        self._connection.executemany(_INSERT_MEMBER, members)

    @override
    async def remove_members(self, role: Role, member_ids: Sequence[str] | None) -> tuple[str, ...]:
        self.roles_changed = True
        sql = f"DELETE FROM member_rows WHERE client = {CLIENT} AND role = ?"
        parameters: tuple[object, ...] = (uuid_bytes(role.entity_id), role_bytes(role.id))
        if member_ids is not None:
            sql += " AND member IN (SELECT n FROM names WHERE name IN (SELECT value FROM json_each(?)))"
            parameters += (msgspec.json.encode(member_ids).decode(),)
        removed = fetch(self._connection, f"{sql} RETURNING {named('member')}", parameters)
        return tuple(member for (member,) in removed)


def insert(connection: sqlite3.Connection, names: Names, roles: Sequence[NewRole], numbers: Mapping[str, int | None]) -> None:
    """Write roles with their members; `numbers` are those of their clients, by id.

    Raises:
        sqlite3.IntegrityError: a name or a member exists already, or a client does not.
    """
    rows = [(numbers[r.entity_id], role_bytes(r.id), r) for r in roles]
    connection.executemany(
        _INSERT, [(n, role_id, r.name, int(r.actions), r.created_at, names.number(r.created_by)) for n, role_id, r in rows]
    )
    connection.executemany(
        _INSERT_MEMBER, [(n, names.number(member), role_id) for n, role_id, r in rows for member in r.members]
    )


def leave_all(connection: sqlite3.Connection, member_id: str, now: int, by: str) -> tuple[Role, ...]:
    """`ports.OperatorTransaction.leave_roles`."""
    left = [(row, to_role(row[:-1], uuid_text(row[-1]))) for row in fetch(connection, _HELD_ANYWHERE, (member_id,))]
    connection.execute(f"DELETE FROM member_rows WHERE member = {numbered()}", (member_id,))
    changed_by = Names(connection).number(by)
    connection.executemany(
        "UPDATE role_rows SET updated_at = ?, updated_by = ? WHERE client = ? AND name = ?",
        [(max(now, role.created_at), changed_by, row[1], role.name) for row, role in left],
    )
    return tuple(role for _, role in left)


def _number_of(connection: sqlite3.Connection, client_id: str) -> int | None:
    rows = fetch(connection, "SELECT n FROM client_rows WHERE id = ?", (uuid_bytes(client_id),))
    return int(rows[0][0]) if rows else None


def _name_taken(error: sqlite3.IntegrityError) -> Exception:
    """`RoleNameTaken` if the name exists already; a violation of another constraint as it is."""
    return RoleNameTaken() if "role_rows.name" in str(error) else error
