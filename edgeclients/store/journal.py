"""The journal, as far as both engines share it (edgeclients/DECISIONS.md#journal-order)."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Self

from edgeclients.model import JournalEntry, JournalFilter, Ring
from edgeclients.store.clause import Clause
from edgeclients.store.limits import JournalBounds
from edgeclients.times import DAY

DENIED: Final = "client.denied"
"""The operation of denied logins."""

REMOVE: Final = "client.remove"
"""The operation of the last change of a client."""

_LARGEST = 2**63 - 1
_ROW_BYTES = 64  # of a row and its index entries, without attributes
_ROOM = 200  # the room made for the next entries is a bound divided by this


class Content(NamedTuple):
    """How much a ring holds, or how much more or less than before."""

    rows: int = 0
    bytes: int = 0

    def exceeds(self, bounds: JournalBounds) -> bool:
        """Whether that is too much."""
        return self.rows > bounds.rows or self.bytes > bounds.bytes

    def leaves_room(self, bounds: JournalBounds) -> bool:
        """Whether there is room for some more entries: so many changes share the cost of making it."""
        return self.rows <= bounds.rows - bounds.rows // _ROOM and self.bytes <= bounds.bytes - bounds.bytes // _ROOM

    def with_entry(self, attributes_length: int) -> "Content":
        """With one entry more."""
        return Content(self.rows + 1, self.bytes + _ROW_BYTES + attributes_length)

    @classmethod
    def of(cls, rows: int, attributes_length: int) -> Self:
        """Of so many entries, whose attributes have this length together."""
        return cls(rows, rows * _ROW_BYTES + attributes_length)

    def without_entry(self, attributes_length: int) -> "Content":
        """With one entry less."""
        return Content(self.rows - 1, self.bytes - _ROW_BYTES - attributes_length)

    def minus(self, other: "Content") -> "Content":
        """The difference."""
        return Content(self.rows - other.rows, self.bytes - other.bytes)

    def plus(self, other: "Content") -> "Content":
        """The sum."""
        return Content(self.rows + other.rows, self.bytes + other.bytes)


class Ages:
    """Says when the age of a ring's entries is to be judged: once a day, and whenever the clock was set back.

    Each change would cost more, and a day does not matter. Use one for each process.
    """

    def __init__(self) -> None:
        self._judged = [-DAY for _ in Ring]

    def are_due(self, ring: Ring, now: int) -> bool:
        """Whether to judge them now, which is then remembered; not if `now` is 0, because the clock is in doubt."""
        if not now or self._judged[ring] <= now < self._judged[ring] + DAY:
            return False
        self._judged[ring] = now
        return True


def aged(table: str) -> str:
    """The SQL of the newest entry to drop for its age: of ring ?1, the last before ?2 in front of those between ?2 and ?3.

    One that is later than ?3 is of a clock that ran ahead: it keeps no older one, and goes with those around it.
    """
    first = f"SELECT min(n) FROM {table} WHERE ring = ?1 AND at >= ?2 AND at <= ?3"
    return f"SELECT max(n) FROM {table} WHERE ring = ?1 AND at < ?2 AND n < coalesce(({first}), {_LARGEST})"


def contents(entries: Sequence[JournalEntry]) -> list[Content]:
    """What `entries` add to each ring."""
    found = [Content() for _ in Ring]
    for entry in entries:
        found[entry.ring] = found[entry.ring].with_entry(len(entry.attributes))
    return found


def amended(entry: JournalEntry, length: int) -> list[Content]:
    """What it adds to each ring that `entry` replaces attributes of this length."""
    return [Content(0, len(entry.attributes) - length) if ring is entry.ring else Content() for ring in Ring]


def times(wanted: JournalFilter) -> list[Clause]:
    """The conditions on an entry's time."""
    found = []
    if wanted.since is not None:
        found.append(Clause("at >= ?", (wanted.since,)))
    if wanted.until is not None:
        found.append(Clause("at <= ?", (wanted.until,)))
    return found


def behind(wanted: JournalFilter) -> list[Clause]:
    """The condition on the number of an entry of a ring: that it is behind the wanted place."""
    if wanted.after is None:
        return []
    n, hour, _ = wanted.after
    if wanted.descending:
        return [Clause("n < ?", (n + (hour >= 0),))]  # before the denied logins of its number
    return [Clause("n > ?", (n,))]


def denials_behind(wanted: JournalFilter, client: str, client_id: Callable[[str], object]) -> list[Clause]:
    """The same of denied logins.

    Args:
        wanted: with the place.
        client: the column of their client.
        client_id: the value in that column of a client's id.
    """
    if wanted.after is None:
        return []
    n, hour, of_client = wanted.after
    sign = "<" if wanted.descending else ">"
    return [Clause(f"(n, hour, {client}) {sign} (?, ?, ?)", (n, hour, client_id(of_client)))]


class Source(NamedTuple):
    """Matching entries of one table: `columns`, those of `Recorded` and of `JournalPlace`, in the order of `key`."""

    columns: str
    frame: Clause
    key: tuple[str, ...]

    def selecting(self, columns: str) -> Clause:
        """These columns of all entries."""
        return Clause(f"SELECT {columns} FROM {self.frame.sql}", self.frame.parameters)

    def first(self, most: int, *, descending: bool) -> Clause:
        """The first entries."""
        found = self.selecting(self.columns)
        order = _order(self.key, descending=descending)
        return Clause(f"SELECT * FROM ({found.sql} {order} LIMIT ?) part", (*found.parameters, most))


def merged(sources: Sequence[Source], wanted: JournalFilter) -> Clause:
    """A page of the entries of all sources. Of each no more are read than may be on the page: all have one order."""
    most = min(wanted.offset + wanted.limit, _LARGEST)
    parts = [source.first(most, descending=wanted.descending) for source in sources]
    union = " UNION ALL ".join(part.sql for part in parts)
    parameters = tuple(one for part in parts for one in part.parameters)
    order = _order(("n", "hour", "holder"), descending=wanted.descending)
    return Clause(f"SELECT * FROM ({union}) merged {order} LIMIT ? OFFSET ?", (*parameters, wanted.limit, wanted.offset))


def total(sources: Sequence[Source]) -> Clause:
    """How many entries all sources have."""
    counts = [source.selecting("count(*) AS entries") for source in sources]
    union = " UNION ALL ".join(count.sql for count in counts)
    parameters = tuple(one for count in counts for one in count.parameters)
    return Clause(f"SELECT CAST(sum(entries) AS bigint) FROM ({union}) counts", parameters)


def _order(key: Sequence[str], *, descending: bool) -> str:
    direction = "DESC" if descending else "ASC"
    return "ORDER BY " + ", ".join(f"{column} {direction}" for column in key)
