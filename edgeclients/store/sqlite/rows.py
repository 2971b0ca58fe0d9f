"""Conversion between rows and structs: one list of columns, in the order of `Client`'s fields."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from edgeclients.model import Action, Client, Role, StoredSecret
from edgeclients.store.sqlite.ids import role_text, uuid_text


def named(number: str) -> str:
    """The SQL of the name with a number that is a column; NULL for NULL."""
    return f"(SELECT name FROM names WHERE n = {number})"


_LISTED = (
    *("c.id", named("c.domain"), "c.status", "c.name", "c.tags", "c.identity", "c.external_id", named("c.parent_group")),
    *("c.created_at", "c.updated_at", named("c.updated_by"), "c.metadata"),
)

CLIENT_COLUMNS = ", ".join((*_LISTED, "c.private_metadata"))
"""The columns of a client `c`."""

LISTED_COLUMNS = ", ".join((*_LISTED, "NULL"))
"""The same columns in a list, which does not show private metadata."""

CLIENT_WIDTH = len(_LISTED) + 1
"""The number of these columns."""

ROLE_COLUMNS = (
    f"r.id, r.client, r.name, r.actions, r.created_at, {named('r.created_by')}, r.updated_at, {named('r.updated_by')}"
)
"""The columns of a role `r`; its client is a number."""

DOMAINS = f"""
SELECT wanted.value, {named("c.domain")} FROM json_each(?) wanted
CROSS JOIN client_rows c ON c.id = uuid_bytes(wanted.value)
"""
"""Those of a JSON array of ids that are ids of clients, with the clients' domains."""

SECRET = f"coalesce({{0}}.secret, '$hmac-sha256$' || {named('{0}.secret_key')} || '$' || lower(hex({{0}}.secret_lookup)))"
"""The hash of a client's current secret, to be formatted with the alias of its row."""

_GENERATED = "$hmac-sha256$"
_EMPTY = "{}"

_tags = msgspec.json.Decoder(tuple[str, ...])


def to_client(row: Sequence[Any]) -> Client:
    """The client in a row of `CLIENT_COLUMNS`."""
    # Positional: every read by id runs this.
    a, b, c, d, tags, identity, external, e, f, g, h, metadata, private = row
    return Client(
        *(uuid_text(a), b, c, d, () if tags is None else _tags.decode(tags), identity or "", external or "", e, f, g, h),
        *(metadata or _EMPTY, private or _EMPTY),
    )


def to_role(row: Sequence[Any], client_id: str) -> Role:
    """The role in a row of `ROLE_COLUMNS`, of the client with this id."""
    role_id, _, name, actions, *rest = row
    return Role(role_text(role_id), client_id, name, Action(actions), *rest)


def key_of_generated(secret: StoredSecret) -> str | None:
    """The id of the pepper of a generated secret, whose hash is made of that and the digest; None for a chosen secret."""
    if not secret.hash.startswith(_GENERATED):
        return None
    key_id, _, digest = secret.hash.removeprefix(_GENERATED).partition("$")
    return key_id if digest == secret.lookup.hex() else None


def decode_tags(text: str) -> tuple[str, ...]:
    """Tags from JSON."""
    return _tags.decode(text)


def tags_text(tags: tuple[str, ...]) -> str:
    """Tags as JSON."""
    return msgspec.json.encode(tags).decode()


def fetch(connection: sqlite3.Connection, sql: str, parameters: Sequence[object]) -> list[Any]:
    """All rows at once; the statement is always closed: an open one would pin an old snapshot."""
    cursor = connection.execute(sql, parameters)
    try:
        return cursor.fetchall()
    finally:
        cursor.close()
