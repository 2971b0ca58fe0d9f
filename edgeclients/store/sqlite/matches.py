"""How a list finds its clients: among candidates, by the most selective source, or on a walk through the domain."""

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import aiosqlite
import msgspec
from msgspec import Struct

from edgeclients.model import LAST_SEEN, ClientFilter
from edgeclients.store.clause import Clause, Source
from edgeclients.store.sqlite import filters
from edgeclients.store.sqlite.client_set import ClientSet
from edgeclients.store.sqlite.names import numbered
from edgeclients.store.sqlite.scanner import numbers, rows

# Rows read of each source to find the most selective, and rows counted if that does not decide.
_FEW, _MANY = 2000, 20_000

_NARROWING = 5000  # rows of a source that are read to narrow candidates; with more, each candidate is checked
_SORTED_AT_ONCE = 300  # candidates; finding out whether there is a better way takes as long

_FURTHER, _MUCH_FURTHER = 1.5, 4  # than matches are expected that lie evenly; than the walk before
_STEPS_A_LOOK_UP = 8  # a step of a walk that reads nothing but an index, compared with reading a client by its number


class _Ranked(NamedTuple):
    """A source, and how many clients it admits; of a large one at least."""

    source: Source
    size: int


class Matches(Struct, frozen=True):
    """The clients of a list: those of the candidates or of the first source that meet the conditions and are of all sources.

    `candidates` is None if there are none. `clients` is how many the domain has with the wanted statuses, `others` how many
    with other ones; None if it does not matter, because the candidates are few or the first source is small.
    """

    domain_id: str
    wanted: ClientFilter
    candidates: ClientSet | None
    ranked: Sequence[_Ranked]
    conditions: Sequence[Clause]
    clients: int | None = None
    others: int | None = None

    @property
    def may_be_met_soon(self) -> bool:
        """Whether `are_met_soon` may be true: how many match is estimated, as if the sources were independent."""
        if not self.clients:
            return self._are_all
        estimate = float(self.clients if self.candidates is None else len(self.candidates))
        for _, size in self.ranked:
            estimate *= min(1.0, size / self.clients)
        return self.are_met_soon(estimate)

    def are_met_soon(self, count: float) -> bool:
        """Whether a walk through the domain meets a page of `count` matches before they are found and sorted."""
        if self._are_all:
            return True
        if not self.clients:
            return False
        steps_a_look_up = _STEPS_A_LOOK_UP if self.are_walked else 1
        return count * count * steps_a_look_up > self._end * self.clients

    @property
    def are_walked(self) -> bool:
        """Whether a walk reads nothing but the numbers in an index, and takes the candidates among them."""
        return self.candidates is not None and self.known_count is not None and self.wanted.order != LAST_SEEN

    @property
    def known_count(self) -> int | None:
        """Their number, if nothing has to be counted."""
        if self.ranked or not self._are_of_domain:
            return None
        return self.clients if self.candidates is None else len(self.candidates)

    def count(self) -> Clause:
        """The SQL of their number."""
        by_number = self.candidates is None and all(source.by_number for source, _ in self.ranked)
        if self._are_of_domain and self.others == 0 and self.ranked and by_number:
            sql, parameters = self._numbers()
        else:
            sql, parameters = self._walked() if self._are_all else self._led()
        return Clause(f"SELECT count(*) {sql}", parameters)

    def sorted(self, order: str, *, counted: bool) -> Clause:
        """The numbers of a page's clients, found by the first source and sorted, and how many match, if not `counted`."""
        total = "0" if counted else "count(*) OVER ()"
        return self._page(f"SELECT c.n AS chosen, {total} AS total", self._led(), order)

    def walked(self, order: str) -> Clause:
        """The numbers of a page's clients, in the order of an index: the walk ends with the page."""
        return self._page("SELECT c.n AS chosen, 0 AS total", self._walked(), order)

    async def walk(self, connection: aiosqlite.Connection, order: str, count: int) -> list[int] | None:
        """The page's of `count` candidates, in order; None if it is better to sort them all.

        They may lie together, far down: a walk that does not meet them is repeated, and goes further.
        """
        if self.candidates is None or not self.clients:
            return None
        end = min(self._end, count)
        steps = int(_FURTHER * self._end * self.clients / count)
        while steps < count * _STEPS_A_LOOK_UP:
            passed = await numbers(connection, self._first(steps, order), "n")
            some = set(self.candidates) if count < steps else self.candidates
            met = list(islice((number for number in passed if number in some), end))
            if len(met) == end:
                return met[self.wanted.offset :]
            steps *= _MUCH_FURTHER
        return None

    def where(self) -> Clause:
        """All conditions on a client `c` of the database."""
        clauses = [self._where_without_candidates()]
        if self.candidates is not None:
            # `+` keeps SQLite from going through the candidates for each row that it comes to.
            clauses.append(Clause("+c.n IN (SELECT value FROM json_each(?))", (self.candidates.json,)))
        return Clause.all_of(clauses)

    @property
    def _end(self) -> int:
        """Where the page ends."""
        return self.wanted.offset + self.wanted.limit

    @property
    def _are_all(self) -> bool:
        """Whether nothing but the conditions restricts them."""
        return self.candidates is None and not self.ranked

    @property
    def _are_of_domain(self) -> bool:
        """Whether the conditions only say that a client is of the domain and has a wanted status."""
        return len(self.conditions) == len(filters.of_domain(self.domain_id, self.wanted))

    def _page(self, select: str, found: Clause, order: str) -> Clause:
        parameters = (*found.parameters, self.wanted.limit, self.wanted.offset)
        return Clause(f"{select} {found.sql} {order} LIMIT ? OFFSET ?", parameters)

    def _numbers(self) -> Clause:
        """Their numbers alone, `lead.client`."""
        (lead, _), *others = self.ranked
        where, parameters = Clause.all_of([Clause("TRUE", ()), *(source.check for source, _ in others)])
        return Clause(f"FROM ({_each_once(lead)}) lead WHERE {where}", (*lead.ids.parameters, *parameters))

    def _led(self) -> Clause:
        if self.candidates is not None:
            lead, others = _given(self.candidates.json), self.ranked
        else:
            (first, _), *others = self.ranked
            lead = Clause(_each_once(first), first.ids.parameters)
        where, parameters = Clause.all_of([*self.conditions, *(source.check for source, _ in others)])
        # CROSS JOIN keeps SQLite from choosing another order.
        return Clause(
            f"FROM ({lead.sql}) lead CROSS JOIN client_rows c ON c.n = lead.client WHERE {where}",
            (*lead.parameters, *parameters),
        )

    def _walked(self) -> Clause:
        where, parameters = self.where()
        return Clause(f"FROM client_rows c WHERE {where}", parameters)

    def _first(self, count: int, order: str) -> Clause:
        """The numbers of the first clients of a list without candidates."""
        where, parameters = self._where_without_candidates()
        return Clause(f"SELECT c.n FROM client_rows c WHERE {where} {order} LIMIT ?", (*parameters, count))

    def _where_without_candidates(self) -> Clause:
        checks = [Clause(source.check.sql.replace("lead.client", "c.n"), source.check.parameters) for source, _ in self.ranked]
        return Clause.all_of([*self.conditions, *checks])


