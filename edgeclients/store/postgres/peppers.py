"""Which peppers the rows of a database need, by the key ids in their hashes."""

import time
from collections.abc import Mapping

from edgeclients.store.pepper import compare
from edgeclients.store.postgres.connect import PostgresConnection

# A hash names its pepper: $hmac-sha256$<key id>$..., $argon2id$v=19$m=...,keyid=<key id>$...
_ROWS = """
SELECT (SELECT count(*) FROM clients WHERE secret LIKE $1 OR secret LIKE $2)
     + (SELECT count(*) FROM secret_retirements WHERE secret LIKE $1 OR secret LIKE $2)
     + (SELECT count(*) FROM operator_tokens WHERE key_id = $3)
"""


async def known(connection: PostgresConnection) -> dict[str, bytes]:
    """The check value of every recorded pepper, by key id."""
    return dict(await connection.fetch("SELECT key_id, check_value FROM peppers"))


async def check_and_record(connection: PostgresConnection, given: Mapping[str, bytes]) -> None:
    """Compare the given peppers with those recorded, and record new ones; no other process starts meanwhile.

    Args:
        connection: a connection that no unit uses.
        given: check value by key id.

    Raises:
        StartError: one that rows need is not given, or is not the one they were made with.
    """
    unused = await check(connection, given)
    await connection.execute("DELETE FROM peppers WHERE key_id = ANY ($1)", unused)
    await connection.executemany(
        "INSERT INTO peppers VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        [(key_id, value, time.time_ns() // 1000) for key_id, value in given.items()],
    )


async def check(connection: PostgresConnection, given: Mapping[str, bytes]) -> list[str]:
    """Compare the given peppers with those recorded; nothing is changed.

    Args:
        connection: a connection that no unit uses.
        given: check value by key id.

    Returns:
        Key ids of recorded ones that are neither given nor needed.

    Raises:
        StartError: one that rows need is not given, or is not the one they were made with.
    """
    recorded = await known(connection)
    missing = {key_id: await _rows_of(connection, key_id) for key_id in recorded if key_id not in given}
    compare(recorded, given, missing)
    return list(missing)


async def argon2_schemes(connection: PostgresConnection) -> frozenset[str]:
    """The argon2 schemes of all chosen secrets."""
    rows = await connection.fetch(
        "SELECT DISTINCT secret_scheme FROM clients WHERE secret_scheme IS NOT NULL"
        " UNION SELECT DISTINCT secret_scheme FROM secret_retirements WHERE secret_scheme IS NOT NULL"
    )
    return frozenset(scheme for (scheme,) in rows)


async def _rows_of(connection: PostgresConnection, key_id: str) -> int:
    patterns = (f"$hmac-sha256${key_id}$%", f"$argon2id$%,keyid={key_id}$%", key_id)
    return int(await connection.fetchval(_ROWS, *patterns))
