"""SQL with its parameters."""

from collections.abc import Iterable
from typing import NamedTuple, Self


class Clause(NamedTuple):
    """A piece of SQL and the values of its question marks."""

    sql: str
    parameters: tuple[object, ...]

    def numbered(self) -> str:
        """The SQL with `$1`, `$2`, … for its question marks; none of those is in a literal."""
        first, *others = self.sql.split("?")
        return first + "".join(f"${number}{text}" for number, text in enumerate(others, 1))

    @classmethod
    def all_of(cls, clauses: "Iterable[Clause]") -> Self:
        """The condition that all of `clauses` hold."""
        several = list(clauses)
        return cls(" AND ".join(one.sql for one in several), tuple(p for one in several for p in one.parameters))


class Source(NamedTuple):
    """A filter that can lead a query (`ids` selects its clients) or check the clients of another (`check`).

    `repeats` says whether `ids` may select a client more than once. `by_number` says that `ids` selects clients of the list's
    domain only, and that `check` needs nothing of a client but its number.
    """

    ids: Clause
    check: Clause
    repeats: bool = True
    by_number: bool = False
