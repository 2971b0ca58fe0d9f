"""Names: ids of domains, users, groups and channels, ids of peppers and schemes of argon2, each stored once under a number."""

import sqlite3

from edgeclients.store.sqlite.rows import fetch

_NUMBER = "SELECT n FROM names WHERE name = ?"
_ADD = "INSERT INTO names (name) VALUES (?) RETURNING n"


class Names:
    """Numbers of names for one unit of work: a rollback may take back those it has added."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """The number of `name`, which is added if it is new."""
        known = self.known(name)
        if known is None:
            known = self._numbers[name] = int(fetch(self._connection, _ADD, (name,))[0][0])
        return known

    def known(self, name: str) -> int | None:
        """The number of `name`, if it has one."""
        found = self._numbers.get(name)
        if found is None and (rows := fetch(self._connection, _NUMBER, (name,))):
            found = self._numbers[name] = int(rows[0][0])
        return found

    def optional(self, name: str | None) -> int | None:
        """The number of `name`; None for none."""
        return None if name is None else self.number(name)


def numbered(parameter: str = "?") -> str:
    """The SQL of the number of the name that is a parameter; NULL if there is no such name."""
    return f"(SELECT n FROM names WHERE name = {parameter})"
