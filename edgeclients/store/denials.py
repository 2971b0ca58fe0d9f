"""Denied logins since they were last written: counted by hour and name. Names are looked up later, and not one by one.

So a denial costs the same whether or not a client has the name.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from edgeclients.times import HOUR

MOST_NAMES = 2000
"""Names that are counted before they are looked up; unknown ones are then counted together."""

RING_ROWS = 2000
"""Rows that a store keeps; the oldest go first."""

UNKNOWN = ""


class Denied(NamedTuple):
    """Denied logins of an hour, which began at `hour`: of a client, or of all unknown names (client and domain "").

    `n` is the number of the journal's newest entry when they were first looked at. It stays, and so does their place.
    """

    hour: int
    client_id: str
    domain_id: str
    times: int
    at: int
    n: int

    def plus(self, other: "Denied") -> "Denied":
        """With more of the same hour and client."""
        return self._replace(times=self.times + other.times, at=max(self.at, other.at), n=min(self.n, other.n))


class Found(NamedTuple):
    """The domains of those names that are a client's, or were one's, and the number of the journal's newest entry."""

    domains: Mapping[str, str]
    newest: int


class Denials:
    """Counts denied logins."""

    def __init__(self) -> None:
        self._new: dict[tuple[int, str], tuple[int, int]] = {}  # by hour and name: how many, and when the last was
        self._known: dict[tuple[int, str], Denied] = {}
        self._removed: dict[str, str] = {}  # names of `_new` that were clients' until they were removed, with their domains

    def __bool__(self) -> bool:
        return bool(self._new or self._known)

    def note(self, name: str, at: int) -> None:
        """Count a denial of the client with this id, if there is one; `UNKNOWN` for a token that names none."""
        key = at - at % HOUR, name
        count, newest = self._new.get(key, (0, at))
        self._new[key] = count + 1, max(newest, at)

    def are_many(self) -> bool:
        """Whether so many names wait that they should be looked up."""
        return len(self._new) >= MOST_NAMES

    def names(self) -> list[str]:
        """The names to be looked up, `UNKNOWN` among them if it was counted."""
        return sorted({name for _, name in self._new})

    def note_removed(self, domains: Mapping[str, str]) -> None:
        """Note the domains of clients that were removed: what was counted of them before stays theirs."""
        self._removed.update((name, domains[name]) for _, name in self._new if name in domains)

    def sift(self, names: Iterable[str], found: Found) -> None:
        """Note which of `names` are those of clients, each with its domain; the others are counted together."""
        looked_up = set(names)
        for key in [key for key in self._new if key[1] in looked_up]:
            count, at = self._new.pop(key)
            domain = found.domains.get(key[1], self._removed.get(key[1]))
            client = UNKNOWN if domain is None else key[1]
            self._add(Denied(key[0], client, domain or "", count, at, found.newest))
        for name in looked_up & self._removed.keys():
            del self._removed[name]

    def known(self) -> list[Denied]:
        """All counts of names that were looked up."""
        return list(self._known.values())

    def take(self) -> list[Denied]:
        """The same; they are forgotten here."""
        taken, self._known = self.known(), {}
        return taken

    def give_back(self, taken: Iterable[Denied]) -> None:
        """Count again what could not be written."""
        for one in taken:
            self._add(one)

    def _add(self, one: Denied) -> None:
        key = one.hour, one.client_id
        before = self._known.get(key)
        self._known[key] = one if before is None else before.plus(one)
