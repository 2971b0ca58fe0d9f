"""The SQL of a list: the rarest filter leads, the others are checked by key, the page is cut before rows are fetched."""

from collections.abc import Sequence
from typing import NamedTuple

import aiosqlite
import msgspec

from edgeclients.model import ClientFilter, ConnectionType, ListedClient, Page, Status
from edgeclients.store.sqlite.rows import CLIENT_COLUMNS, fold, to_client
from edgeclients.store.sqlite.terms import Query, query

_SORT = {"name": "c.name", "created_at": "c.created_at", "updated_at": "c.changed_at"}
_MOST_TERMS = 32  # of a metadata query in one statement; with more, candidates are compared as well
# Rows counted of each filter, to see which is rarest: a few first, and more where that does not tell them apart.
_COUNTED = (1000, 20_000)

_COLUMNS = ", ".join(f"c.{column}" for column in CLIENT_COLUMNS.removesuffix(", private_metadata").split(", "))


class _Clause(NamedTuple):
    """SQL with its parameters."""

    sql: str
    parameters: tuple[object, ...]


class _Source(NamedTuple):
    """A filter that can lead (`ids` are the clients it admits) or check what another leads to (`check`)."""

    ids: _Clause
    check: _Clause


async def page(connection: aiosqlite.Connection, domain_id: str, wanted: ClientFilter) -> Page:
    """`Store.page`, in the transaction that is open on `connection`."""
    lead = await _leading(connection, _sources(domain_id, wanted))
    frame = _frame(lead, _conditions(domain_id, wanted))
    if wanted.only_total:
        return Page(await _count(connection, frame))
    direction = "DESC" if wanted.descending else "ASC"
    order = f"ORDER BY {_SORT[wanted.order]} {direction}, c.id {direction}"
    # With a lead all that is found must be sorted anyway, and counting it on the way is free. Without one an index has the
    # order, a page ends early, and another index counts faster.
    total = "count(*) OVER ()" if lead else "0"
    chosen = f"SELECT c.rowid AS chosen, {total} AS total {frame.sql} {order} LIMIT ? OFFSET ?"
    rows = await _rows(
        connection,
        _Clause(
            f"SELECT {_COLUMNS}, '{{}}', {_TYPES}, total FROM ({chosen}) JOIN clients c ON c.rowid = chosen {order}",
            (wanted.channel_id, *frame.parameters, wanted.limit, wanted.offset),
        ),
    )
    items = tuple(ListedClient(to_client(row[:-2]), _types(row[-2], wanted)) for row in rows)
    return Page(rows[0][-1] if lead and rows else await _count(connection, frame), items)


async def _count(connection: aiosqlite.Connection, frame: _Clause) -> int:
    return (await _rows(connection, _Clause(f"SELECT count(*) {frame.sql}", frame.parameters)))[0][0]


_TYPES = "(SELECT sum(k.type) FROM connections k WHERE k.channel_id = ? AND k.domain_id = c.domain_id AND k.client_id = c.id)"


def _types(added: int | None, wanted: ClientFilter) -> tuple[ConnectionType, ...]:
    """Both types add up to 3, and neither is there twice."""
    if wanted.channel_id is None or added is None:
        return ()
    return tuple(ConnectionType) if added == sum(ConnectionType) else (ConnectionType(added),)


def _frame(lead: Sequence[_Source], conditions: Sequence[_Clause]) -> _Clause:
    """FROM and WHERE: the first source leads, if there is one."""
    checks = [*conditions, *(source.check for source in lead[1:])]
    where = " AND ".join(clause.sql for clause in checks)
    parameters = tuple(p for clause in checks for p in clause.parameters)
    if not lead:
        return _Clause(f"FROM clients c WHERE {where}", parameters)
    ids = lead[0].ids
    # CROSS JOIN keeps SQLite from choosing another order.
    return _Clause(
        f"FROM (SELECT DISTINCT client_id FROM ({ids.sql})) lead CROSS JOIN clients c ON c.id = lead.client_id WHERE {where}",
        (*ids.parameters, *parameters),
    )


