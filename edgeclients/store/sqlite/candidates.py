"""The clients that a list may show, according to the search rows: those with the wanted tags, metadata and statuses."""

from collections.abc import Sequence
from typing import NamedTuple

import aiosqlite

from edgeclients.model import ClientFilter, Status
from edgeclients.store.clause import Clause
from edgeclients.store.sqlite import client_set
from edgeclients.store.sqlite.client_set import ClientSet
from edgeclients.store.sqlite.names import numbered
from edgeclients.store.sqlite.scanner import rows
from edgeclients.store.sqlite.search import STATUS, TAG
from edgeclients.store.sqlite.terms import Term, query

_INDEXED_THROUGH = "(SELECT indexed_through FROM store_state WHERE id = 1)"


class _Any(NamedTuple):
    """A criterion: a client has one of some values, or, `excluding`, none of them."""

    path: str
    values: Sequence[str]
    excluding: bool = False


async def candidates(connection: aiosqlite.Connection, domain_id: str, wanted: ClientFilter) -> ClientSet | None:
    """The clients of the domain with the wanted tags, metadata and statuses; None if a list wants no tags and no metadata.

    Metadata that search rows do not decide (`filters.conditions`) has to be compared.
    """
    tags, metadata = _tags(wanted), query(wanted.metadata).terms if wanted.metadata else ()
    criteria = [*tags, *(_Any(path, (value,)) for path, value in metadata)]
    if not criteria:
        return None
    older = await _older(connection, domain_id, [*criteria, *_statuses(wanted)])
    return older | await _newest(connection, domain_id, wanted, tags, metadata)


def _tags(wanted: ClientFilter) -> list[_Any]:
    if wanted.tags is None:
        return []
    if wanted.tags.match_all:
        return [_Any(TAG, (tag,)) for tag in wanted.tags.tags]
    return [_Any(TAG, wanted.tags.tags)]


def _statuses(wanted: ClientFilter) -> list[_Any]:
    """Clients with the usual status have no search row for it."""
    if Status.ENABLED not in wanted.statuses:
        return [_Any(STATUS, [str(int(status)) for status in wanted.statuses])]
    others = [str(int(status)) for status in Status if status not in wanted.statuses]
    return [_Any(STATUS, others, excluding=True)] if others else []


async def _older(connection: aiosqlite.Connection, domain_id: str, criteria: Sequence[_Any]) -> ClientSet:
    """Those of the clients that have search rows."""
    sets: list[dict[int, int]] = [{} for _ in criteria]
    clauses = [_rows(number, domain_id, criterion) for number, criterion in enumerate(criteria)]
    # SQLite takes 500 parts, and a list no more than 100 tags (core.limits) and 32 terms.
    sql, parameters = " UNION ALL ".join(one.sql for one in clauses), tuple(p for one in clauses for p in one.parameters)
    for number, block, stored in await rows(connection, Clause(sql, parameters)):
        blocks = sets[number]
        blocks[block] = blocks.get(block, 0) | client_set.decode(stored)
    found, *others = map(ClientSet, sets)
    for criterion, other in zip(criteria[1:], others, strict=True):
        found = found - other if criterion.excluding else found & other
    return found


def _rows(number: int, domain_id: str, criterion: _Any) -> Clause:
    """The rows of a criterion, each with its number."""
    where = f"domain = {numbered()} AND path = ? AND value IN ({_marks(criterion.values)})"
    return Clause(
        f"SELECT {number}, block, clients FROM search_rows WHERE {where}",
        (domain_id, criterion.path, *criterion.values),
    )


async def _newest(
    connection: aiosqlite.Connection, domain_id: str, wanted: ClientFilter, tags: Sequence[_Any], metadata: Sequence[Term]
) -> ClientSet:
    """Those of the newest clients, which have no search rows."""
    conditions = [Clause(f"n > {_INDEXED_THROUGH}", ()), Clause(f"+domain = {numbered()}", (domain_id,))]
    for _, values, _ in tags:
        conditions.append(Clause(f"EXISTS (SELECT 1 FROM json_each(tags) WHERE value IN ({_marks(values)}))", tuple(values)))
    conditions += [Clause("metadata_has(metadata, ?, ?)", term) for term in metadata]
    statuses = tuple(map(int, wanted.statuses))
    conditions.append(Clause(f"+status IN ({_marks(statuses)})", statuses))
    sql, parameters = Clause.all_of(conditions)
    found = await rows(connection, Clause(f"SELECT n FROM client_rows WHERE {sql}", parameters))
    return ClientSet.of(number for (number,) in found)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" for _ in values)
