"""Current and retiring secrets: which client uses a lookup digest, and how one secret replaces another."""

import sqlite3
from collections.abc import Iterable

from edgeclients.errors import SecretTaken
from edgeclients.model import Client, Retirement, StoredSecret
from edgeclients.store.rows import count_from_now
from edgeclients.times import DAY

_TOUCH = (
    f"UPDATE secret_retirements SET last_used_at = :now, {count_from_now('retired_at', ':now', ':ahead')}"
    " WHERE client_id = :client_id AND secret = :kept"
)


def current(connection: sqlite3.Connection, client_id: str) -> StoredSecret:
    """The current secret of a client that exists."""
    row = connection.execute("SELECT secret, secret_lookup, secret_scheme FROM clients WHERE id = ?", (client_id,))
    return StoredSecret(*row.fetchall()[0])


def replace(connection: sqlite3.Connection, client: Client, secret: StoredSecret, purge_cutoff: int) -> None:
    """Make `secret` the current one of `client`.

    Raises:
        SecretTaken: another client of the domain uses it.
    """
    connection.executemany(
        "DELETE FROM secret_retirements WHERE lookup = ? AND client_id = ?",
        [(lookup, client.id) for lookup in (secret.lookup, *secret.equivalents)],
    )
    refuse_retiring(connection, [secret.lookup, *secret.equivalents], purge_cutoff)
    refuse_equivalents(connection, [secret], client.id)
    try:
        connection.execute(
            "UPDATE clients SET secret = ?, secret_lookup = ?, secret_scheme = ? WHERE id = ?",
            (secret.hash, secret.lookup, secret.scheme, client.id),
        )
    except sqlite3.IntegrityError as error:
        raise SecretTaken from error


def refuse_retiring(connection: sqlite3.Connection, lookups: Iterable[bytes], purge_cutoff: int) -> None:
    """Raise `SecretTaken` if one of `lookups` is a retiring secret's; those expired by `purge_cutoff` are deleted."""
    if not connection.execute("SELECT 1 FROM secret_retirements LIMIT 1").fetchall():
        return
    connection.execute("DELETE FROM secret_retirements WHERE expires_at <= ?", (purge_cutoff,))
    for lookup in lookups:
        if connection.execute("SELECT 1 FROM secret_retirements WHERE lookup = ?", (lookup,)).fetchall():
            raise SecretTaken


def refuse_equivalents(connection: sqlite3.Connection, new: Iterable[StoredSecret], own_id: str = "") -> None:
    """Raise `SecretTaken` if a client other than `own_id` uses one of `new` under another pepper or scheme."""
    for secret in new:
        for lookup in secret.equivalents:
            rows = connection.execute("SELECT 1 FROM clients WHERE secret_lookup = ? AND id <> ?", (lookup, own_id))
            if rows.fetchall():
                raise SecretTaken


def retire(connection: sqlite3.Connection, retirement: Retirement, domain_id: str, now: int) -> None:
    """Add a secret that retires from now on."""
    secret = retirement.secret
    connection.execute(
        "INSERT INTO secret_retirements (lookup, client_id, domain_id, secret, secret_scheme, expires_at, retired_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (secret.lookup, retirement.client_id, domain_id, secret.hash, secret.scheme, retirement.expires_at, now),
    )


def touch_retirement(connection: sqlite3.Connection, client_id: str, kept: str, now: int) -> None:
    """`ports.Transaction.touch_retirement`."""
    connection.execute(_TOUCH, {"now": now, "ahead": now + DAY, "client_id": client_id, "kept": kept})


def retiring(connection: sqlite3.Connection, client_id: str, now: int) -> tuple[Retirement, ...]:
    """The valid retiring secrets of a client, in the order of their expiry."""
    rows = connection.execute(
        "SELECT secret, lookup, secret_scheme, expires_at FROM secret_retirements"
        " WHERE client_id = ? AND expires_at > ? ORDER BY expires_at",
        (client_id, now),
    ).fetchall()
    return tuple(Retirement(client_id, StoredSecret(*row[:3]), row[3]) for row in rows)
