"""The things the service keeps and passes around: frozen structs without I/O.

Times are whole microseconds since 1970 UTC. Metadata is kept as JSON text (always an object) next to nothing else:
whoever needs its content decodes it once. A client's secret is in none of these but `StoredSecret`, which holds a hash.
"""

import re
import time
from collections.abc import Mapping, Sequence
from enum import IntEnum, IntFlag, StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from msgspec import Struct, field

_DOMAIN = re.compile(r"[A-Za-z0-9._-]{1,36}")


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


NO_ACTIONS = Action(0)
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


def is_domain(text: str) -> bool:
    """Whether `text` may be a domain id (contract A3)."""
    return _DOMAIN.fullmatch(text) is not None and text not in {".", ".."}


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


class Standing(Struct, frozen=True):
    """What a caller may do in a domain beyond what the roles of its clients give.

    `actions` may be done to every client of the domain; `creates` says whether clients may be created, `by_group` whether
    parent groups may give more.
    """

    actions: Action
    creates: bool
    by_group: bool = False


class Group(Struct, frozen=True):
    """A group that clients may have for a parent."""

    id: str
    domain_id: str
    enabled: bool


EVERYTHING = Standing(ALL_ACTIONS, creates=True)
MEMBERSHIP = Standing(NO_ACTIONS, creates=False)


class Question(Struct, frozen=True):
    """What a callout is asked about one operation (contract 13.1); `payload` has no secret in it."""

    operation: str
    entity_type: str
    entity_id: str
    caller_id: str
    caller_type: str
    domain_id: str
    time: str
    payload: Mapping[str, Any]


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


class ClientDraft(Struct, frozen=True, kw_only=True):
    """A client as a caller wants it; empty means not given."""

    id: str = ""
    name: str = ""
    tags: Sequence[str] = ()
    identity: str = ""
    secret: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    private_metadata: Mapping[str, Any] = field(default_factory=dict)
    status: Status = Status.ENABLED
    parent_group_id: str = ""


class StoredSecret(Struct, frozen=True):
    """What is kept of a secret: its hash, the digest it is looked up by, and for chosen secrets the argon2 scheme.

    `equivalents` are the digests it has under other peppers and schemes still in use: it is taken if one of them is.
    """

    hash: str
    lookup: bytes
    scheme: str | None
    equivalents: tuple[bytes, ...] = ()


class Role(Struct, frozen=True):
    """What its members may do with one client; field order is the order of the stores' columns."""

    id: str
    entity_id: str
    name: str
    actions: Action
    created_at: int
    created_by: str
    updated_at: int | None = None
    updated_by: str | None = None


class NewRole(Struct, frozen=True):
    """A role to be written with its members."""

    id: str
    entity_id: str
    name: str
    actions: Action
    created_at: int
    created_by: str
    members: tuple[str, ...]

    def role(self) -> Role:
        """The role without its members."""
        return Role(self.id, self.entity_id, self.name, self.actions, self.created_at, self.created_by)


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


UNSAID: Final = -1


class Event(Struct, frozen=True):
    """One change, told to whoever listens: stream (contract 10.2, without its prefix), subject and JSON object."""

    stream: str
    client_id: str
    payload: bytes
    occurred_at: int = UNSAID
    """Nanoseconds since 1970; `UNSAID`: when it is put into the outbox."""


class Gap(Struct, frozen=True):
    """Events that were dropped at the outbox's bounds before they were sent: how many, from which sequence number to which."""

    count: int
    first: int
    last: int


class OutboxState(Struct, frozen=True):
    """What waits in the outbox and how far it has been sent.

    `first` and `last` are the sequence numbers of the oldest and the newest event that wait, `oldest_at` when the former
    happened (nanoseconds since 1970 UTC); `dropped` counts all that were ever dropped unsent, `gap` those nobody was told
    of; `sent_through` is the number of the newest event sent, `sent_at` when that was noted. `store_id` belongs to this
    store and no other.
    """

    store_id: str
    waiting: int
    first: int | None
    last: int | None
    oldest_at: int | None
    dropped: int
    gap: Gap | None
    sent_through: int | None
    sent_at: int | None


class RoleFilter(Struct, frozen=True):
    """Which roles are meant; None means any. A store knows no access type but these three, and no provider of access."""

    actions: Action | None = None  # all of them
    role_id: str | None = None
    role_name: str | None = None
    access_type: str | None = None
    access_provider_id: str | None = None

    @property
    def of_role(self) -> bool:
        """Whether only a role can fit."""
        return (self.actions, self.role_id, self.role_name) != (None, None, None) or self.access_type == DIRECT


# Access types (contract 2): by a role of the client, by what its parent group grants, by what the domain grants.
DIRECT, BY_GROUP, BY_DOMAIN = "direct", "direct_group", "domain"