async def ranked(
    connection: aiosqlite.Connection,
    domain_id: str,
    wanted: ClientFilter,
    candidates: ClientSet | None,
    sources: Sequence[Source],
    conditions: Sequence[Clause],
) -> Matches:
    """The matches of a list: candidates as few as can be, sources in ascending order of how many clients they admit."""
    if candidates is None:
        found = await _ranked(connection, sources)
        do_not_matter = bool(found) and found[0].size < _FEW
    else:
        candidates, found = await _narrowed(connection, candidates, sources)
        do_not_matter = len(candidates) < _SORTED_AT_ONCE
    if do_not_matter:
        return Matches(domain_id, wanted, candidates, found, conditions)
    ((clients, others),) = await rows(connection, _numbers_of_domain(domain_id, wanted))
    return Matches(domain_id, wanted, candidates, found, conditions, clients, others)


async def _narrowed(
    connection: aiosqlite.Connection, candidates: ClientSet, sources: Sequence[Source]
) -> tuple[ClientSet, list[_Ranked]]:
    """The candidates that are of all small sources, and the large ones."""
    large = []
    for source in sources:
        found = await numbers(connection, _limited("SELECT client", source, _NARROWING), "client")
        if len(found) < _NARROWING:
            candidates &= ClientSet.of(found)
        else:
            large.append(_Ranked(source, _NARROWING))
    return candidates, large


async def _ranked(connection: aiosqlite.Connection, sources: Sequence[Source]) -> list[_Ranked]:
    few = [await numbers(connection, _limited("SELECT client", source, _FEW), "client") for source in sources]
    sizes = list(map(len, few))
    if min(sizes, default=0) == _FEW:
        sizes = [(await rows(connection, _limited("SELECT count(*)", source, _MANY)))[0][0] for source in sources]
    # What was read of a small one is all of it.
    read = [_read(source, found) if len(found) < _FEW else source for source, found in zip(sources, few, strict=True)]
    return sorted(map(_Ranked, read, sizes), key=lambda one: one.size)


def _read(source: Source, found: Sequence[int]) -> Source:
    """The source with the numbers that it selects."""
    return source._replace(ids=_given(msgspec.json.encode(found).decode()))


def _given(numbers_json: str) -> Clause:
    return Clause("SELECT value AS client FROM json_each(?)", (numbers_json,))


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
