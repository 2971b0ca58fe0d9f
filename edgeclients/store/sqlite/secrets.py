"""Current and retiring secrets: which client uses a lookup digest, and how one secret replaces another."""

import sqlite3
from collections.abc import Iterable

from edgeclients.errors import SecretTaken
from edgeclients.model import Client, Retirement, StoredSecret
from edgeclients.store.rows import count_from_now
from edgeclients.store.sqlite.ids import uuid_bytes
from edgeclients.store.sqlite.names import Names
from edgeclients.store.sqlite.roles import CLIENT
from edgeclients.store.sqlite.rows import SECRET, fetch, key_of_generated, named
from edgeclients.times import DAY

WITH_LOOKUP = "substr({0}.secret_lookup, 1, 16) = substr({1}, 1, 16) AND {0}.secret_lookup = {1}"
"""The condition that a client's current secret has a lookup digest, to be formatted with the row's alias and a parameter."""

_TOUCH = (
    f"UPDATE retirement_rows SET last_used_at = :now, {count_from_now('retired_at', ':now', ':ahead')}"
    " WHERE client = (SELECT n FROM client_rows WHERE id = :client) AND secret = :kept"
)


def current(connection: sqlite3.Connection, client_id: str) -> StoredSecret:
    """The current secret of a client that exists."""
    columns = f"{SECRET.format('c')}, c.secret_lookup, {named('c.secret_scheme')}"
    return StoredSecret(*fetch(connection, f"SELECT {columns} FROM client_rows c WHERE c.id = ?", (uuid_bytes(client_id),))[0])


def replace(connection: sqlite3.Connection, client: Client, secret: StoredSecret, purge_cutoff: int) -> None:
    """Make `secret` the current one of `client`.

    Raises:
        SecretTaken: another client of the domain uses it.
    """
    row_id = uuid_bytes(client.id)
    connection.executemany(
        f"DELETE FROM retirement_rows WHERE lookup = ? AND client = {CLIENT}",
        [(lookup, row_id) for lookup in (secret.lookup, *secret.equivalents)],
    )
    refuse_retiring(connection, [secret.lookup, *secret.equivalents], purge_cutoff)
    refuse_equivalents(connection, [secret], client.id)
    try:
        connection.execute(
            "UPDATE client_rows SET secret = ?, secret_key = ?, secret_lookup = ?, secret_scheme = ? WHERE id = ?",
            (*columns(Names(connection), secret), row_id),
        )
    except sqlite3.IntegrityError as error:
        raise SecretTaken from error


def columns(names: Names, secret: StoredSecret) -> tuple[str | None, int | None, bytes, int | None]:
    """The values of a client's columns `secret`, `secret_key`, `secret_lookup`, `secret_scheme`."""
    key_id = key_of_generated(secret)
    return (
        None if key_id else secret.hash,
        names.optional(key_id),
        secret.lookup,
        names.optional(secret.scheme),
    )


def refuse_retiring(connection: sqlite3.Connection, lookups: Iterable[bytes], purge_cutoff: int) -> None:
    """Raise `SecretTaken` if one of `lookups` is a retiring secret's; those expired by `purge_cutoff` are deleted."""
    if not connection.execute("SELECT 1 FROM retirement_rows LIMIT 1").fetchall():
        return
    connection.execute("DELETE FROM retirement_rows WHERE expires_at <= ?", (purge_cutoff,))
    for lookup in lookups:
        if connection.execute("SELECT 1 FROM retirement_rows WHERE lookup = ?", (lookup,)).fetchall():
            raise SecretTaken


def refuse_equivalents(connection: sqlite3.Connection, new: Iterable[StoredSecret], own_id: str = "") -> None:
    """Raise `SecretTaken` if a client other than `own_id` uses one of `new` under another pepper or scheme."""
    sql = f"SELECT 1 FROM client_rows c WHERE {WITH_LOOKUP.format('c', '?1')} AND c.id <> ?2"
    for secret in new:
        for lookup in secret.equivalents:
            if fetch(connection, sql, (lookup, uuid_bytes(own_id))):
                raise SecretTaken


def retire(connection: sqlite3.Connection, retirement: Retirement, domain_id: str, now: int) -> None:
    """Add a secret that retires from now on."""
    secret, names = retirement.secret, Names(connection)
    connection.execute(
        "INSERT INTO retirement_rows (lookup, client, domain, secret, secret_scheme, expires_at, retired_at)"
        f" VALUES (?, {CLIENT}, ?, ?, ?, ?, ?)",
        (
            *(secret.lookup, uuid_bytes(retirement.client_id), names.number(domain_id)),
            *(secret.hash, names.optional(secret.scheme), retirement.expires_at, now),
        ),
    )


def touch_retirement(connection: sqlite3.Connection, client_id: str, kept: str, now: int) -> None:
    """`ports.Transaction.touch_retirement`."""
    connection.execute(_TOUCH, {"now": now, "ahead": now + DAY, "client": uuid_bytes(client_id), "kept": kept})


def retiring(connection: sqlite3.Connection, client_id: str, now: int) -> tuple[Retirement, ...]:
    """The valid retiring secrets of a client, in the order of their expiry."""
    rows = fetch(
        connection,
        f"SELECT secret, lookup, {named('secret_scheme')}, expires_at FROM retirement_rows"
        f" WHERE client = {CLIENT} AND expires_at > ? ORDER BY expires_at",
        (uuid_bytes(client_id), now),
    )
    return tuple(Retirement(client_id, StoredSecret(*row[:3]), row[3]) for row in rows)