class TagFilter(Struct, frozen=True):
    """Tags a client must have: all of them, or any."""

    tags: tuple[str, ...]
    match_all: bool


class ClientFilter(Struct, frozen=True, kw_only=True):
    """Which clients of a domain a list shows (contract 3.3); None means no such filter.

    `parent_group_id` "" means clients without a parent. Times are inclusive; who was never seen was seen neither before nor
    after. `order` is `name`, `created_at`, `updated_at` or `last_seen_at` (never comes before ever); `id` breaks ties.
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
    seen_after: int | None = None
    seen_before: int | None = None
    only_total: bool = False
    role: RoleFilter = RoleFilter()

    @property
    def of_sight(self) -> bool:
        """Whether the page depends on when clients were last seen."""
        return self.order == LAST_SEEN or (self.seen_after, self.seen_before) != (None, None)


LAST_SEEN = "last_seen_at"


class Viewed(NamedTuple):
    """A client, and when it last proved itself, if it ever did."""

    client: Client
    last_seen_at: int | None


class Viewer(Struct, frozen=True):
    """Through whose eyes a list is seen: the clients on which `user_id` has a role with an action, or `everything`.

    Without everything, the clients whose parent group is one of `groups` are seen as well.
    """

    user_id: str
    everything: bool
    groups: frozenset[str] = frozenset()


class ListedClient(Struct, frozen=True):
    """A row of a list: the client; when listed by channel, what it may do there; for a viewer, by what they may see it.

    `last_seen_at` is when it last proved itself, if it ever did.
    """

    client: Client
    connection_types: tuple[ConnectionType, ...] = ()
    role: Role | None = None
    access_type: str | None = None
    last_seen_at: int | None = None


class Page(Struct, frozen=True):
    """One page of a list and the size of the whole."""

    total: int
    items: tuple[ListedClient, ...] = ()


class RolePage(Struct, frozen=True):
    """Some roles of a client, and how many it has."""

    total: int
    items: tuple[Role, ...] = ()


class MemberPage(Struct, frozen=True):
    """Some members of a role, and how many it has."""

    total: int
    items: tuple[str, ...] = ()


class MemberFilter(Struct, frozen=True, kw_only=True):
    """Which members of a client's roles a list shows; `order` is `role_name`, `role_id` or None for the member's own id."""

    offset: int = 0
    limit: int = 10
    order: str | None = None
    descending: bool = False
    role: RoleFilter = RoleFilter()


class Membership(NamedTuple):
    """Somebody and the role they have on a client: one at most (contract 4.1)."""

    member_id: str
    role: Role


class MembershipPage(Struct, frozen=True):
    """Some of those who have a role with an action on a client, and how many there are."""

    total: int
    items: tuple[Membership, ...] = ()


class DomainStanding(StrEnum):
    """What a local operator is in a domain."""

    ADMIN = "admin"
    MEMBER = "member"


class LocalOperator(Struct, frozen=True):
    """A person who may call besides the standalone operator, and what they are in which domain."""

    id: str
    name: str
    created_at: int
    domains: Mapping[str, DomainStanding]


class OperatorToken(Struct, frozen=True):
    """A bearer token of a local operator, as the HMAC `digest` made with the pepper `key_id`."""

    operator_id: str
    name: str
    digest: bytes
    key_id: str
    created_at: int
    expires_at: int | None = None
    last_used_at: int | None = None
    counted_from: int | None = None  # see `times.ends_at`


class SecretRow(Struct, frozen=True):
    """One secret a client may present now: its current one, or a retiring one, with when it expires and when it was retired."""

    client_id: str
    domain_id: str
    status: int
    hash: str
    expires_at: int | None = None
    retired_at: int | None = None
    counted_from: int | None = None


class SecretRead(Struct, frozen=True):
    """Secrets read in one snapshot, and the store's revision in that snapshot."""

    revision: int
    rows: tuple[SecretRow, ...]


class Revocations(Struct, frozen=True):
    """Who lost access, each with the revision of that, and the newest revision there is."""

    revision: int
    revoked: tuple[tuple[str, int], ...]


class Effects(Struct, frozen=True):
    """What a commit must cause in memory before anybody hears of it.

    `revoked` names clients that lost access, with the revision of that; `granted` says that somebody gained some; `removed`
    names clients that are no more; `told` says that there are events in the outbox that were not there before; `roles`
    says that a role has changed, or who has one; `unsure` says that nobody knows whether the commit was made, and so what
    of it is revoked.
    """

    revoked: tuple[tuple[str, int], ...] = ()
    granted: bool = False
    removed: tuple[str, ...] = ()
    told: bool = False
    roles: bool = False
    unsure: bool = False
