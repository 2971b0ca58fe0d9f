"""Current and retiring secrets: which client uses a lookup digest, and how one secret replaces another.

No index enforces that a digest is used once among current and retiring secrets together, nor under other peppers. So a
check followed by a write locks the domain. Additions share the lock, because an index keeps those apart; a change of
secrets holds it exclusively.
"""

from collections.abc import Sequence

import asyncpg

from edgeclients.errors import SecretTaken
from edgeclients.model import Client, Retirement, StoredSecret
from edgeclients.store.postgres.connect import Statements
from edgeclients.store.postgres.faults import constraint_of
from edgeclients.store.rows import count_from_now
from edgeclients.times import DAY

_EXPIRED_AT_A_TIME = 1000

_LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 1))"
_LOCK_EXCLUSIVE = "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))"

# Skips rows that another transaction deletes, so that neither waits for the other.
_DELETE_EXPIRED = f"""
DELETE FROM secret_retirements WHERE lookup IN (
    SELECT lookup FROM secret_retirements WHERE expires_at <= $1 LIMIT {_EXPIRED_AT_A_TIME} FOR UPDATE SKIP LOCKED
)
"""

_TOUCH = (
    f"UPDATE secret_retirements SET last_used_at = $1, {count_from_now('retired_at', '$1', '$2')}"
    " WHERE client_id = $3 AND secret = $4"
)


async def ensure_unused(connection: Statements, domains: Sequence[str], new: Sequence[StoredSecret], purge_cutoff: int) -> None:
    """Ensure, until the transaction ends, that no retiring secret of these domains is one of `new`.

    Those that expired by `purge_cutoff` do not count, and are deleted.

    Raises:
        SecretTaken: one is, or a client uses one of them under another pepper or scheme.
    """
    equivalents = [lookup for secret in new for lookup in secret.equivalents]
    for domain_id in sorted(set(domains)):
        await connection.execute(_LOCK_EXCLUSIVE if equivalents else _LOCK_SHARED, domain_id)
    await connection.execute(_DELETE_EXPIRED, purge_cutoff)
    await _refuse_retiring(connection, [*(secret.lookup for secret in new), *equivalents], purge_cutoff)
    await _refuse_current(connection, equivalents, "")


async def current(connection: Statements, client_id: str) -> StoredSecret:
    """The current secret of a client that exists."""
    (row,) = await connection.fetch("SELECT secret, secret_lookup, secret_scheme FROM clients WHERE id = $1", client_id)
    return StoredSecret(*row)


async def replace(connection: Statements, client: Client, secret: StoredSecret, purge_cutoff: int) -> None:
    """Make `secret` the current one of `client`.

    Raises:
        SecretTaken: another client of the domain uses it.
    """
    lookups = [secret.lookup, *secret.equivalents]
    await connection.execute(_LOCK_EXCLUSIVE, client.domain_id)
    await connection.execute(
        "DELETE FROM secret_retirements WHERE lookup = ANY ($1) AND (client_id = $2 OR expires_at <= $3)",
        lookups,
        client.id,
        purge_cutoff,
    )
    await _refuse_retiring(connection, lookups, purge_cutoff)
    await _refuse_current(connection, secret.equivalents, client.id)
    try:
        await connection.execute(
            "UPDATE clients SET secret = $2, secret_lookup = $3, secret_scheme = $4 WHERE id = $1",
            client.id,
            secret.hash,
            secret.lookup,
            secret.scheme,
        )
    except asyncpg.UniqueViolationError as error:
        if constraint_of(error) != "clients_secret_lookup":
            raise
        raise SecretTaken from error


async def retire(connection: Statements, retirement: Retirement, domain_id: str, now: int) -> None:
    """Add a secret that retires from now on, and was current until this transaction replaced it."""
    secret = retirement.secret
    await connection.execute(
        "INSERT INTO secret_retirements (lookup, client_id, domain_id, secret, secret_scheme, expires_at, retired_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        secret.lookup,
        retirement.client_id,
        domain_id,
        secret.hash,
        secret.scheme,
        retirement.expires_at,
        now,
    )


async def touch_retirement(connection: Statements, client_id: str, kept: str, now: int) -> None:
    """`ports.Transaction.touch_retirement`."""
    await connection.execute(_TOUCH, now, now + DAY, client_id, kept)


async def retiring(connection: Statements, client_id: str, now: int) -> tuple[Retirement, ...]:
    """The valid retiring secrets of a client, in the order of their expiry."""
    rows = await connection.fetch(
        "SELECT secret, lookup, secret_scheme, expires_at FROM secret_retirements"
        " WHERE client_id = $1 AND expires_at > $2 ORDER BY expires_at",
        client_id,
        now,
    )
    return tuple(Retirement(client_id, StoredSecret(*row[:3]), row[3]) for row in rows)


async def _refuse_retiring(connection: Statements, lookups: Sequence[bytes], purge_cutoff: int) -> None:
    sql = "SELECT EXISTS (SELECT 1 FROM secret_retirements WHERE lookup = ANY ($1) AND expires_at > $2)"
    if await connection.fetchval(sql, lookups, purge_cutoff):
        raise SecretTaken


async def _refuse_current(connection: Statements, equivalents: Sequence[bytes], own_id: str) -> None:
    sql = "SELECT EXISTS (SELECT 1 FROM clients WHERE secret_lookup = ANY ($1) AND id <> $2)"
    if equivalents and await connection.fetchval(sql, equivalents, own_id):
        raise SecretTaken
