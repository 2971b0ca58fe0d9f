"""Between rows and structs: one list of columns, in the order of `Client`'s fields."""

import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec

from edgeclients.model import Client, Connection, ConnectionType, SecretRead, SecretRow

CLIENT_COLUMNS = (
    "id, domain_id, status, name, tags, identity, parent_group_id, created_at, updated_at, updated_by, "
    "metadata, private_metadata"
)

_tags = msgspec.json.Decoder(tuple[str, ...])


def to_client(row: Sequence[Any]) -> Client:
    """The client in a row of `CLIENT_COLUMNS`."""
    # Positional, with the one decoded column in its place: this is on the way of every read by id.
    a, b, c, d, tags, e, f, g, h, i, j, k = row
    return Client(a, b, c, d, () if tags == "[]" else _tags.decode(tags), e, f, g, h, i, j, k)


def tags_text(tags: tuple[str, ...]) -> str:
    """Tags as the column keeps them."""
    return msgspec.json.encode(tags).decode()


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
