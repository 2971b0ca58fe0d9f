"""Denied logins since they were last written: counted by hour and name. Names are looked up later, and not one by one.

So a denial costs the same whether or not a client has the name.
"""

from collections.abc import Mapping
from typing import NamedTuple

from edgeclients.times import HOUR

MOST_NAMES = 2000
"""Names that are counted before they are looked up; unknown ones are then counted together."""

RING_ROWS = 2000
"""Rows that a store keeps; the oldest go first."""

UNKNOWN = ""


class Denied(NamedTuple):
    """Denied logins of an hour, which began at `hour`: of a client, or of all unknown names (client and domain "")."""

    hour: int
    client_id: str
    domain_id: str
    times: int
    at: int


class Denials:
    """Counts denied logins."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, str], tuple[int, int]] = {}  # by hour and name: how many, and when the last was
        self._domains: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def note(self, name: str, at: int) -> None:
        """Count a denial of the client with this id, if there is one; `UNKNOWN` for a token that names none."""
        self._add(at - at % HOUR, name, 1, at)

    def are_many(self) -> bool:
        """Whether so many names wait that they should be looked up."""
        return len(self._counts) - len(self._domains) >= MOST_NAMES

    def names(self) -> list[str]:
        """The names to be looked up."""
        return sorted({name for _, name in self._counts if name and name not in self._domains})

    def sift(self, names: list[str], domains: Mapping[str, str]) -> None:
        """Note which of `names` are those of clients, each with its domain; the others are counted together."""
        self._domains.update(domains)
        unknown = {*names} - domains.keys()
        for hour, name in [key for key in self._counts if key[1] in unknown]:
            self._add(hour, UNKNOWN, *self._counts.pop((hour, name)))

    def known(self) -> list[Denied]:
        """All counts of names that were looked up."""
        return [
            Denied(hour, name, self._domains.get(name, ""), count, at)
            for (hour, name), (count, at) in self._counts.items()
            if not name or name in self._domains
        ]

    def take(self) -> list[Denied]:
        """The same; they are forgotten here."""
        taken = self.known()
        for one in taken:
            del self._counts[one.hour, one.client_id]
        self._domains = {}
        return taken

    def give_back(self, taken: list[Denied]) -> None:
        """Count again what could not be written."""
        for one in taken:
            self._add(one.hour, one.client_id, one.times, one.at)

    def _add(self, hour: int, name: str, count: int, at: int) -> None:
        before, newest = self._counts.get((hour, name), (0, at))
        self._counts[hour, name] = before + count, max(newest, at)
