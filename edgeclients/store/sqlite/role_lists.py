"""The SQL of lists of roles and members. Each is of one client and scans its rows by key."""

from typing import Any

import aiosqlite

from edgeclients.model import MemberFilter, MemberPage, Membership, MembershipPage, Role, RolePage
from edgeclients.store.clause import Clause
from edgeclients.store.rows import ROLE_COLUMNS, members_order_by, role_conditions, to_role


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
    # Members lead and are sorted afterwards. With the roles first, SQLite reads all members again for each role.
    matching = Clause.all_of([Clause("r.entity_id = ?", (client_id,)), *role_conditions(wanted.role)])
    frame = (
        f"WITH fitting AS MATERIALIZED (SELECT {ROLE_COLUMNS} FROM clients_roles r WHERE {matching.sql}), "
        f"held AS MATERIALIZED (SELECT m.member_id, {ROLE_COLUMNS} FROM clients_role_members m "
        "CROSS JOIN fitting r ON r.id = m.role_id WHERE m.entity_id = ?) SELECT {0} FROM held r"
    )
    parameters = (*matching.parameters, client_id)
    order = f"{members_order_by(wanted.order, descending=wanted.descending)} LIMIT ? OFFSET ?"
    columns = f"r.member_id, {ROLE_COLUMNS}"
    rows = await _rows(connection, f"{frame.format(columns)} {order}", (*parameters, wanted.limit, wanted.offset))
    total = await _rows(connection, frame.format("count(*)"), parameters)
    return MembershipPage(total[0][0], tuple(Membership(member, to_role(role)) for member, *role in rows))


async def _rows(connection: aiosqlite.Connection, sql: str, parameters: tuple[object, ...]) -> list[Any]:
    return list(await connection.execute_fetchall(sql, parameters))
