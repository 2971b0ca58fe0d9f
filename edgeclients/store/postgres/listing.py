"""The SQL of lists: one statement for a page and the size of the whole, and so one snapshot."""

from collections.abc import Sequence
from typing import Any

from edgeclients.model import (
    BY_DOMAIN,
    BY_GROUP,
    ClientFilter,
    ConnectionType,
    ListedClient,
    MemberFilter,
    MemberPage,
    Membership,
    MembershipPage,
    Page,
    Role,
    RoleFilter,
    RolePage,
    Status,
    Viewer,
)
from edgeclients.store.clause import Clause
from edgeclients.store.postgres.connect import Link
from edgeclients.store.postgres.rows import CLIENT_COLUMNS, searched, to_client
from edgeclients.store.rows import (
    ROLE_COLUMNS,
    fold,
    members_order_by,
    order_by,
    role_conditions,
    to_listed,
    to_role,
    to_types,
)

_COLUMNS = CLIENT_COLUMNS.replace("c.private_metadata", "'{}'")
_CLIENT_WIDTH = len(CLIENT_COLUMNS.split(", "))
_NO_ROLE = "NULL"
_NOTHING = Clause("FALSE", ())

_TYPES = "(SELECT sum(k.type) FROM connections k WHERE k.channel_id = ? AND k.domain_id = c.domain_id AND k.client_id = c.id)"

_SEEN = "(SELECT s.at FROM last_seen s WHERE s.client_id = c.id)"

PARENT_GROUPS = """
SELECT DISTINCT parent_group_id FROM clients WHERE domain_id = $1 AND parent_group_id IS NOT NULL ORDER BY 1 LIMIT $2
"""

_HELD = """
LEFT JOIN clients_role_members m ON m.entity_id = c.id AND m.member_id = ?
LEFT JOIN clients_roles r ON r.entity_id = m.entity_id AND r.id = m.role_id AND r.actions <> 0
"""

_OF_VIEWER = """
SELECT 1 FROM clients_role_members m JOIN clients_roles r ON r.entity_id = m.entity_id AND r.id = m.role_id
WHERE m.member_id = ? AND m.entity_id = c.id
"""


async def page(link: Link, domain_id: str, wanted: ClientFilter, viewer: Viewer | None = None) -> Page:
    """`Store.page`."""
    where = Clause.all_of(_conditions(domain_id, wanted) + _view(wanted.role, viewer))
    total = Clause(f"SELECT count(*) FROM clients c WHERE {where.sql}", where.parameters)
    if wanted.only_total:
        return Page((await _rows(link, total))[0][0])
    order = order_by(wanted.order, _SEEN, descending=wanted.descending)
    chosen = Clause(
        f"SELECT c.* FROM clients c WHERE {where.sql} {order} LIMIT ? OFFSET ?",
        (*where.parameters, wanted.limit, wanted.offset),
    )
    held, viewers = ("", ()) if viewer is None else (_HELD, (viewer.user_id,))
    items = Clause(
        f"SELECT {_COLUMNS}, {_TYPES}, {_SEEN}, {_NO_ROLE if viewer is None else ROLE_COLUMNS} "
        f"FROM ({chosen.sql}) c {held} {order}",
        (wanted.channel_id, *chosen.parameters, *viewers),
    )
    count, rows = await _counted(link, total, items)
    return Page(count, tuple(_listed(row, wanted, viewer) for row in rows))


async def roles(link: Link, client_id: str, offset: int, limit: int) -> RolePage:
    """`Store.roles`."""
    total = Clause("SELECT count(*) FROM clients_roles WHERE entity_id = ?", (client_id,))
    items = Clause(
        f"SELECT {ROLE_COLUMNS} FROM clients_roles r WHERE r.entity_id = ? ORDER BY r.created_at, r.id LIMIT ? OFFSET ?",
        (client_id, limit, offset),
    )
    count, rows = await _counted(link, total, items)
    return RolePage(count, tuple(map(to_role, rows)))


async def members(link: Link, role: Role, offset: int, limit: int) -> MemberPage:
    """`Store.members`."""
    frame, key = "FROM clients_role_members WHERE entity_id = ? AND role_id = ?", (role.entity_id, role.id)
    items = Clause(f"SELECT member_id {frame} ORDER BY member_id LIMIT ? OFFSET ?", (*key, limit, offset))
    count, rows = await _counted(link, Clause(f"SELECT count(*) {frame}", key), items)
    return MemberPage(count, tuple(member for (member,) in rows))