async def _leading(connection: aiosqlite.Connection, sources: Sequence[_Source]) -> list[_Source]:
    """`sources`, the one that admits the fewest clients first."""
    if len(sources) < 2:
        return list(sources)
    for most in _COUNTED:
        counts = [f"SELECT count(*) FROM ({source.ids.sql} LIMIT {most})" for source in sources]
        parameters = tuple(p for source in sources for p in source.ids.parameters)
        sizes = [n for (n,) in await _rows(connection, _Clause(" UNION ALL ".join(counts), parameters))]
        if min(sizes) < most:
            break
    return [source for _, source in sorted(zip(sizes, sources, strict=True), key=lambda pair: pair[0])]


async def _rows(connection: aiosqlite.Connection, clause: _Clause) -> list[tuple[int, ...]]:
    return list(await connection.execute_fetchall(clause.sql, clause.parameters))  # type: ignore[arg-type]


def _sources(domain_id: str, wanted: ClientFilter) -> list[_Source]:
    sources = []
    if wanted.tags is not None:
        groups = [(tag,) for tag in wanted.tags.tags] if wanted.tags.match_all else [wanted.tags.tags]
        sources += [_tag_source(domain_id, group) for group in groups]
    if wanted.metadata:
        sources += [
            _source("client_metadata", "domain_id = ? AND path = ? AND value = ?", (domain_id, *term))
            for term in sorted(query(wanted.metadata).terms)[:_MOST_TERMS]
        ]
    if wanted.channel_id is not None:
        types = tuple(ConnectionType) if wanted.connection_type is None else (wanted.connection_type,)
        marks = ", ".join("?" for _ in types)
        where = f"channel_id = ? AND domain_id = ? AND type IN ({marks})"
        sources.append(_source("connections", where, (wanted.channel_id, domain_id, *map(int, types))))
    return sources


def _tag_source(domain_id: str, tags: Sequence[str]) -> _Source:
    marks = ", ".join("?" for _ in tags)
    return _source("client_tags", f"domain_id = ? AND tag IN ({marks})", (domain_id, *tags))


def _source(table: str, where: str, parameters: tuple[object, ...]) -> _Source:
    return _Source(
        _Clause(f"SELECT client_id FROM {table} WHERE {where}", parameters),
        _Clause(f"EXISTS (SELECT 1 FROM {table} WHERE {where} AND client_id = lead.client_id)", parameters),
    )


def _conditions(domain_id: str, wanted: ClientFilter) -> list[_Clause]:
    conditions = [_Clause("c.domain_id = ?", (domain_id,))]
    if len(wanted.statuses) < len(Status):
        marks = ", ".join("?" for _ in wanted.statuses)
        conditions.append(_Clause(f"c.status IN ({marks})", tuple(map(int, wanted.statuses))))
    if wanted.name is not None:
        conditions.append(_Clause("c.name_folded LIKE ?", (f"%{fold(wanted.name)}%",)))
    if wanted.id is not None:
        conditions.append(_Clause("c.id = ?", (wanted.id,)))
    if wanted.parent_group_id == "":
        conditions.append(_Clause("c.parent_group_id IS NULL", ()))
    elif wanted.parent_group_id is not None:
        conditions.append(_Clause("c.parent_group_id = ?", (wanted.parent_group_id,)))
    if wanted.created_from is not None:
        conditions.append(_Clause("c.created_at >= ?", (wanted.created_from,)))
    if wanted.created_to is not None:
        conditions.append(_Clause("c.created_at <= ?", (wanted.created_to,)))
    if wanted.metadata and _needs_comparing(query(wanted.metadata)):
        text = msgspec.json.encode(wanted.metadata).decode()
        conditions.append(_Clause("metadata_contains(c.metadata, ?)", (text,)))
    return conditions


def _needs_comparing(asked: Query) -> bool:
    return not asked.exact or len(asked.terms) > _MOST_TERMS


def clients_query(client_ids: Sequence[str]) -> tuple[str, tuple[object, ...]]:
    """The SQL of `Store.clients`."""
    return (
        f"SELECT {CLIENT_COLUMNS} FROM clients WHERE id IN (SELECT value FROM json_each(?)) ORDER BY created_at, id",
        (msgspec.json.encode(client_ids).decode(),),
    )
