"""The data types of the service: frozen structs without I/O.

Times are whole microseconds since 1970 UTC. Metadata is stored only as JSON text (always an object); code that needs
its content decodes it once. No type holds a client's stored secret but `StoredSecret`, which holds a hash.
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
    """The values of the status column (schema/README.md#client-object).

    `deleted` is only read, from tables that another program wrote.
    """

    ENABLED = 0
    DISABLED = 1
    DELETED = 2


class ConnectionType(IntEnum):
    """schema/README.md#grpc-connections: what a client may do on a channel."""

    PUBLISH = 1
    SUBSCRIBE = 2


class Action(IntFlag):
    """The actions that a role may allow, one bit each, in the order of schema/README.md#roles."""

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
    """The wire names of actions, in order."""
    return tuple(str(action.name).lower() for action in actions)


@lru_cache(maxsize=1024)
def rfc3339(micros: int) -> str:
    """A time as text: UTC with `Z`, a fraction of up to 6 digits without trailing zeros (schema/README.md#client-object)."""
    seconds, fraction = divmod(micros, 1_000_000)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{text}.{fraction:06d}".rstrip("0") + "Z" if fraction else f"{text}Z"


def is_domain(text: str) -> bool:
    """Whether `text` is a valid domain id (schema/README.md#domain-ids)."""
    return _DOMAIN.fullmatch(text) is not None and text not in {".", ".."}


class Session(Struct, frozen=True):
    """The caller, its domain and the request."""

    user_id: str
    domain_id: str
    super_admin: bool
    request_id: str
    pat_id: str = ""
    local: bool = False  # it is a command on this machine, at the data directory
    origin: str = ""  # where the request came from: an address; of a command on this machine, who runs it


class Identity(Struct, frozen=True):
    """The owner of a bearer token."""

    user_id: str
    super_admin: bool
    pat_id: str = ""


class Standing(Struct, frozen=True):
    """What a caller may do in a domain, in addition to the roles of its clients.

    `actions` apply to every client of the domain. `creates` says whether clients may be created, `by_group` whether parent
    groups may grant more.
    """

    actions: Action
    creates: bool
    by_group: bool = False


class Group(Struct, frozen=True):
    """A parent group of clients."""

    id: str
    domain_id: str
    enabled: bool


EVERYTHING = Standing(ALL_ACTIONS, creates=True)
MEMBERSHIP = Standing(NO_ACTIONS, creates=False)


class Question(Struct, frozen=True):
    """A question to a callout about one operation (schema/README.md#callouts); `payload` contains no secret."""

    operation: str
    entity_type: str
    entity_id: str
    caller_id: str
    caller_type: str
    domain_id: str
    time: str
    payload: Mapping[str, Any]


class Client(Struct, frozen=True):
    """One stored client, without its secret; field order is the order of the stores' columns."""

    id: str
    domain_id: str
    status: int
    name: str
    tags: tuple[str, ...]
    identity: str
    external_id: str
    parent_group_id: str | None
    created_at: int
    updated_at: int | None
    updated_by: str | None
    metadata: str
    private_metadata: str


class ClientDraft(Struct, frozen=True, kw_only=True):
    """A client that a caller wants to create; empty means not given."""

    id: str = ""
    name: str = ""
    tags: Sequence[str] = ()
    identity: str = ""
    external_id: str = ""
    secret: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    private_metadata: Mapping[str, Any] = field(default_factory=dict)
    status: Status = Status.ENABLED
    parent_group_id: str = ""


class StoredSecret(Struct, frozen=True):
    """The stored form of a secret: its hash, its lookup digest, and for chosen secrets the argon2 scheme.

    A hash from elsewhere has no scheme, and a random lookup digest, which nothing finds.

    `equivalents` are its digests under other peppers and schemes in use: the secret is taken if one of them is.
    """

    hash: str
    lookup: bytes
    scheme: str | None
    equivalents: tuple[bytes, ...] = ()


class Role(Struct, frozen=True):
    """A role on one client, with its actions; field order is the order of the stores' columns."""

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
    """A client to be written, with its secret's stored form and its first role."""

    client: Client
    secret: StoredSecret
    role: NewRole


class Retirement(Struct, frozen=True):
    """A replaced secret that is valid until `expires_at`."""

    client_id: str
    secret: StoredSecret
    expires_at: int


class Exported(Struct, frozen=True):
    """A client with the hash of its secret and its connections: channels and types."""

    client: "Client"
    secret: str
    connections: frozenset[tuple[str, ConnectionType]]


class ImportProgress(Struct, frozen=True):
    """How far a file was imported: through which line, and whether to its end."""

    line: int = 0
    finished: bool = False


class Connection(Struct, frozen=True):
    """A client's right to publish or subscribe on one channel."""

    channel_id: str
    domain_id: str
    client_id: str
    type: ConnectionType


UNSAID: Final = -1


class Event(Struct, frozen=True):
    """One change, for subscribers: stream (schema/README.md#event-streams, without its prefix), client and JSON object."""

    stream: str
    client_id: str
    payload: bytes
    occurred_at: int = UNSAID
    """Nanoseconds since 1970; `UNSAID`: the time when it is appended to the outbox."""


class Ring(IntEnum):
    """Where an entry of the journal is kept. A ring's newest entries replace the oldest, of that ring alone."""

    CHANGES = 0
    SHORT = 1  # one entry for each client of an import or a bulk


class JournalEntry(Struct, frozen=True):
    """One change: operation, domain, client (neither: ""), user, and a JSON object of further attributes."""

    operation: str
    domain_id: str
    client_id: str
    user_id: str
    attributes: bytes = b"{}"
    ring: Ring = Ring.CHANGES


class JournalPlace(NamedTuple):
    """Where an entry of the journal stands: by the number of the entry, or of the newest one before denied logins.

    Those of one number follow by hour and client; `hour` is -1 for any other entry.
    """

    n: int
    hour: int = -1
    client_id: str = ""


class JournalFilter(Struct, frozen=True, kw_only=True):
    """Criteria for entries of the journal, the newest first; None means any. Times are inclusive.

    They are in the order in which they were recorded, whatever the clock showed. Those behind the place `after` are wanted.
    """

    offset: int = 0
    limit: int = 10
    descending: bool = True
    after: JournalPlace | None = None
    domain_id: str | None = None
    client_id: str | None = None
    operation: str | None = None
    since: int | None = None
    until: int | None = None


class Recorded(Struct, frozen=True):
    """An entry of the journal with its time."""

    at: int
    operation: str
    domain_id: str
    client_id: str
    user_id: str
    attributes: bytes


class JournalPage(Struct, frozen=True):
    """One page of the journal, the place of its last entry, and how many entries match in all; None behind a place."""

    total: int | None
    entries: tuple[Recorded, ...]
    last: JournalPlace | None = None


class Gap(Struct, frozen=True):
    """Events dropped at the outbox's bounds before they were sent: their count, first and last sequence number."""

    count: int
    first: int
    last: int


class OutboxState(Struct, frozen=True):
    """The waiting events of the outbox, and how far it has been sent.

    `first` and `last` are the sequence numbers of the oldest and the newest waiting event. `oldest_at` is when the oldest
    happened (nanoseconds since 1970 UTC). `dropped` counts all events dropped unsent, `gap` those not reported yet.
    `sent_through` is the number of the newest event sent, `sent_at` when that was recorded. `store_id` is unique to this
    store.
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
    """Criteria for roles; None means any. A store knows only these three access types, and no access provider."""

    actions: Action | None = None  # all of them
    role_id: str | None = None
    role_name: str | None = None
    access_type: str | None = None
    access_provider_id: str | None = None

    @property
    def of_role(self) -> bool:
        """Whether only a role can match."""
        return (self.actions, self.role_id, self.role_name) != (None, None, None) or self.access_type == DIRECT


# Access types (schema/README.md#client-object): by a role of the client, by its parent group, by the domain.
DIRECT, BY_GROUP, BY_DOMAIN = "direct", "direct_group", "domain"


class TagFilter(Struct, frozen=True):
    """Tags that a client must have: all of them, or any."""

    tags: tuple[str, ...]
    match_all: bool


class ClientFilter(Struct, frozen=True, kw_only=True):
    """The filter of a client list (schema/README.md#list); None means no such criterion.

    `parent_group_id` "" means clients without a parent. Times are inclusive; clients that were never seen match neither
    `seen_after` nor `seen_before`. `order` is `name`, `created_at`, `updated_at` or `last_seen_at` (never seen comes
    first); `id` breaks ties.
    """

    offset: int = 0
    limit: int = 10
    order: str = "updated_at"
    descending: bool = True
    name: str | None = None
    id: str | None = None
    external_id: str | None = None
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
    """A client, and when it last authenticated; None for never."""

    client: Client
    last_seen_at: int | None


class Viewer(Struct, frozen=True):
    """The user whose view a list shows: the clients on which `user_id` has a role with an action, or `everything`.

    Without `everything`, clients whose parent group is one of `groups` are shown as well.
    """

    user_id: str
    everything: bool
    groups: frozenset[str] = frozenset()


class ListedClient(Struct, frozen=True):
    """A row of a list: the client; its connection types when listed by channel; for a viewer, the source of access.

    `last_seen_at` is when it last authenticated; None for never.
    """

    client: Client
    connection_types: tuple[ConnectionType, ...] = ()
    role: Role | None = None
    access_type: str | None = None
    last_seen_at: int | None = None


class Page(Struct, frozen=True):
    """One page of a list, and the total count."""

    total: int
    items: tuple[ListedClient, ...] = ()


class RolePage(Struct, frozen=True):
    """One page of a client's roles, and their total count."""

    total: int
    items: tuple[Role, ...] = ()


class MemberPage(Struct, frozen=True):
    """One page of a role's members, and their total count."""

    total: int
    items: tuple[str, ...] = ()


class MemberFilter(Struct, frozen=True, kw_only=True):
    """The filter of a list of role members; `order` is `role_name`, `role_id` or None for the member's id."""

    offset: int = 0
    limit: int = 10
    order: str | None = None
    descending: bool = False
    role: RoleFilter = RoleFilter()


class Membership(NamedTuple):
    """A member and its role on a client; a member has at most one (schema/README.md#members)."""

    member_id: str
    role: Role


class MembershipPage(Struct, frozen=True):
    """One page of the members with an action on a client, and their total count."""

    total: int
    items: tuple[Membership, ...] = ()


class DomainStanding(StrEnum):
    """The standing of a local operator in a domain."""

    ADMIN = "admin"
    MEMBER = "member"


class LocalOperator(Struct, frozen=True):
    """A user in addition to the standalone operator, with a standing per domain."""

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
    """One secret of a client, current or retiring; a retiring one with the times of expiry and retirement."""

    client_id: str
    domain_id: str
    status: int
    hash: str
    expires_at: int | None = None
    retired_at: int | None = None
    counted_from: int | None = None


class RetiringPlace(NamedTuple):
    """A place among the retiring secrets of a domain, the first to expire first. Several of one client may share it."""

    expires_at: int
    client_id: str


class RetiringSecret(Struct, frozen=True):
    """A retiring secret as it is listed: whose it is, and its times."""

    client_id: str
    name: str
    external_id: str
    status: int
    retired_at: int
    expires_at: int
    counted_from: int | None  # see `times.ends_at`
    last_used_at: int | None

    @property
    def place(self) -> RetiringPlace:
        """Its place among the retiring secrets of its domain."""
        return RetiringPlace(self.expires_at, self.client_id)


class SecretRead(Struct, frozen=True):
    """Secrets read in one snapshot, and the store's revision in that snapshot."""

    revision: int
    rows: tuple[SecretRow, ...]


class Revocations(Struct, frozen=True):
    """Revocations, each a client and its revision, and the newest revision."""

    revision: int
    revoked: tuple[tuple[str, int], ...]


class Effects(Struct, frozen=True):
    """The effects of a commit in memory, applied before its result is returned.

    `revoked` names clients that lost access, each with its revision. `granted` says that some client gained access.
    `removed` names removed clients, each with its domain. `events` says that the outbox has new events. `roles` says that a
    role or its members changed. `unsure` says that the outcome of the commit is unknown, and so are its revocations.
    """

    revoked: tuple[tuple[str, int], ...] = ()
    granted: bool = False
    removed: tuple[tuple[str, str], ...] = ()
    events: bool = False
    roles: bool = False
    unsure: bool = False
