"""Which peppers the rows of a database need, by the key ids in their hashes."""

import sqlite3
import time
from collections.abc import Mapping

from edgeclients.errors import StartError

# A hash names its pepper: $hmac-sha256$<key id>$..., $argon2id$v=19$m=...,keyid=<key id>$...
_ROWS = """
SELECT (SELECT count(*) FROM clients WHERE secret LIKE ?1 OR secret LIKE ?2)
     + (SELECT count(*) FROM secret_retirements WHERE secret LIKE ?1 OR secret LIKE ?2)
     + (SELECT count(*) FROM operator_tokens WHERE key_id = ?3)
"""


def known(connection: sqlite3.Connection) -> dict[str, bytes]:
    """Check value by key id, of every pepper this database has seen."""
    return dict(connection.execute("SELECT key_id, check_value FROM peppers").fetchall())


def rows_of(connection: sqlite3.Connection, key_id: str) -> int:
    """How many secrets and operators' tokens were made with a pepper."""
    patterns = (f"$hmac-sha256${key_id}$%", f"$argon2id$%,keyid={key_id}$%", key_id)
    return int(connection.execute(_ROWS, patterns).fetchall()[0][0])


def settle(connection: sqlite3.Connection, given: Mapping[str, bytes]) -> None:
    """Compare the peppers given with those recorded, and record new ones.

    Args:
        connection: the writer's, before any unit runs.
        given: check value by key id.

    Raises:
        StartError: one that rows need is not given, or is not the one they were made with.
    """
    recorded = known(connection)
    for key_id, check_value in recorded.items():
        if key_id not in given:
            left = rows_of(connection, key_id)
            if left:
                raise StartError(
                    f"{left} secrets need the pepper with key id {key_id}, which is not the one given: "
                    "restore that pepper, or name it in MG_CLIENTS_PEPPER_FILE behind the new one"
                )
            connection.execute("DELETE FROM peppers WHERE key_id = ?", (key_id,))
        elif given[key_id] != check_value:
            raise StartError(f"the pepper with key id {key_id} is not the one secrets were made with: restore that one")
    connection.executemany(
        "INSERT OR IGNORE INTO peppers VALUES (?, ?, ?)",
        [(key_id, value, time.time_ns() // 1000) for key_id, value in given.items()],
    )


def argon2_schemes(connection: sqlite3.Connection) -> frozenset[str]:
    """The argon2 schemes of all chosen secrets."""
    rows = connection.execute(
        "SELECT DISTINCT secret_scheme FROM clients WHERE secret_scheme IS NOT NULL"
        " UNION SELECT DISTINCT secret_scheme FROM secret_retirements WHERE secret_scheme IS NOT NULL"
    ).fetchall()
    return frozenset(scheme for (scheme,) in rows)
