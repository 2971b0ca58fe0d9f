"""The journal, as far as both engines share it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from edgeclients.model import JournalEntry, JournalFilter, Ring
from edgeclients.store.clause import Clause
from edgeclients.store.limits import JournalBounds

DENIED: Final = "client.denied"
"""The operation of denied logins."""

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

    def without_entry(self, attributes_length: int) -> "Content":
        """With one entry less."""
        return Content(self.rows - 1, self.bytes - _ROW_BYTES - attributes_length)

    def minus(self, other: "Content") -> "Content":
        """The difference."""
        return Content(self.rows - other.rows, self.bytes - other.bytes)

    def plus(self, other: "Content") -> "Content":
        """The sum."""
        return Content(self.rows + other.rows, self.bytes + other.bytes)


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


class Source(NamedTuple):
    """Matching entries of one table: `columns`, those of `Recorded` and a number `n`, in the order of `key`."""

    columns: str
    frame: Clause
    key: str

    def selecting(self, columns: str) -> Clause:
        """These columns of all entries."""
        return Clause(f"SELECT {columns} FROM {self.frame.sql}", self.frame.parameters)

    def first(self, most: int, *, descending: bool) -> Clause:
        """The first entries."""
        found = self.selecting(self.columns)
        order = f"ORDER BY {self.key} {_direction(descending=descending)} LIMIT ?"
        return Clause(f"SELECT * FROM ({found.sql} {order}) part", (*found.parameters, most))


def merged(sources: Sequence[Source], wanted: JournalFilter) -> Clause:
    """A page of the entries of all sources. Of each no more are read than may be on the page."""
    most = min(wanted.offset + wanted.limit, _LARGEST)
    parts = [source.first(most, descending=wanted.descending) for source in sources]
    union = " UNION ALL ".join(part.sql for part in parts)
    parameters = tuple(one for part in parts for one in part.parameters)
    direction = _direction(descending=wanted.descending)
    return Clause(
        f"SELECT * FROM ({union}) merged ORDER BY at {direction}, n {direction} LIMIT ? OFFSET ?",
        (*parameters, wanted.limit, wanted.offset),
    )


def total(sources: Sequence[Source]) -> Clause:
    """How many entries all sources have."""
    counts = [source.selecting("count(*) AS entries") for source in sources]
    union = " UNION ALL ".join(count.sql for count in counts)
    parameters = tuple(one for count in counts for one in count.parameters)
    return Clause(f"SELECT CAST(sum(entries) AS bigint) FROM ({union}) counts", parameters)


def _direction(*, descending: bool) -> str:
    return "DESC" if descending else "ASC"
