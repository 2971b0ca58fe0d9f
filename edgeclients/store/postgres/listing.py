"""The SQL of lists: one statement for a page and the total, and therefore one snapshot."""

from collections.abc import Sequence
from typing import Any

from edgeclients.model import (
    ClientFilter,
    ConnectionType,
    ListedClient,
    Page,
    Status,
    Viewer,
)
from edgeclients.store.clause import Clause
from edgeclients.store.postgres import views
from edgeclients.store.postgres.connect import PostgresConnection
from edgeclients.store.postgres.pages import counted, rows_of
from edgeclients.store.postgres.rows import CLIENT_WIDTH, LISTED_COLUMNS, searched, to_client
from edgeclients.store.rows import (
    ROLE_COLUMNS,
    fold,
    order_by,
    to_listed,
    to_role,
    to_types,
)

_NO_ROLE = "NULL"

_TYPES = "(SELECT sum(k.type) FROM connections k WHERE k.channel_id = ? AND k.domain_id = c.domain_id AND k.client_id = c.id)"

_SEEN = "(SELECT s.at FROM last_seen s WHERE s.client_id = c.id)"

PARENT_GROUPS = """
SELECT DISTINCT parent_group_id FROM clients WHERE domain_id = $1 AND parent_group_id IS NOT NULL ORDER BY 1 LIMIT $2
"""

_HELD = """
LEFT JOIN clients_role_members m ON m.entity_id = c.id AND m.member_id = ?
LEFT JOIN clients_roles r ON r.entity_id = m.entity_id AND r.id = m.role_id AND r.actions <> 0
"""


async def page(connection: PostgresConnection, domain_id: str, wanted: ClientFilter, viewer: Viewer | None = None) -> Page:
    """`Store.page`."""
    where = Clause.all_of(_conditions(domain_id, wanted) + views.visible(wanted.role, viewer))
    total = Clause(f"SELECT count(*) FROM clients c WHERE {where.sql}", where.parameters)
    if wanted.only_total:
        return Page((await rows_of(connection, total))[0][0])
    order = order_by(wanted.order, _SEEN, descending=wanted.descending)
    chosen = Clause(
        f"SELECT c.* FROM clients c WHERE {where.sql} {order} LIMIT ? OFFSET ?",
        (*where.parameters, wanted.limit, wanted.offset),
    )
    held, viewers = ("", ()) if viewer is None else (_HELD, (viewer.user_id,))
    items = Clause(
        f"SELECT {LISTED_COLUMNS}, {_TYPES}, {_SEEN}, {_NO_ROLE if viewer is None else ROLE_COLUMNS} "
        f"FROM ({chosen.sql}) c {held} {order}",
        (wanted.channel_id, *chosen.parameters, *viewers),
    )
    count, rows = await counted(connection, total, items)
    return Page(count, tuple(_listed(row, wanted, viewer) for row in rows))


def _listed(row: Sequence[Any], wanted: ClientFilter, viewer: Viewer | None) -> ListedClient:
    types = to_types(row[CLIENT_WIDTH]) if wanted.channel_id is not None else ()
    role = row[CLIENT_WIDTH + 2 :]
    return to_listed(to_client(row), types, None if role[0] is None else to_role(role), viewer, row[CLIENT_WIDTH + 1])


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
    if wanted.external_id is not None:
        # The second condition lets the server use the index, which has only those.
        conditions.append(Clause("c.external_id = ? AND c.external_id <> ''", (wanted.external_id,)))
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
