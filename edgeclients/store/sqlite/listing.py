"""The SQL of a list: the most selective filter leads, the others are checked by key, rows are fetched for the page only."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import aiosqlite
import msgspec

from edgeclients.model import ClientFilter, ConnectionType, ListedClient, Page, Status, Viewer
from edgeclients.store.activity import newest
from edgeclients.store.clause import Clause, Source
from edgeclients.store.rows import ROLE_COLUMNS, fold, order_by, to_listed, to_types
from edgeclients.store.sqlite import views
from edgeclients.store.sqlite.rows import CLIENT_COLUMNS, CLIENT_WIDTH, LISTED_COLUMNS, to_client
from edgeclients.store.sqlite.terms import Query, query

# When a client was last seen: according to the file, and with the newer times in memory, copied to a temporary table.
_WRITTEN = "(SELECT at FROM activity.last_seen s WHERE s.client_id = c.id)"
_SEEN = (
    "CASE WHEN EXISTS (SELECT 1 FROM temp.seen n WHERE n.client_id = c.id) "
    f"THEN (SELECT max(at, coalesce({_WRITTEN}, at)) FROM temp.seen n WHERE n.client_id = c.id) ELSE {_WRITTEN} END"
)
_MAX_TERMS = 32  # of a metadata query in one statement; with more, candidates are compared as well
# Rows counted per filter to find the most selective: a few first, more if that does not decide.
_COUNTED = (1000, 20_000)

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
        await _write_seen(connection, seen)
    sources = _sources(domain_id, wanted)
    conditions = _conditions(domain_id, wanted)
    if viewer is not None:
        visible = views.visible(viewer, wanted.role)
        sources += visible.sources
        conditions += visible.conditions
    lead = await _leading(connection, sources)
    frame = _frame(lead, conditions)
    if wanted.only_total:
        return Page(await _count(connection, frame))
    order = order_by(wanted.order, _SEEN, descending=wanted.descending)
    # With a lead all matches must be sorted anyway, and counting them on the way is free. Without one an index gives the
    # order, the scan stops at the end of the page, and another index counts faster.
    total = "count(*) OVER ()" if lead else "0"
    chosen = f"SELECT c.rowid AS chosen, {total} AS total {frame.sql} {order} LIMIT ? OFFSET ?"
    held = _held_columns(viewer)
    rows = await _rows(
        connection,
        Clause(
            f"SELECT {LISTED_COLUMNS}, {_TYPES}, total, {_WRITTEN}, {held.columns} "
            f"FROM ({chosen}) JOIN clients c ON c.rowid = chosen {held.join.sql} {order}",
            (wanted.channel_id, *frame.parameters, wanted.limit, wanted.offset, *held.join.parameters),
        ),
    )
    items = tuple(_listed(row, wanted, viewer, seen) for row in rows)
    return Page(rows[0][_TOTAL] if lead and rows else await _count(connection, frame), items)


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
            "LEFT JOIN clients_role_members m ON m.entity_id = c.id AND m.member_id = ? "
            "LEFT JOIN clients_roles r ON r.entity_id = m.entity_id AND r.id = m.role_id AND r.actions <> 0",
            (viewer.user_id,),
        ),
    )


def _listed(row: Any, wanted: ClientFilter, viewer: Viewer | None, seen: Mapping[str, int | None]) -> ListedClient:
    client, types = to_client(row[:_ADDED_TYPES]), to_types(row[_ADDED_TYPES]) if wanted.channel_id is not None else ()
    return to_listed(client, types, row[_ROLE:], viewer, newest(seen.get(client.id, row[_LAST_SEEN]), row[_LAST_SEEN]))


async def _write_seen(connection: aiosqlite.Connection, seen: Mapping[str, int | None]) -> None:
    """Copy the times in memory to a temporary table, for the statements of this transaction."""
    await connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS seen (client_id TEXT NOT NULL PRIMARY KEY, at INTEGER) WITHOUT ROWID"
    )
    await connection.execute("DELETE FROM temp.seen")
    await connection.executemany("INSERT INTO temp.seen VALUES (?, ?)", list(seen.items()))


async def _count(connection: aiosqlite.Connection, frame: Clause) -> int:
    return (await _rows(connection, Clause(f"SELECT count(*) {frame.sql}", frame.parameters)))[0][0]


_TYPES = "(SELECT sum(k.type) FROM connections k WHERE k.channel_id = ? AND k.domain_id = c.domain_id AND k.client_id = c.id)"


def _frame(lead: Sequence[Source], conditions: Sequence[Clause]) -> Clause:
    """FROM and WHERE: the first source leads, if there is one."""
    where, parameters = Clause.all_of([*conditions, *(source.check for source in lead[1:])])
    if not lead:
        return Clause(f"FROM clients c WHERE {where}", parameters)
    ids = lead[0].ids
    # CROSS JOIN keeps SQLite from choosing another order.
    return Clause(
        f"FROM (SELECT DISTINCT client_id FROM ({ids.sql})) lead CROSS JOIN clients c ON c.id = lead.client_id WHERE {where}",
        (*ids.parameters, *parameters),
    )


async def _leading(connection: aiosqlite.Connection, sources: Sequence[Source]) -> list[Source]:
    """`sources`, in ascending order of how many clients they admit."""
    if len(sources) < 2:
        return list(sources)
    for limit in _COUNTED:
        counts = [f"SELECT count(*) FROM ({source.ids.sql} LIMIT {limit})" for source in sources]
        parameters = tuple(p for source in sources for p in source.ids.parameters)
        sizes = [n for (n,) in await _rows(connection, Clause(" UNION ALL ".join(counts), parameters))]
        if min(sizes) < limit:
            break
    return [source for _, source in sorted(zip(sizes, sources, strict=True), key=lambda pair: pair[0])]


async def _rows(connection: aiosqlite.Connection, clause: Clause) -> list[tuple[int, ...]]:
    return list(await connection.execute_fetchall(clause.sql, clause.parameters))  # type: ignore[arg-type] # object is what SQLite takes


def _sources(domain_id: str, wanted: ClientFilter) -> list[Source]:
    sources = []
    if wanted.tags is not None:
        groups = [(tag,) for tag in wanted.tags.tags] if wanted.tags.match_all else [wanted.tags.tags]
        sources += [_tag_source(domain_id, group) for group in groups]
    if wanted.metadata:
        sources += [
            _source("client_metadata", "domain_id = ? AND path = ? AND value = ?", (domain_id, *term))
            for term in sorted(query(wanted.metadata).terms)[:_MAX_TERMS]
        ]
    if wanted.channel_id is not None:
        types = tuple(ConnectionType) if wanted.connection_type is None else (wanted.connection_type,)
        marks = ", ".join("?" for _ in types)
        where = f"channel_id = ? AND domain_id = ? AND type IN ({marks})"
        sources.append(_source("connections", where, (wanted.channel_id, domain_id, *map(int, types))))
    return sources


def _tag_source(domain_id: str, tags: Sequence[str]) -> Source:
    marks = ", ".join("?" for _ in tags)
    return _source("client_tags", f"domain_id = ? AND tag IN ({marks})", (domain_id, *tags))


def _source(table: str, where: str, parameters: tuple[object, ...]) -> Source:
    return Source(
        Clause(f"SELECT client_id FROM {table} WHERE {where}", parameters),
        Clause(f"EXISTS (SELECT 1 FROM {table} WHERE {where} AND client_id = lead.client_id)", parameters),
    )


def _conditions(domain_id: str, wanted: ClientFilter) -> list[Clause]:
    conditions = [Clause("c.domain_id = ?", (domain_id,))]
    if len(wanted.statuses) < len(Status):
        marks = ", ".join("?" for _ in wanted.statuses)
        conditions.append(Clause(f"c.status IN ({marks})", tuple(map(int, wanted.statuses))))
    if wanted.name is not None:
        conditions.append(Clause("c.name_folded LIKE ?", (f"%{fold(wanted.name)}%",)))
    if wanted.id is not None:
        conditions.append(Clause("c.id = ?", (wanted.id,)))
    if wanted.parent_group_id == "":
        conditions.append(Clause("c.parent_group_id IS NULL", ()))
    elif wanted.parent_group_id is not None:
        conditions.append(Clause("c.parent_group_id = ?", (wanted.parent_group_id,)))
    for bound, comparison in (
        (wanted.created_from, "c.created_at >= ?"),
        (wanted.created_to, "c.created_at <= ?"),
        (wanted.seen_after, f"{_SEEN} >= ?"),
        (wanted.seen_before, f"{_SEEN} <= ?"),
    ):
        if bound is not None:
            conditions.append(Clause(comparison, (bound,)))
    if wanted.metadata and _needs_comparing(query(wanted.metadata)):
        text = msgspec.json.encode(wanted.metadata).decode()
        conditions.append(Clause("metadata_contains(c.metadata, ?)", (text,)))
    return conditions


def _needs_comparing(asked: Query) -> bool:
    return not asked.exact or len(asked.terms) > _MAX_TERMS


def clients_query(client_ids: Sequence[str]) -> tuple[str, tuple[object, ...]]:
    """The SQL of `Store.clients`."""
    return (
        f"SELECT {CLIENT_COLUMNS} FROM clients WHERE id IN (SELECT value FROM json_each(?)) ORDER BY created_at, id",
        (msgspec.json.encode(client_ids).decode(),),
    )


# Steps from one group to the next in the index: DISTINCT would scan every client of the domain that has a parent.
PARENT_GROUPS = """
WITH RECURSIVE parents (found) AS (
    SELECT min(parent_group_id) FROM clients WHERE domain_id = ?1 AND parent_group_id IS NOT NULL
    UNION ALL
    SELECT (SELECT min(parent_group_id) FROM clients WHERE domain_id = ?1 AND parent_group_id > found)
    FROM parents WHERE found IS NOT NULL
)
SELECT found FROM parents WHERE found IS NOT NULL LIMIT ?2
"""
