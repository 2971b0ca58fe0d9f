"""Between rows and structs: one list of columns, in the order of `Client`'s fields."""

import sqlite3
import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec

from edgeclients.model import Action, Client, Connection, ConnectionType, Role, SecretRead, SecretRow

CLIENT_COLUMNS = (
    "id, domain_id, status, name, tags, identity, parent_group_id, created_at, updated_at, updated_by, "
    "metadata, private_metadata"
)

ROLE_COLUMNS = "r.id, r.entity_id, r.name, r.actions, r.created_at, r.created_by, r.updated_at, r.updated_by"

_tags = msgspec.json.Decoder(tuple[str, ...])


def to_client(row: Sequence[Any]) -> Client:
    """The client in a row of `CLIENT_COLUMNS`."""
    # Positional, with the one decoded column in its place: this is on the way of every read by id.
    a, b, c, d, tags, e, f, g, h, i, j, k = row
    return Client(a, b, c, d, () if tags == "[]" else _tags.decode(tags), e, f, g, h, i, j, k)


def tags_text(tags: tuple[str, ...]) -> str:
    """Tags as the column keeps them."""
    return msgspec.json.encode(tags).decode()


def to_role(row: Sequence[Any]) -> Role:
    """The role in a row of `ROLE_COLUMNS`."""
    role_id, entity_id, name, actions, *rest = row
    return Role(role_id, entity_id, name, Action(actions), *rest)


def to_connection(row: Sequence[Any]) -> Connection:
    """The connection in a row of channel_id, domain_id, client_id, type."""
    return Connection(row[0], row[1], row[2], ConnectionType(row[3]))


def to_secrets(rows: Sequence[Sequence[Any]], revision: int) -> SecretRead:
    """What rows of client_id, domain_id, status, secret, expires_at say."""
    return SecretRead(revision, tuple(SecretRow(*row) for row in rows))


def fold(text: str) -> str:
    """Text in the form names are matched by: NFC of the case-folded NFC form."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def fetch(connection: sqlite3.Connection, sql: str, parameters: Sequence[object]) -> list[Any]:
    """All rows at once; the statement is closed then, whatever happened: an open one would pin an old snapshot."""
    cursor = connection.execute(sql, parameters)
    try:
        return cursor.fetchall()
    finally:
        cursor.close()
