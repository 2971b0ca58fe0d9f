"""Pages of lists: what matches is found by number, rows are fetched for the page only."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import aiosqlite
import msgspec

from edgeclients.model import LAST_SEEN, ClientFilter, ListedClient, Page, Viewer
from edgeclients.store.activity import newest
from edgeclients.store.clause import Clause
from edgeclients.store.rows import order_by, to_listed, to_types
from edgeclients.store.sqlite import filters, sight, views
from edgeclients.store.sqlite.candidates import candidates as found_by_search
from edgeclients.store.sqlite.matches import Matches, ranked
from edgeclients.store.sqlite.names import numbered
from edgeclients.store.sqlite.rows import CLIENT_COLUMNS, CLIENT_WIDTH, LISTED_COLUMNS, ROLE_COLUMNS, named, to_client, to_role
from edgeclients.store.sqlite.scanner import rows

_CHANGED = "coalesce(c.updated_at, c.created_at)"

# Positions in a row of a page, after the columns of the client.
_ADDED_TYPES = CLIENT_WIDTH
_TOTAL, _LAST_SEEN, _ROLE = _ADDED_TYPES + 1, _ADDED_TYPES + 2, _ADDED_TYPES + 3


async def page(
    connection: aiosqlite.Connection,
    domain_id: str,
    wanted: ClientFilter,
    viewer: Viewer | None,
    seen: Mapping[str, int | None],
) -> Page:
    """`Store.page`, in the open transaction of `connection`; `seen` holds the times that the file does not have yet."""
    if wanted.of_sight:
        await sight.write_newer(connection, seen)
    candidates = await found_by_search(connection, domain_id, wanted)
    sources = filters.sources(domain_id, wanted, candidates)
    conditions = filters.conditions(domain_id, wanted, candidates)
    if viewer is not None:
        visible = views.visible(viewer, wanted.role)
        sources += visible.sources
        conditions += visible.conditions
    matches = await ranked(connection, domain_id, wanted, candidates, sources, conditions)
    if wanted.only_total:
        return Page(await _count(connection, matches))
    total = matches.known_count
    if total is None and matches.may_be_met_soon:
        total = await _count(connection, matches)
    chosen = await _chosen(connection, matches, total)
    found = await rows(connection, _page_rows(chosen, wanted, viewer))
    if total is None:
        total = found[0][_TOTAL] if found else await _count(connection, matches)
    return Page(total, tuple(_listed(row, wanted, viewer, seen) for row in found))


async def _count(connection: aiosqlite.Connection, matches: Matches) -> int:
    if matches.known_count is not None:
        return matches.known_count
    return int((await rows(connection, matches.count()))[0][0])


async def _chosen(connection: aiosqlite.Connection, matches: Matches, total: int | None) -> Clause:
    """The numbers of the page's clients, `chosen`, and as `total` how many match, if that is not known."""
    if total is None or not matches.are_met_soon(total):
        # All of them must be sorted anyway, and counting them on the way is free.
        return matches.sorted(_order(matches.wanted), counted=total is not None)
    order = _order(matches.wanted)
    if matches.wanted.order == LAST_SEEN:
        numbers = await sight.page(connection, matches)
    elif not matches.are_walked:
        return matches.walked(order)
    elif (met := await matches.walk(connection, order, total)) is not None:
        numbers = met
    else:
        return matches.sorted(order, counted=True)
    return Clause("SELECT value AS chosen, 0 AS total FROM json_each(?)", (msgspec.json.encode(numbers).decode(),))


def _page_rows(chosen: Clause, wanted: ClientFilter, viewer: Viewer | None) -> Clause:
    order, held = _order(wanted), _held_columns(viewer)
    return Clause(
        f"SELECT {LISTED_COLUMNS}, {_TYPES}, total, {filters.WRITTEN}, {held.columns} "
        f"FROM ({chosen.sql}) JOIN client_rows c ON c.n = chosen {held.join.sql} {order}",
        (wanted.channel_id, *chosen.parameters, *held.join.parameters),
    )


def _order(wanted: ClientFilter) -> str:
    return order_by(wanted.order, filters.SEEN, _CHANGED, descending=wanted.descending)


class _Held(NamedTuple):
    """The columns and the join that add the viewer's role to each row of a page."""

    columns: str
    join: Clause


def _held_columns(viewer: Viewer | None) -> _Held:
    if viewer is None:
        return _Held("NULL", Clause("", ()))
    return _Held(
        ROLE_COLUMNS,
        Clause(
            f"LEFT JOIN member_rows m ON m.client = c.n AND m.member = {numbered()} "
            "LEFT JOIN role_rows r ON r.client = m.client AND r.id = m.role AND r.actions <> 0",
            (viewer.user_id,),
        ),
    )


def _listed(row: Any, wanted: ClientFilter, viewer: Viewer | None, seen: Mapping[str, int | None]) -> ListedClient:
    client, types = to_client(row[:_ADDED_TYPES]), to_types(row[_ADDED_TYPES]) if wanted.channel_id is not None else ()
    role = None if row[_ROLE] is None else to_role(row[_ROLE:], client.id)
    return to_listed(client, types, role, viewer, newest(seen.get(client.id, row[_LAST_SEEN]), row[_LAST_SEEN]))


_TYPES = (
    f"(SELECT sum(k.type) FROM connection_rows k WHERE k.channel = {numbered()} AND k.domain = c.domain AND k.client = c.n)"
)


def clients_query(client_ids: Sequence[str]) -> tuple[str, tuple[object, ...]]:
    """The SQL of `Store.clients`."""
    return _CLIENTS, (msgspec.json.encode(client_ids).decode(),)


_CLIENTS = f"""
SELECT {CLIENT_COLUMNS} FROM json_each(?) wanted CROSS JOIN client_rows c ON c.id = uuid_bytes(wanted.value)
GROUP BY c.n ORDER BY c.created_at, c.id
"""

CONNECTIONS = f"""
SELECT h.name, {named("k.domain")}, k.type FROM connection_rows k JOIN names h ON h.n = k.channel
WHERE k.client = (SELECT n FROM client_rows WHERE id = ?) ORDER BY h.name, k.type
"""

# Steps from one group to the next in the index: DISTINCT would scan every client of the domain that has a parent.
PARENT_GROUPS = f"""
WITH RECURSIVE parents (found) AS (
    SELECT min(parent_group) FROM client_rows WHERE domain = {numbered("?1")} AND parent_group IS NOT NULL
    UNION ALL
    SELECT (SELECT min(parent_group) FROM client_rows WHERE domain = {numbered("?1")} AND parent_group > found)
    FROM parents WHERE found IS NOT NULL
)
SELECT (SELECT name FROM names WHERE n = found) FROM parents WHERE found IS NOT NULL LIMIT ?2
"""
