"""The things the service keeps and passes around: frozen structs without I/O.

Times are whole microseconds since 1970 UTC. Metadata is kept as JSON text (always an object) next to nothing else:
whoever needs its content decodes it once. A client's secret is in none of these but `StoredSecret`, which holds a hash.
"""

import time
from collections.abc import Mapping
from enum import IntEnum, IntFlag
from functools import lru_cache
from typing import Any

from msgspec import Struct


class Status(IntEnum):
    """Contract 2: what the column holds. `deleted` is only read, from tables of another origin."""

    ENABLED = 0
    DISABLED = 1
    DELETED = 2


class ConnectionType(IntEnum):
    """Contract 5.1: what a client may do on a channel."""

    PUBLISH = 1
    SUBSCRIBE = 2


class Action(IntFlag):
    """What a client role may allow, a bit each, in the order of contract 4.1."""

    UPDATE = 1
    READ = 2
    DELETE = 4
    SET_PARENT_GROUP = 8
    CONNECT_TO_CHANNEL = 16
    MANAGE_ROLE = 32
    ADD_ROLE_USERS = 64
    REMOVE_ROLE_USERS = 128
    VIEW_ROLE_USERS = 256


ALL_ACTIONS = Action(2 ** len(Action) - 1)


@lru_cache(maxsize=512)
def action_names(actions: Action) -> tuple[str, ...]:
    """Actions as the wire names them, in order."""
    return tuple(str(action.name).lower() for action in actions)


@lru_cache(maxsize=1024)
def rfc3339(micros: int) -> str:
    """A time as contract 2 writes it: UTC with `Z`, a fraction of up to 6 digits without trailing zeros."""
    seconds, fraction = divmod(micros, 1_000_000)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{text}.{fraction:06d}".rstrip("0") + "Z" if fraction else f"{text}Z"


class Session(Struct, frozen=True):
    """Who calls, in which domain, in which request."""

    user_id: str
    domain_id: str
    super_admin: bool
    request_id: str
    pat_id: str = ""


class Identity(Struct, frozen=True):
    """Who a bearer token belongs to."""

    user_id: str
    super_admin: bool
    pat_id: str = ""


class Client(Struct, frozen=True):
    """One client as stored, without its secret; field order is the order of the stores' columns."""

    id: str
    domain_id: str
    status: int
    name: str
    tags: tuple[str, ...]
    identity: str
    parent_group_id: str | None
    created_at: int
    updated_at: int | None
    updated_by: str | None
    metadata: str
    private_metadata: str


class StoredSecret(Struct, frozen=True):
    """What is kept of a secret: its hash, the digest it is looked up by, and for chosen secrets the argon2 scheme.

    `equivalents` are the digests it has under other peppers and schemes still in use: it is taken if one of them is.
    """

    hash: str
    lookup: bytes
    scheme: str | None
    equivalents: tuple[bytes, ...] = ()


class NewRole(Struct, frozen=True):
    """A role to be written with its members."""

    id: str
    entity_id: str
    name: str
    actions: Action
    created_at: int
    created_by: str
    members: tuple[str, ...]


class NewClient(Struct, frozen=True):
    """A client to be written, with what is derived from it once: decoded metadata for the index, its secret's hash."""

    client: Client
    metadata: Mapping[str, Any]
    secret: StoredSecret
    role: NewRole


class Retirement(Struct, frozen=True):
    """A secret that still works until `expires_at`."""

    client_id: str
    secret: StoredSecret
    expires_at: int


class Connection(Struct, frozen=True):
    """A client's right to publish to, or subscribe on, one channel."""

    channel_id: str
    domain_id: str
    client_id: str
    type: ConnectionType


class Event(Struct, frozen=True):
    """One change, told to whoever listens: stream (contract 10.2, without its prefix), subject and JSON object."""

    stream: str
    client_id: str
    payload: bytes
    occurred_at: int


class TagFilter(Struct, frozen=True):
    """Tags a client must have: all of them, or any."""

    tags: tuple[str, ...]
    match_all: bool


class ClientFilter(Struct, frozen=True, kw_only=True):
    """Which clients of a domain a list shows (contract 3.3); None means no such filter.

    `parent_group_id` "" means clients without a parent. `order` is `name`, `created_at` or `updated_at`; `id` breaks ties.
    """

    offset: int = 0
    limit: int = 10
    order: str = "updated_at"
    descending: bool = True
    name: str | None = None
    id: str | None = None
    tags: TagFilter | None = None
    statuses: tuple[Status, ...] = (Status.ENABLED,)
    metadata: Mapping[str, Any] | None = None
    parent_group_id: str | None = None
    channel_id: str | None = None
    connection_type: ConnectionType | None = None
    created_from: int | None = None
    created_to: int | None = None
    only_total: bool = False


class ListedClient(Struct, frozen=True):
    """A row of a list: the client, and when listed by channel what it may do there."""

    client: Client
    connection_types: tuple[ConnectionType, ...] = ()


class Page(Struct, frozen=True):
    """One page of a list and the size of the whole."""

    total: int
    items: tuple[ListedClient, ...] = ()


class SecretRow(Struct, frozen=True):
    """One secret a client may present now: its current one (`expires_at` None) or a retiring one."""

    client_id: str
    domain_id: str
    status: int
    hash: str
    expires_at: int | None


class SecretRead(Struct, frozen=True):
    """Secrets read in one snapshot, and the store's revision in that snapshot."""

    revision: int
    rows: tuple[SecretRow, ...]


class Effects(Struct, frozen=True):
    """What a commit must cause in memory before anybody hears of it.

    `revoked` names clients that lost access, with the revision of that; `granted` says that somebody gained some.
    """

    revoked: tuple[tuple[str, int], ...] = ()
    granted: bool = False
