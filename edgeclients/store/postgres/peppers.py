"""Which peppers the rows of a database need, by the key ids in their hashes."""

import time
from collections.abc import Mapping

from edgeclients.store.pepper import compare
from edgeclients.store.postgres.connect import Link

# A hash names its pepper: $hmac-sha256$<key id>$..., $argon2id$v=19$m=...,keyid=<key id>$...
_ROWS = """
SELECT (SELECT count(*) FROM clients WHERE secret LIKE $1 OR secret LIKE $2)
     + (SELECT count(*) FROM secret_retirements WHERE secret LIKE $1 OR secret LIKE $2)
     + (SELECT count(*) FROM operator_tokens WHERE key_id = $3)
"""


async def known(link: Link) -> dict[str, bytes]:
    """Check value by key id, of every pepper this database has seen."""
    return dict(await link.fetch("SELECT key_id, check_value FROM peppers"))


async def settle(link: Link, given: Mapping[str, bytes]) -> None:
    """Compare the peppers given with those recorded, and record new ones; nobody else starts meanwhile.

    Args:
        link: a connection that no unit uses.
        given: check value by key id.

    Raises:
        StartError: one that rows need is not given, or is not the one they were made with.
    """
    unused = await check(link, given)
    await link.execute("DELETE FROM peppers WHERE key_id = ANY ($1)", unused)
    await link.executemany(
        "INSERT INTO peppers VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        [(key_id, value, time.time_ns() // 1000) for key_id, value in given.items()],
    )


async def check(link: Link, given: Mapping[str, bytes]) -> list[str]:
    """Compare the peppers given with those recorded; nothing is changed.

    Args:
        link: a connection that no unit uses.
        given: check value by key id.

    Returns:
        Key ids of recorded ones that are neither given nor needed.

    Raises:
        StartError: one that rows need is not given, or is not the one they were made with.
    """
    recorded = await known(link)
    left = {key_id: await _rows_of(link, key_id) for key_id in recorded if key_id not in given}
    compare(recorded, given, left)
    return list(left)


async def argon2_schemes(link: Link) -> frozenset[str]:
    """The argon2 schemes of all chosen secrets."""
    rows = await link.fetch(
        "SELECT DISTINCT secret_scheme FROM clients WHERE secret_scheme IS NOT NULL"
        " UNION SELECT DISTINCT secret_scheme FROM secret_retirements WHERE secret_scheme IS NOT NULL"
    )
    return frozenset(scheme for (scheme,) in rows)


async def _rows_of(link: Link, key_id: str) -> int:
    patterns = (f"$hmac-sha256${key_id}$%", f"$argon2id$%,keyid={key_id}$%", key_id)
    return int(await link.fetchval(_ROWS, *patterns))
