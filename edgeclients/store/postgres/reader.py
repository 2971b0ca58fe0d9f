"""Reads by primary key or unique index; each is one statement and therefore one snapshot."""

from collections.abc import Sequence
from typing import Any

from edgeclients.model import Client, Revocations, SecretRead, Viewed
from edgeclients.store.postgres.connect import PostgresConnection
from edgeclients.store.postgres.rows import CLIENT_COLUMNS, NOW, key, to_client
from edgeclients.store.rows import to_revocations, to_secrets

_CLIENT = f"SELECT {CLIENT_COLUMNS} FROM clients c WHERE c.id = $1"
_VIEW = f"SELECT {CLIENT_COLUMNS}, (SELECT s.at FROM last_seen s WHERE s.client_id = c.id) FROM clients c WHERE c.id = $1"
_CLIENTS = f"SELECT {CLIENT_COLUMNS} FROM clients c WHERE c.id = ANY ($1) ORDER BY c.created_at, c.id"

_SECRETS_OF = """
SELECT c.id, c.domain_id, c.status, c.secret, NULL::bigint, NULL::bigint, NULL::bigint, s.revision
FROM store_state s, clients c WHERE c.id = $1
UNION ALL
SELECT c.id, c.domain_id, c.status, r.secret, r.expires_at, r.retired_at, r.counted_from, s.revision
FROM store_state s, secret_retirements r JOIN clients c ON c.id = r.client_id WHERE r.client_id = $1
"""

# All digests in one statement: a secret whose digest changes meanwhile is found under the old or the new one.
_SECRETS_BY_LOOKUP = """
SELECT found.id, found.domain_id, found.status, found.secret, found.expires_at, found.retired_at, found.counted_from, s.revision
FROM store_state s, (
    SELECT c.id, c.domain_id, c.status, c.secret, NULL::bigint AS expires_at, NULL::bigint AS retired_at,
        NULL::bigint AS counted_from, c.secret_lookup AS lookup
    FROM clients c WHERE c.secret_lookup = ANY ($1)
    UNION ALL
    SELECT c.id, c.domain_id, c.status, r.secret, r.expires_at, r.retired_at, r.counted_from, r.lookup
    FROM secret_retirements r JOIN clients c ON c.id = r.client_id WHERE r.lookup = ANY ($1)
) found ORDER BY array_position($1, found.lookup)
"""

_REVOCATIONS = f"""
SELECT s.revision, r.client_id, r.revision, {NOW}
FROM store_state s LEFT JOIN revocations r ON r.revision > $1 ORDER BY r.revision
"""

# Steps from one scheme to the next in the index: DISTINCT would scan every chosen secret of the domain.
_SCHEMES = """
WITH RECURSIVE
of_clients (scheme) AS (
    SELECT min(secret_scheme) FROM clients WHERE domain_id = $1 AND secret_scheme IS NOT NULL
    UNION ALL
    SELECT (SELECT min(secret_scheme) FROM clients WHERE domain_id = $1 AND secret_scheme > scheme)
    FROM of_clients WHERE scheme IS NOT NULL
),
of_retirements (scheme) AS (
    SELECT min(secret_scheme) FROM secret_retirements WHERE domain_id = $1 AND secret_scheme IS NOT NULL
    UNION ALL
    SELECT (SELECT min(secret_scheme) FROM secret_retirements WHERE domain_id = $1 AND secret_scheme > scheme)
    FROM of_retirements WHERE scheme IS NOT NULL
)
SELECT scheme FROM of_clients WHERE scheme IS NOT NULL
UNION
SELECT scheme FROM of_retirements WHERE scheme IS NOT NULL
"""


async def client(connection: PostgresConnection, client_id: str) -> Client | None:
    """`Store.client`."""
    row = await connection.fetchrow(_CLIENT, key(client_id))
    return to_client(row) if row else None


async def view(connection: PostgresConnection, client_id: str) -> Viewed | None:
    """The part of `Store.view` that the database holds."""
    rows = await connection.fetch(_VIEW, key(client_id))
    return Viewed(to_client(rows[0]), rows[0][-1]) if rows else None


async def revocations(connection: PostgresConnection, after: int) -> tuple[Revocations, int]:
    """`Store.revocations`, and the server's time."""
    rows = await connection.fetch(_REVOCATIONS, after)
    return to_revocations([row[:3] for row in rows]), rows[0][3]


async def clients(connection: PostgresConnection, client_ids: Sequence[str]) -> tuple[Client, ...]:
    """`Store.clients`."""
    return tuple(map(to_client, await connection.fetch(_CLIENTS, list(map(key, client_ids)))))


async def secrets_of(connection: PostgresConnection, client_id: str) -> SecretRead:
    """`Store.secrets_of`."""
    return _secrets(await connection.fetch(_SECRETS_OF, key(client_id)))


async def secrets_by_lookup(connection: PostgresConnection, lookups: Sequence[bytes]) -> SecretRead:
    """`Store.secrets_by_lookup`."""
    return _secrets(await connection.fetch(_SECRETS_BY_LOOKUP, lookups))


async def schemes(connection: PostgresConnection, domain_id: str) -> tuple[str, ...]:
    """`Store.schemes`."""
    return tuple(scheme for (scheme,) in await connection.fetch(_SCHEMES, key(domain_id)))


def _secrets(rows: list[Sequence[Any]]) -> SecretRead:
    return to_secrets([row[:7] for row in rows], rows[0][7] if rows else 0)
