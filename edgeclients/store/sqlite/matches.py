"""How a list finds its clients: by the most selective source, or on a walk through the domain in the order of the list."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import aiosqlite
import msgspec
from msgspec import Struct

from edgeclients.model import ClientFilter
from edgeclients.store.clause import Clause, Source
from edgeclients.store.sqlite import filters
from edgeclients.store.sqlite.names import numbered

# Rows read of each source to find the most selective, and rows counted if that does not decide.
_FEW, _MANY = 2000, 20_000


class _Ranked(NamedTuple):
    """A source, and how many clients it admits; of a large one at least."""

    source: Source
    size: int


class Matches(Struct, frozen=True):
    """The clients of a list: those of the first source that meet the conditions and are of the other sources.

    `clients` is how many the domain has with the wanted statuses, `others` how many with other ones; None if the first source
    is so small that it does not matter.
    """

    domain_id: str
    wanted: ClientFilter
    ranked: Sequence[_Ranked]
    conditions: Sequence[Clause]
    clients: int | None = None
    others: int | None = None

    @property
    def may_be_met_soon(self) -> bool:
        """Whether `are_met_soon` may be true: how many match is estimated, as if the sources were independent."""
        if not self.clients:
            return not self.ranked
        estimate = float(self.clients)
        for _, size in self.ranked:
            estimate *= min(1.0, size / self.clients)
        return self.are_met_soon(estimate)

    def are_met_soon(self, count: float) -> bool:
        """Whether a walk through the domain meets a page of `count` matches before they are found and sorted."""
        if not self.ranked:
            return True
        if not self.clients:
            return False
        return count * count > (self.wanted.offset + self.wanted.limit) * self.clients

    @property
    def known_count(self) -> int | None:
        """Their number, if nothing has to be counted."""
        return None if self.ranked or not self._are_of_domain else self.clients

    def count(self) -> Clause:
        """The SQL of their number."""
        if self._are_of_domain and self.others == 0 and self.ranked and all(source.by_number for source, _ in self.ranked):
            sql, parameters = self._numbers()
        else:
            sql, parameters = self._led() if self.ranked else self._walked()
        return Clause(f"SELECT count(*) {sql}", parameters)

    @property
    def _are_of_domain(self) -> bool:
        """Whether the conditions only say that a client is of the domain and has a wanted status."""
        return len(self.conditions) == len(filters.of_domain(self.domain_id, self.wanted))

    def sorted(self, order: str, *, counted: bool) -> Clause:
        """The numbers of a page's clients, found by the first source and sorted, and how many match, if not `counted`."""
        total = "0" if counted else "count(*) OVER ()"
        return self._page(f"SELECT c.n AS chosen, {total} AS total", self._led(), order)

    def walked(self, order: str) -> Clause:
        """The numbers of a page's clients, in the order of an index: the walk ends with the page."""
        return self._page("SELECT c.n AS chosen, 0 AS total", self._walked(), order)

    def where(self) -> Clause:
        """All conditions on a client `c` of the database."""
        checks = [Clause(source.check.sql.replace("lead.client", "c.n"), source.check.parameters) for source, _ in self.ranked]
        return Clause.all_of([*self.conditions, *checks])

    def _page(self, select: str, found: Clause, order: str) -> Clause:
        parameters = (*found.parameters, self.wanted.limit, self.wanted.offset)
        return Clause(f"{select} {found.sql} {order} LIMIT ? OFFSET ?", parameters)

    def _numbers(self) -> Clause:
        """Their numbers alone, `lead.client`."""
        (lead, _), *others = self.ranked
        where, parameters = Clause.all_of([Clause("TRUE", ()), *(source.check for source, _ in others)])
        return Clause(f"FROM ({_each_once(lead)}) lead WHERE {where}", (*lead.ids.parameters, *parameters))

    def _led(self) -> Clause:
        (lead, _), *others = self.ranked
        where, parameters = Clause.all_of([*self.conditions, *(source.check for source, _ in others)])
        # CROSS JOIN keeps SQLite from choosing another order.
        return Clause(
            f"FROM ({_each_once(lead)}) lead CROSS JOIN client_rows c ON c.n = lead.client WHERE {where}",
            (*lead.ids.parameters, *parameters),
        )

    def _walked(self) -> Clause:
        where, parameters = self.where()
        return Clause(f"FROM client_rows c WHERE {where}", parameters)


async def ranked(
    connection: aiosqlite.Connection,
    domain_id: str,
    wanted: ClientFilter,
    sources: Sequence[Source],
    conditions: Sequence[Clause],
) -> Matches:
    """The matches of a list, with its sources in ascending order of how many clients they admit."""
    found = await _ranked(connection, sources)
    if found and found[0].size < _FEW:
        return Matches(domain_id, wanted, found, conditions)
    ((clients, others),) = await rows(connection, _numbers_of_domain(domain_id, wanted))
    return Matches(domain_id, wanted, found, conditions, clients, others)


async def rows(connection: aiosqlite.Connection, clause: Clause) -> list[tuple[Any, ...]]:
    """What a statement selects."""
    return list(await connection.execute_fetchall(clause.sql, clause.parameters))  # type: ignore[arg-type] # object is what SQLite takes


async def _ranked(connection: aiosqlite.Connection, sources: Sequence[Source]) -> list[_Ranked]:
    few = [[n for (n,) in await rows(connection, _limited("SELECT client", source, _FEW))] for source in sources]
    sizes = list(map(len, few))
    if min(sizes, default=0) == _FEW:
        sizes = [(await rows(connection, _limited("SELECT count(*)", source, _MANY)))[0][0] for source in sources]
    # What was read of a small one is all of it.
    read = [_read(source, found) if len(found) < _FEW else source for source, found in zip(sources, few, strict=True)]
    return sorted(map(_Ranked, read, sizes), key=lambda one: one.size)


def _read(source: Source, numbers: Sequence[int]) -> Source:
    """The source with the numbers that it selects."""
    return source._replace(ids=Clause("SELECT value AS client FROM json_each(?)", (msgspec.json.encode(numbers).decode(),)))


def _limited(select: str, source: Source, limit: int) -> Clause:
    return Clause(f"{select} FROM ({source.ids.sql} LIMIT {limit})", source.ids.parameters)


def _each_once(source: Source) -> str:
    return f"SELECT DISTINCT client FROM ({source.ids.sql})" if source.repeats else source.ids.sql


def _numbers_of_domain(domain_id: str, wanted: ClientFilter) -> Clause:
    """How many clients a domain has with the wanted statuses, and with others; the totals are kept, nothing is counted."""
    marks = ", ".join("?" for _ in wanted.statuses)
    statuses = tuple(map(int, wanted.statuses))
    return Clause(
        f"SELECT coalesce(sum(iif(status IN ({marks}), clients, 0)), 0), coalesce(sum(iif(status IN ({marks}), 0, clients)), 0)"
        f" FROM totals WHERE domain = {numbered()}",
        (*statuses, *statuses, domain_id),
    )
