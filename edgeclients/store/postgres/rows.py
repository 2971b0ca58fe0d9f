"""Conversion between rows and structs, as far as it is specific to PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from edgeclients.model import Client, NewClient
from edgeclients.store.rows import fold

# In the order of `Client`'s fields.
_LISTED = (
    *("id", "domain_id", "status", "name", "tags", "identity", "external_id", "parent_group_id", "created_at", "updated_at"),
    *("updated_by", "metadata_text"),
)
_LISTED_OF_C = ", ".join(f"c.{column}" for column in _LISTED)

CLIENT_COLUMNS = f"{_LISTED_OF_C}, c.private_metadata"

LISTED_COLUMNS = f"{_LISTED_OF_C}, '{{}}'"
"""The same columns in a list, which does not show private metadata."""

CLIENT_WIDTH = len(_LISTED) + 1
"""The number of these columns."""

# The server's time.
NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


DOMAINS = "SELECT id, domain_id FROM clients WHERE id = ANY ($1)"
"""Those of some ids that are ids of clients, with the clients' domains."""


def key(text: str) -> str | None:
    """`text` as a query parameter; None, which equals nothing, if it has a NUL, which no text in the database can hold."""
    return None if "\0" in text else text


def to_client(row: Sequence[Any]) -> Client:
    """The client in a row that begins with `CLIENT_COLUMNS`."""
    a, b, c, d, tags, e, f, g, h, i, j, k, m = row[:13]
    return Client(a, b, c, d, tuple(tags), e, f, g, h, i, j, k, m)


def to_row(new: NewClient) -> tuple[object, ...]:
    """The values of a new client, in the order of `INSERT_CLIENT`."""
    client, secret = new.client, new.secret
    return (
        client.id,
        client.domain_id,
        client.status,
        secret.hash,
        secret.lookup,
        secret.scheme,
        client.name,
        fold(client.name),
        client.tags,
        client.identity,
        client.external_id,
        client.parent_group_id,
        client.created_at,
        client.updated_at,
        client.created_at if client.updated_at is None else client.updated_at,
        client.updated_by,
        searched(msgspec.json.decode(client.metadata)),
        client.metadata,
        client.private_metadata,
    )


INSERT_CLIENT = """
INSERT INTO clients (
    id, domain_id, status, secret, secret_lookup, secret_scheme, name, name_folded, tags, identity, external_id,
    parent_group_id, created_at, updated_at, changed_at, updated_by, metadata, metadata_text, private_metadata
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
"""


def searched(metadata: Mapping[str, Any]) -> str:
    """Metadata in the form that is searched: a whole number is written as an integer, whatever its size and notation.

    The server compares decimals: for it 1e300 differs from the double of that notation.
    """
    return "{}" if not metadata else msgspec.json.encode(_exact(metadata)).decode()


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {key: _exact(item) for key, item in value.items()}
    return [_exact(item) for item in value] if isinstance(value, list | tuple) else value
