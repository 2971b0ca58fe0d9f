"""Which peppers the rows of a database need, by the key ids in their hashes."""

import sqlite3
import time
from collections.abc import Mapping

from edgeclients.store.pepper import compare

# A hash names its pepper: $hmac-sha256$<key id>$..., $argon2id$v=19$m=...,keyid=<key id>$...
_ROWS = """
SELECT (SELECT count(*) FROM client_rows WHERE secret_key = (SELECT n FROM names WHERE name = ?3))
     + (SELECT count(*) FROM client_rows WHERE secret LIKE ?1 OR secret LIKE ?2)
     + (SELECT count(*) FROM retirement_rows WHERE secret LIKE ?1 OR secret LIKE ?2)
     + (SELECT count(*) FROM operator_tokens WHERE key_id = ?3)
"""


def known(connection: sqlite3.Connection) -> dict[str, bytes]:
    """The check value of every recorded pepper, by key id."""
    return dict(connection.execute("SELECT key_id, check_value FROM peppers").fetchall())


def rows_of(connection: sqlite3.Connection, key_id: str) -> int:
    """How many secrets and operator tokens need a pepper."""
    patterns = (f"$hmac-sha256${key_id}$%", f"$argon2id$%,keyid={key_id}$%", key_id)
    return int(connection.execute(_ROWS, patterns).fetchall()[0][0])


def check_and_record(connection: sqlite3.Connection, given: Mapping[str, bytes]) -> None:
    """Compare the given peppers with those recorded, and record new ones.

    Args:
        connection: the writer's, before any unit runs.
        given: check value by key id.

    Raises:
        StartError: one that rows need is not given, or is not the one they were made with.
    """
    unused = check(connection, given)
    connection.executemany("DELETE FROM peppers WHERE key_id = ?", [(key_id,) for key_id in unused])
    connection.executemany(
        "INSERT OR IGNORE INTO peppers VALUES (?, ?, ?)",
        [(key_id, value, time.time_ns() // 1000) for key_id, value in given.items()],
    )


def check(connection: sqlite3.Connection, given: Mapping[str, bytes]) -> list[str]:
    """Compare the given peppers with those recorded; nothing is changed.

    Args:
        connection: a connection that no unit uses.
        given: check value by key id.

    Returns:
        Key ids of recorded ones that are neither given nor needed.

    Raises:
        StartError: one that rows need is not given, or is not the one they were made with.
    """
    recorded = known(connection)
    missing = {key_id: rows_of(connection, key_id) for key_id in recorded if key_id not in given}
    compare(recorded, given, missing)
    return list(missing)


def argon2_schemes(connection: sqlite3.Connection) -> frozenset[str]:
    """The argon2 schemes of all chosen secrets."""
    rows = connection.execute(
        "SELECT name FROM names WHERE n IN (SELECT secret_scheme FROM client_rows WHERE secret_scheme IS NOT NULL"
        " UNION SELECT secret_scheme FROM retirement_rows WHERE secret_scheme IS NOT NULL)"
    ).fetchall()
    return frozenset(scheme for (scheme,) in rows)
