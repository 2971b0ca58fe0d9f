"""The SQL of lists of roles and members. Each is of one client and scans its rows by key."""

from typing import Any

import aiosqlite

from edgeclients.model import MemberFilter, MemberPage, Membership, MembershipPage, Role, RolePage
from edgeclients.store.clause import Clause
from edgeclients.store.rows import members_order_by, role_conditions
from edgeclients.store.sqlite.ids import role_bytes, uuid_bytes
from edgeclients.store.sqlite.roles import CLIENT
from edgeclients.store.sqlite.rows import ROLE_COLUMNS, named, to_role


async def roles(connection: aiosqlite.Connection, client_id: str, offset: int, limit: int) -> RolePage:
    """`Store.roles`, in the transaction that is open on `connection`."""
    rows = await _rows(
        connection,
        f"SELECT {ROLE_COLUMNS} FROM role_rows r WHERE r.client = {CLIENT} ORDER BY r.created_at, r.id LIMIT ? OFFSET ?",
        (uuid_bytes(client_id), limit, offset),
    )
    total = await _rows(connection, f"SELECT count(*) FROM role_rows WHERE client = {CLIENT}", (uuid_bytes(client_id),))
    return RolePage(total[0][0], tuple(to_role(row, client_id) for row in rows))


async def members(connection: aiosqlite.Connection, role: Role, offset: int, limit: int) -> MemberPage:
    """`Store.members`, in the transaction that is open on `connection`."""
    frame = f"FROM member_rows JOIN names ON names.n = member WHERE client = {CLIENT} AND role = ?"
    key = (uuid_bytes(role.entity_id), role_bytes(role.id))
    rows = await _rows(connection, f"SELECT name {frame} ORDER BY name LIMIT ? OFFSET ?", (*key, limit, offset))
    total = await _rows(connection, f"SELECT count(*) {frame}", key)
    return MemberPage(total[0][0], tuple(member for (member,) in rows))


async def memberships(connection: aiosqlite.Connection, client_id: str, wanted: MemberFilter) -> MembershipPage:
    """`Store.memberships`, in the transaction that is open on `connection`."""
    # Members lead and are sorted afterwards. With the roles first, SQLite reads all members again for each role.
    matching = Clause.all_of(
        [Clause(f"r.client = {CLIENT}", (uuid_bytes(client_id),)), *role_conditions(wanted.role, role_bytes)]
    )
    frame = (
        f"WITH fitting AS MATERIALIZED (SELECT r.* FROM role_rows r WHERE {matching.sql}), "
        f"held AS MATERIALIZED (SELECT {named('m.member')} AS member_id, r.* FROM member_rows m "
        f"CROSS JOIN fitting r ON r.id = m.role WHERE m.client = {CLIENT}) SELECT {{0}} FROM held r"
    )
    parameters = (*matching.parameters, uuid_bytes(client_id))
    order = f"{members_order_by(wanted.order, descending=wanted.descending)} LIMIT ? OFFSET ?"
    columns = f"r.member_id, {ROLE_COLUMNS}"
    rows = await _rows(connection, f"{frame.format(columns)} {order}", (*parameters, wanted.limit, wanted.offset))
    total = await _rows(connection, frame.format("count(*)"), parameters)
    return MembershipPage(total[0][0], tuple(Membership(member, to_role(role, client_id)) for member, *role in rows))


async def _rows(connection: aiosqlite.Connection, sql: str, parameters: tuple[object, ...]) -> list[Any]:
    return list(await connection.execute_fetchall(sql, parameters))
