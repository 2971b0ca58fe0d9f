"""The SQL of lists of roles and members. Each is of one client and scans its rows by key."""

from edgeclients.model import MemberFilter, MemberPage, Membership, MembershipPage, Role, RolePage
from edgeclients.store.clause import Clause
from edgeclients.store.postgres.connect import PostgresConnection
from edgeclients.store.postgres.pages import counted
from edgeclients.store.rows import ROLE_COLUMNS, members_order_by, role_conditions, to_role


async def roles(connection: PostgresConnection, client_id: str, offset: int, limit: int) -> RolePage:
    """`Store.roles`."""
    total = Clause("SELECT count(*) FROM clients_roles WHERE entity_id = ?", (client_id,))
    items = Clause(
        f"SELECT {ROLE_COLUMNS} FROM clients_roles r WHERE r.entity_id = ? ORDER BY r.created_at, r.id LIMIT ? OFFSET ?",
        (client_id, limit, offset),
    )
    count, rows = await counted(connection, total, items)
    return RolePage(count, tuple(map(to_role, rows)))


async def members(connection: PostgresConnection, role: Role, offset: int, limit: int) -> MemberPage:
    """`Store.members`."""
    frame, key = "FROM clients_role_members WHERE entity_id = ? AND role_id = ?", (role.entity_id, role.id)
    items = Clause(f"SELECT member_id {frame} ORDER BY member_id LIMIT ? OFFSET ?", (*key, limit, offset))
    count, rows = await counted(connection, Clause(f"SELECT count(*) {frame}", key), items)
    return MemberPage(count, tuple(member for (member,) in rows))


async def memberships(connection: PostgresConnection, client_id: str, wanted: MemberFilter) -> MembershipPage:
    """`Store.memberships`."""
    where = Clause.all_of([Clause("m.entity_id = ?", (client_id,)), *role_conditions(wanted.role)])
    frame = (
        f"FROM (SELECT m.member_id, {ROLE_COLUMNS} FROM clients_role_members m "
        f"JOIN clients_roles r ON r.entity_id = m.entity_id AND r.id = m.role_id WHERE {where.sql}) r"
    )
    order = members_order_by(wanted.order, descending=wanted.descending)
    items = Clause(
        f"SELECT r.member_id, {ROLE_COLUMNS} {frame} {order} LIMIT ? OFFSET ?", (*where.parameters, wanted.limit, wanted.offset)
    )
    count, rows = await counted(connection, Clause(f"SELECT count(*) {frame}", where.parameters), items)
    return MembershipPage(count, tuple(Membership(member, to_role(role)) for member, *role in rows))
