"""The SQL of lists of roles and members. All of them are of one client and walk its rows by key."""

from typing import Any

import aiosqlite

from edgeclients.model import DIRECT, MemberFilter, MemberPage, Membership, MembershipPage, Role, RoleFilter, RolePage
from edgeclients.store.sqlite.clause import Clause
from edgeclients.store.sqlite.rows import ROLE_COLUMNS, to_role

_ORDERS = {None: "", "role_name": "r.name {0}, ", "role_id": "r.id {0}, "}


def role_conditions(wanted: RoleFilter) -> list[Clause]:
    """What a role `r` must be to fit; a role without an action never does."""
    conditions = [Clause("r.actions <> 0", ())]
    if wanted.actions is not None:
        conditions.append(Clause("r.actions & ? = ?", (int(wanted.actions), int(wanted.actions))))
    if wanted.role_id is not None:
        conditions.append(Clause("r.id = ?", (wanted.role_id,)))
    if wanted.role_name is not None:
        conditions.append(Clause("r.name = ?", (wanted.role_name,)))
    if wanted.access_type not in {None, DIRECT} or wanted.access_provider_id is not None:
        conditions.append(Clause("0", ()))
    return conditions


async def roles(connection: aiosqlite.Connection, client_id: str, offset: int, limit: int) -> RolePage:
    """`Store.roles`, in the transaction that is open on `connection`."""
    rows = await _rows(
        connection,
        f"SELECT {ROLE_COLUMNS} FROM clients_roles r WHERE r.entity_id = ? ORDER BY r.created_at, r.id LIMIT ? OFFSET ?",
        (client_id, limit, offset),
    )
    total = await _rows(connection, "SELECT count(*) FROM clients_roles WHERE entity_id = ?", (client_id,))
    return RolePage(total[0][0], tuple(map(to_role, rows)))


async def members(connection: aiosqlite.Connection, role: Role, offset: int, limit: int) -> MemberPage:
    """`Store.members`, in the transaction that is open on `connection`."""
    frame = "FROM clients_role_members WHERE entity_id = ? AND role_id = ?"
    key = (role.entity_id, role.id)
    rows = await _rows(connection, f"SELECT member_id {frame} ORDER BY member_id LIMIT ? OFFSET ?", (*key, limit, offset))
    total = await _rows(connection, f"SELECT count(*) {frame}", key)
    return MemberPage(total[0][0], tuple(member for (member,) in rows))


async def memberships(connection: aiosqlite.Connection, client_id: str, wanted: MemberFilter) -> MembershipPage:
    """`Store.memberships`, in the transaction that is open on `connection`."""
    # Members lead and are sorted afterwards. With the roles in front SQLite reads all members again for each of them.
    fitting = Clause.all_of([Clause("r.entity_id = ?", (client_id,)), *role_conditions(wanted.role)])
    frame = (
        f"WITH fitting AS MATERIALIZED (SELECT {ROLE_COLUMNS} FROM clients_roles r WHERE {fitting.sql}), "
        f"held AS MATERIALIZED (SELECT m.member_id, {ROLE_COLUMNS} FROM clients_role_members m "
        "CROSS JOIN fitting r ON r.id = m.role_id WHERE m.entity_id = ?) SELECT {0} FROM held r"
    )
    parameters = (*fitting.parameters, client_id)
    direction = "DESC" if wanted.descending else "ASC"
    order = f"ORDER BY {_ORDERS[wanted.order].format(direction)}r.member_id {direction} LIMIT ? OFFSET ?"
    columns = f"r.member_id, {ROLE_COLUMNS}"
    rows = await _rows(connection, f"{frame.format(columns)} {order}", (*parameters, wanted.limit, wanted.offset))
    total = await _rows(connection, frame.format("count(*)"), parameters)
    return MembershipPage(total[0][0], tuple(Membership(member, to_role(role)) for member, *role in rows))


async def _rows(connection: aiosqlite.Connection, sql: str, parameters: tuple[object, ...]) -> list[Any]:
    return list(await connection.execute_fetchall(sql, parameters))
