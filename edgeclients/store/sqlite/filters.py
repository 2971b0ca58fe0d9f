"""The filter of a list in SQL: sources that find clients, and conditions on a client `c`. Tags and metadata: `candidates`."""

import msgspec

from edgeclients.model import ClientFilter, ConnectionType, Status
from edgeclients.store.clause import Clause, Source
from edgeclients.store.rows import fold
from edgeclients.store.sqlite.client_set import ClientSet
from edgeclients.store.sqlite.ids import uuid_bytes
from edgeclients.store.sqlite.names import numbered
from edgeclients.store.sqlite.terms import query

# When a client was last seen: according to the file, and with the newer times in memory, copied to a temporary table.
WRITTEN = "(SELECT at FROM activity.seen_rows s WHERE s.id = c.id)"
SEEN = (
    "CASE WHEN EXISTS (SELECT 1 FROM temp.seen n WHERE n.id = c.id) "
    f"THEN (SELECT max(at, coalesce({WRITTEN}, at)) FROM temp.seen n WHERE n.id = c.id) ELSE {WRITTEN} END"
)
_OF_DOMAIN = f"domain = {numbered()}"
_FEW_NAMES = 5000


def sources(domain_id: str, wanted: ClientFilter, candidates: ClientSet | None) -> list[Source]:
    """What finds the clients with the wanted channel and name by an index."""
    found = []
    if wanted.channel_id is not None:
        types = tuple(ConnectionType) if wanted.connection_type is None else (wanted.connection_type,)
        marks = ", ".join("?" for _ in types)
        where = f"channel = {numbered()} AND {_OF_DOMAIN} AND type IN ({marks})"
        values = (wanted.channel_id, domain_id, *map(int, types))
        found.append(_source("connection_rows", where, values, repeats=len(types) > 1))
    if wanted.name is not None and not _is_few(candidates):
        found.append(_name_source(domain_id, wanted))
    return found


def _is_few(candidates: ClientSet | None) -> bool:
    """Whether it is better to look at the name of each candidate than at all names."""
    return candidates is not None and len(candidates) < _FEW_NAMES


def _name_source(domain_id: str, wanted: ClientFilter) -> Source:
    """The clients whose name has a part, from an index that has all names."""
    where, parameters = Clause.all_of([*of_domain(domain_id, wanted), _has_part("c", wanted)])
    check = _has_part("x", wanted)
    return Source(
        Clause(f"SELECT c.n AS client FROM client_rows c WHERE {where}", parameters),
        Clause(f"EXISTS (SELECT 1 FROM client_rows x WHERE x.n = lead.client AND {check.sql})", check.parameters),
        repeats=False,
        by_number=True,
    )


def _has_part(alias: str, wanted: ClientFilter) -> Clause:
    # LIKE ignores the case of ASCII letters.
    return Clause(f"coalesce({alias}.name_folded, {alias}.name) LIKE ?", (f"%{fold(wanted.name or '')}%",))


def _source(table: str, where: str, parameters: tuple[object, ...], *, repeats: bool) -> Source:
    return Source(
        Clause(f"SELECT client FROM {table} WHERE {where}", parameters),
        Clause(f"EXISTS (SELECT 1 FROM {table} WHERE {where} AND client = lead.client)", parameters),
        repeats,
        by_number=True,
    )


def conditions(domain_id: str, wanted: ClientFilter, candidates: ClientSet | None) -> list[Clause]:
    """What else must hold of a client."""
    every = of_domain(domain_id, wanted)
    if wanted.id is not None:
        every.append(Clause("c.id = ?", (uuid_bytes(wanted.id),)))
    if wanted.external_id is not None:
        every.append(Clause("c.external_id = ?", (wanted.external_id,)))
    if wanted.parent_group_id == "":
        every.append(Clause("c.parent_group IS NULL", ()))
    elif wanted.parent_group_id is not None:
        every.append(Clause(f"c.parent_group = {numbered()}", (wanted.parent_group_id,)))
    for bound, comparison in (
        (wanted.created_from, "c.created_at >= ?"),
        (wanted.created_to, "c.created_at <= ?"),
        (wanted.seen_after, f"{SEEN} >= ?"),
        (wanted.seen_before, f"{SEEN} <= ?"),
    ):
        if bound is not None:
            every.append(Clause(comparison, (bound,)))
    if wanted.name is not None and _is_few(candidates):
        every.append(_has_part("c", wanted))
    if wanted.metadata and not query(wanted.metadata).exact:
        text = msgspec.json.encode(wanted.metadata).decode()
        every.append(Clause("metadata_contains(coalesce(c.metadata, '{}'), ?)", (text,)))
    return every


def of_domain(domain_id: str, wanted: ClientFilter) -> list[Clause]:
    """The conditions that a client is of the domain and has one of the statuses."""
    conditions = [Clause(f"c.{_OF_DOMAIN}", (domain_id,))]
    if len(wanted.statuses) < len(Status):
        marks = ", ".join("?" for _ in wanted.statuses)
        conditions.append(Clause(f"c.status IN ({marks})", tuple(map(int, wanted.statuses))))
    return conditions