async def memberships(link: Link, client_id: str, wanted: MemberFilter) -> MembershipPage:
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
    count, rows = await _counted(link, Clause(f"SELECT count(*) {frame}", where.parameters), items)
    return MembershipPage(count, tuple(Membership(member, to_role(role)) for member, *role in rows))


async def _counted(link: Link, total: Clause, items: Clause) -> tuple[int, list[Sequence[Any]]]:
    """The size of the whole and the rows of `items`, in their order."""
    # The count is there though there be no row of the page.
    rows = await _rows(
        link,
        Clause(
            f"SELECT total.n, page.place, page.* FROM ({total.sql}) total (n) LEFT JOIN "
            f"(SELECT row_number() OVER () AS place, found.* FROM ({items.sql}) found) page ON TRUE ORDER BY page.place",
            (*total.parameters, *items.parameters),
        ),
    )
    return rows[0][0], [tuple(row)[3:] for row in rows if row[1] is not None]


async def _rows(link: Link, clause: Clause) -> list[Sequence[Any]]:
    return await link.fetch(clause.numbered(), *clause.parameters)


def _listed(row: Sequence[Any], wanted: ClientFilter, viewer: Viewer | None) -> ListedClient:
    types = to_types(row[_CLIENT_WIDTH]) if wanted.channel_id is not None else ()
    return to_listed(to_client(row), types, row[_CLIENT_WIDTH + 2 :], viewer, row[_CLIENT_WIDTH + 1])


def _view(wanted: RoleFilter, viewer: Viewer | None) -> list[Clause]:
    """What the viewer, and what is wanted of roles, leave of the clients."""
    if viewer is None:
        return []
    fitting = Clause.all_of(role_conditions(wanted))
    held = Clause(f"EXISTS ({_OF_VIEWER} AND {fitting.sql})", (viewer.user_id, *fitting.parameters))
    if wanted.of_role:
        return [held]
    not_held = Clause(f"NOT EXISTS ({_OF_VIEWER} AND r.actions <> 0)", (viewer.user_id,))
    grouped = Clause("c.parent_group_id = ANY (?)", (sorted(viewer.groups),))
    if wanted.access_type is None:
        either = Clause(f"({held.sql} OR {grouped.sql})", (*held.parameters, *grouped.parameters))
        return [] if viewer.everything else [either]
    if viewer.everything:
        return [not_held] if wanted.access_type == BY_DOMAIN else [_NOTHING]
    return [grouped, not_held] if wanted.access_type == BY_GROUP else [_NOTHING]


def _conditions(domain_id: str, wanted: ClientFilter) -> list[Clause]:
    conditions = [Clause("c.domain_id = ?", (domain_id,))]
    if len(wanted.statuses) == 1:
        conditions.append(Clause("c.status = ?", (int(wanted.statuses[0]),)))
    elif len(wanted.statuses) < len(Status):
        conditions.append(Clause("c.status = ANY (?)", (list(map(int, wanted.statuses)),)))
    if wanted.tags is not None:
        conditions.append(Clause(f"c.tags {'@>' if wanted.tags.match_all else '&&'} ?", (wanted.tags.tags,)))
    if wanted.metadata:
        conditions.append(Clause("c.metadata @> ?", (searched(wanted.metadata),)))
    if wanted.parent_group_id == "":
        conditions.append(Clause("c.parent_group_id IS NULL", ()))
    if wanted.channel_id is not None:
        conditions.append(_connected(wanted.channel_id, wanted.connection_type))
    pattern = None if wanted.name is None else f"%{fold(wanted.name)}%"
    compared = (
        ("c.name_folded LIKE ? ESCAPE ''", pattern),
        ("c.id = ?", wanted.id),
        ("c.parent_group_id = ?", wanted.parent_group_id or None),
        ("c.created_at >= ?", wanted.created_from),
        ("c.created_at <= ?", wanted.created_to),
        (f"{_SEEN} >= ?", wanted.seen_after),
        (f"{_SEEN} <= ?", wanted.seen_before),
    )
    return conditions + [Clause(sql, (value,)) for sql, value in compared if value is not None]


def _connected(channel_id: str, type_: ConnectionType | None) -> Clause:
    sql = "EXISTS (SELECT 1 FROM connections k WHERE k.channel_id = ? AND k.domain_id = c.domain_id AND k.client_id = c.id"
    if type_ is None:
        return Clause(f"{sql})", (channel_id,))
    return Clause(f"{sql} AND k.type = ?)", (channel_id, int(type_)))
