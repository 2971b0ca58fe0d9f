"""Conversion between rows and structs: one list of columns, in the order of `Client`'s fields."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from edgeclients.model import Client

_LISTED = (
    *("id", "domain_id", "status", "name", "tags", "identity", "parent_group_id", "created_at", "updated_at", "updated_by"),
    "metadata",
)

CLIENT_COLUMNS = ", ".join((*_LISTED, "private_metadata"))

LISTED_COLUMNS = ", ".join((*(f"c.{column}" for column in _LISTED), "'{}'"))
"""The same columns of a client `c` in a list, which does not show private metadata."""

CLIENT_WIDTH = len(_LISTED) + 1
"""The number of these columns."""

_tags = msgspec.json.Decoder(tuple[str, ...])


def to_client(row: Sequence[Any]) -> Client:
    """The client in a row of `CLIENT_COLUMNS`."""
    # Positional, with the one decoded column in its place: every read by id runs this.
    a, b, c, d, tags, e, f, g, h, i, j, k = row
    return Client(a, b, c, d, () if tags == "[]" else _tags.decode(tags), e, f, g, h, i, j, k)


def decode_tags(text: str) -> tuple[str, ...]:
    """Tags from the text in the column."""
    return _tags.decode(text)


def tags_text(tags: tuple[str, ...]) -> str:
    """Tags as the text in the column."""
    return msgspec.json.encode(tags).decode()


def fetch(connection: sqlite3.Connection, sql: str, parameters: Sequence[object]) -> list[Any]:
    """All rows at once; the statement is always closed: an open one would pin an old snapshot."""
    cursor = connection.execute(sql, parameters)
    try:
        return cursor.fetchall()
    finally:
        cursor.close()
