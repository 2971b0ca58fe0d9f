"""What the use cases need from outside. These docstrings are the contract; `tests/conformance` is its proof."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from edgeclients.model import (
    Action,
    Client,
    ClientFilter,
    Connection,
    DomainStanding,
    Event,
    Gap,
    Group,
    Identity,
    LocalOperator,
    MemberFilter,
    MemberPage,
    MembershipPage,
    NewClient,
    NewRole,
    OperatorToken,
    OutboxState,
    Page,
    Question,
    Retirement,
    Revocations,
    Role,
    RolePage,
    SecretRead,
    Session,
    Standing,
    StoredSecret,
    Viewed,
    Viewer,
)
from edgeclients.operations import Operation

T = TypeVar("T")


class RoleTransaction(Protocol):
    """What a unit of work may do with roles. Their client is known to exist."""

    async def role(self, client_id: str, role_id: str) -> Role | None:
        """The role with this id, if it is one of this client."""

    async def role_held(self, client_id: str, member_id: str) -> Role | None:
        """The role that somebody has on a client; nobody has two."""

    async def roles_held(self, client_id: str, member_ids: Sequence[str]) -> dict[str, str]:
        """The id of the role each of these has on a client, by member; those without one are left out."""

    async def count_roles(self, client_id: str) -> int:
        """How many roles a client has."""

    async def is_managed(self, client_id: str) -> bool:
        """Whether a client has a role with `manage_role` and a member."""

    async def add_role(self, role: NewRole) -> None:
        """Write a role with its members, none of whom has a role on the client.

        Raises:
            RoleNameTaken: the client has a role of this name.
        """

    async def replace_role(self, old: Role, new: Role) -> None:
        """Write `new` in the place of `old`, which this transaction has read and which has the same id and client.

        Raises:
            RoleNameTaken: the client has another role of this name.
        """

    async def remove_role(self, role: Role) -> None:
        """Remove a role with its memberships."""

    async def add_members(self, role: Role, member_ids: Sequence[str]) -> None:
        """Make people members of a role, none of whom has a role on the client."""

    async def remove_members(self, role: Role, member_ids: Sequence[str] | None) -> tuple[str, ...]:
        """End the membership of these, or with None of all.

        Returns:
            Those who were members.
        """


class OperatorTransaction(Protocol):
    """What a unit of work may do with local operators."""

    async def operator(self, operator_id: str) -> LocalOperator | None:
        """The operator with this id."""

    async def put_operator(self, operator: LocalOperator) -> None:
        """Write an operator, in the place of the one with that id if there is one; tokens stay."""

    async def remove_operator(self, operator_id: str) -> None:
        """Remove an operator with all tokens."""

    async def leave_roles(self, member_id: str, by: str) -> tuple[Role, ...]:
        """End every membership somebody has, on any client; those roles count as changed now by the user `by`.

        Returns:
            The roles, as they were.
        """

    async def count_operator_tokens(self, operator_id: str) -> int:
        """How many tokens an operator has, expired ones included."""

    async def add_operator_token(self, token: OperatorToken) -> None:
        """Write a token of an operator that exists.

        Raises:
            TokenNameTaken: the operator has one of this name.
        """

    async def remove_operator_token(self, operator_id: str, name: str) -> bool:
        """Remove a token.

        Returns:
            Whether there was one.
        """

    async def touch_operator_token(self, old: OperatorToken, digest: bytes, key_id: str) -> None:
        """Note that a token was used now, and that this is its digest from now on; nothing if it is no more.

        The lifetime of one that was made more than a day ahead of now counts from now.
        """


class OutboxTransaction(Protocol):
    """What a unit of work may do with the outbox, besides appending to it."""

    async def lease_outbox(self, owner: str, seconds: int) -> bool:
        """Keep every other owner from sending, for `seconds` from now on; an owner's own lease is renewed.

        Returns:
            Whether that could be done: False while somebody else has it.
        """

    async def release_outbox(self, owner: str) -> None:
        """End the lease of `owner` now, if that is the one there is."""

    async def remove_sent(self, numbers: Sequence[int], gap: Gap | None = None) -> None:
        """Take the events with these sequence numbers out, which were sent; and note that `gap` was told.

        Of `numbers`, those that were dropped meanwhile do not count as dropped any more. For whoever has the lease.
        """


class Transaction(RoleTransaction, OperatorTransaction, OutboxTransaction, Protocol):
    """What a unit of work may do. Nothing of it is visible to others before the store has committed.

    A unit awaits these methods and nothing else, and keeps no reference to its transaction.
    """

    now: int
    """The store's time when the unit began (`Store.now`)."""

    async def client(self, client_id: str) -> Client | None:
        """The client as of now, kept from changing until the transaction ends."""

    async def clients(self, client_ids: Iterable[str]) -> dict[str, Client]:
        """Those of `client_ids` that exist, by id, kept from changing until the transaction ends."""

    async def insert(self, clients: Sequence[NewClient]) -> None:
        """Write all of `clients` with their roles.

        Raises:
            SecretTaken: a secret is in use, current or retiring, by another client of its domain, or twice in `clients`.
            IdTaken: an id exists, in any domain, or twice in `clients`.
        """

    async def replace(self, old: Client, new: Client, metadata: Mapping[str, Any] | None = None) -> None:
        """Write `new` in the place of `old`, which this transaction has read; the secret stays.

        Args:
            old: the row as read.
            new: the row to be, with the same id, domain and time of creation.
            metadata: the decoded `new.metadata`, where that has changed.
        """

    async def remove(self, client: Client) -> None:
        """Remove a client that this transaction has read, with its secrets, tags, roles and connections."""

    async def unset_parent_group(self, group_id: str) -> None:
        """Clear the parent group of every client of any domain and status that has this one; nothing else of them changes."""

    async def secret(self, client_id: str) -> StoredSecret:
        """The current secret of a client that this transaction has read."""

    async def set_secret(self, client: Client, secret: StoredSecret) -> None:
        """Make `secret` the current one of `client`; if it was retiring there, it no longer is.

        Raises:
            SecretTaken: it is in use, current or retiring, by another client of the domain.
        """

    async def retirements(self, client_id: str) -> tuple[Retirement, ...]:
        """The retiring secrets of a client that have not expired, the first to expire first."""

    async def retire(self, client: Client, retirement: Retirement) -> None:
        """Let a secret of `client` that has just been replaced work until it expires."""

    async def drop_retirements(self, client_id: str) -> None:
        """End every retiring secret of a client now."""

    async def touch_retirement(self, client_id: str, kept: str) -> None:
        """Note that the retiring secret with the hash `kept` was used now.

        The lifetime of one that was retired more than a day ahead of now counts from now.
        """

    async def connect(self, connections: Sequence[Connection]) -> int:
        """Write the connections that are not there yet.

        Returns:
            How many were not.
        """

    async def disconnect(self, connections: Sequence[Connection]) -> None:
        """Remove those of `connections` that are there."""

    async def disconnect_channel(self, channel_id: str) -> None:
        """Remove every connection of a channel, in any domain."""

    async def append(self, events: Sequence[Event]) -> None:
        """Put `events` at the end of the outbox; past its bounds the oldest ones are dropped and counted.

        Those that do not say when they happened did now.
        """

    async def revoke(self, client_ids: Sequence[str]) -> None:
        """Give a new revision to the fact that these clients lost access; every cached success of theirs is void."""

    async def grant(self) -> None:
        """Say that somebody gained access: no denial remembered from before this commit holds."""


Unit: TypeAlias = Callable[[Transaction], Awaitable[T]]


class RoleStore(Protocol):
    """Roles as they are committed."""

    async def role(self, client_id: str, role_id: str) -> Role | None:
        """The role with this id, if it is one of this client."""

    async def role_held(self, client_id: str, member_id: str) -> Role | None:
        """The role that somebody has on a client; nobody has two."""

    async def roles(self, client_id: str, offset: int, limit: int) -> RolePage:
        """Roles of a client, the oldest first."""

    async def members(self, role: Role, offset: int, limit: int) -> MemberPage:
        """Members of a role, by id."""

    async def memberships(self, client_id: str, wanted: MemberFilter) -> MembershipPage:
        """Those who have a role with an action on a client."""


class OperatorStore(Protocol):
    """Local operators as they are committed: nothing of them is remembered between calls."""

    async def operators(self) -> tuple[LocalOperator, ...]:
        """All of them, by id."""

    async def operator_tokens(self, operator_id: str) -> tuple[OperatorToken, ...]:
        """The tokens of an operator, by name, expired ones included."""

    async def operator_token(self, digests: Sequence[bytes]) -> OperatorToken | None:
        """The token with one of these digests, the newest first, expired or not; found also while it moves to a newer one."""

    async def operator_standing(self, operator_id: str, domain_id: str) -> DomainStanding | None:
        """What an operator is in a domain; None for nothing, or for nobody."""


class OutboxStore(Protocol):
    """The outbox as it is committed."""

    async def outbox(self, after: int, limit: int) -> tuple[tuple[int, Event], ...]:
        """Up to `limit` events behind sequence number `after`, in order, each with its number.

        The numbers of one client's events ascend in the order of its changes.
        """

    async def outbox_state(self) -> OutboxState:
        """What waits and how far it has been sent."""


class Store(RoleStore, OperatorStore, OutboxStore, Protocol):
    """The lasting state. A read shows what was committed when it began; a change goes through `run`."""

    async def run(self, unit: Unit[T]) -> T:
        """Run `unit` in one transaction and return its result once that is durable.

        A raised error means that nothing changed. Its effects in memory have happened before this returns, and happen
        too if the caller has stopped waiting.

        Raises:
            Busy: more changes are waiting than the store queues.
            StorageFull: the disk is full.
            Unavailable: the storage failed.
        """

    def now(self) -> int:
        """The time that counts, in microseconds since 1970 UTC: what rows are stamped with, and expiry is compared with.

        The clock of this host, or of the database server where several processes share one. Only while that is evidently
        wrong, earlier than this program's release, the newest time stored and what has passed since stand in for it. It is
        read for every client that proves itself: this must cost next to nothing.
        """

    async def client(self, client_id: str) -> Client | None:
        """The client with this id, of any domain and status."""

    async def view(self, client_id: str) -> Viewed | None:
        """The client with this id, and when it last proved itself; a power cut may cost what of that was not written yet."""

    async def clients(self, client_ids: Sequence[str]) -> tuple[Client, ...]:
        """Those of `client_ids` that exist, once each, the oldest first."""

    async def page(self, domain_id: str, wanted: ClientFilter, viewer: Viewer | None = None) -> Page:
        """One page of the clients of a domain, and how many there are in all.

        Args:
            domain_id: whose clients.
            wanted: which of them; what it says of roles is about those of `viewer`, and needs one.
            viewer: whose view it is; None for all clients, without roles.

        Raises:
            QueryTimedOut: the time limit for reads was reached.
        """

    async def parent_groups(self, domain_id: str, limit: int) -> tuple[str, ...]:
        """Up to `limit` of the groups that clients of a domain, of any status, have for a parent, each once."""

    async def connections(self, client_id: str) -> tuple[Connection, ...]:
        """The connections of a client, by channel and type."""

    async def secrets_of(self, client_id: str) -> SecretRead:
        """Every secret of a client, expired ones included."""

    async def secrets_by_lookup(self, lookups: Sequence[bytes]) -> SecretRead:
        """Every secret with one of these lookup digests, the newest first, expired ones included.

        A secret that moves to a newer digest meanwhile is found.
        """

    def note_seen(self, client_id: str, /) -> None:
        """Note that a client has proved itself now: in memory, and written now and then. This must cost next to nothing."""

    async def revocations(self, after: int) -> Revocations:
        """Who lost access by a revision behind `after`, in order, and the newest revision in the same snapshot.

        Every revision is one client's, and none is left out but those that are forgotten: of at least the last minute all
        are there. A change that is not visible yet has a newer revision than all that are.
        """

    async def schemes(self, domain_id: str) -> tuple[str, ...]:
        """The argon2 schemes in use by secrets of a domain."""


class EventSink(Protocol):
    """Where events leave to."""

    async def send(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Hand over all of `entries` (stream and JSON) in order, and return once that was acknowledged.

        Raises:
            NotSent: perhaps none of them is there, perhaps some, perhaps all.
        """

    async def close(self) -> None:
        """Hang up."""


class TokenCache(Protocol):
    """Recent answers of `Authenticate`, by token. It holds no token in clear and is bounded."""

    def key(self, token: bytes) -> bytes:
        """What stands for `token` in the other methods; of no use outside this process."""

    def hit(self, key: bytes) -> str | None:
        """The id of the client this token proved to be, if that still holds."""

    def remember(self, key: bytes, client_id: str, revision: int, expires_at: int | None) -> bool:
        """Keep a success found at `revision`, not beyond `expires_at`.

        Returns:
            Whether it still holds: not if the client was revoked since, and nothing is kept then.
        """

    def generation(self) -> int:
        """A number to take before reading, for `deny`."""

    def deny(self, key: bytes, generation: int) -> None:
        """Keep a denial for seconds; not if access was granted to anybody since `generation`."""

    def denied(self, key: bytes) -> bool:
        """Whether this token was denied a moment ago and nobody has gained access since."""


class Proofs(Protocol):
    """Chosen secrets that were found right, for every process on the same store. A proof saves argon2, never the row's read."""

    async def recall(self, token: bytes) -> tuple[str, bytes] | None:
        """Whose token this was found to be, and the tag of that; None where nothing is known."""

    def vouches(self, tag: bytes, token: bytes, client_id: str, kept: str) -> bool:
        """Whether `tag` says, in our own hand, that `token` is right for the client whose secret has the hash `kept`."""

    async def keep(self, token: bytes, client_id: str, kept: str) -> None:
        """Note that `token` is right for the client whose secret has the hash `kept`; if that cannot be done, nothing."""


class Authenticator(Protocol):
    """Who a bearer token belongs to."""

    async def authenticate(self, token: str) -> Identity:
        """The identity behind `token`.

        Raises:
            Unauthenticated: the token is not valid.
            Unavailable: whoever knows cannot be asked.
        """


class Authorizer(Protocol):
    """What callers may do beyond what the roles of clients give; `core.access` asks, once for each operation.

    Only `standing` has to be written: whoever derives from this class has groups that grant nothing, lets clients into
    any group, and takes anybody for a member.
    """

    async def standing(self, session: Session, operation: Operation, client_ids: Sequence[str] = ()) -> Standing:
        """What `session` may do in its domain, as far as `operation` on these clients needs to know.

        Args:
            session: who calls, and where.
            operation: which; as a string it is its name.
            client_ids: clients it is about, if it is about any that exist.

        Raises:
            DomainForbidden: it may do nothing in this domain.
            Forbidden: it may not do this, whatever roles it has.
            Unavailable: whoever knows cannot be asked.
        """

    async def group_actions(self, session: Session, operation: Operation, group_ids: Sequence[str]) -> Mapping[str, Action]:
        """What `session` may do to the clients of these parent groups, as far as `operation` needs to know.

        Asked only where the standing in the domain says `by_group`. A group left out gives nothing.

        Raises:
            Unavailable: whoever knows cannot be asked.
        """
        return {}

    async def admit_to_group(self, session: Session, operation: Operation, group_id: str) -> None:
        """Return if `session` may put clients into a group (`set_child_client`), or take them out (`remove_child_client`).

        Raises:
            Forbidden: it may not.
            Unavailable: whoever knows cannot be asked.
        """
        return

    async def admit_members(self, session: Session, member_ids: Sequence[str]) -> None:
        """Return if all of these may be given roles on clients of the session's domain.

        Raises:
            Forbidden: one may not.
            Unavailable: whoever knows cannot be asked.
        """
        return

    def roles_changed(self) -> None:
        """Roles on some client have changed: what was told before is to be found out anew."""
        return


class Groups(Protocol):
    """Groups that clients may have for a parent, kept by another service."""

    async def group(self, group_id: str) -> Group:
        """The group with this id.

        Raises:
            NotFound: there is none.
            Unavailable: whoever knows cannot be asked.
        """


class Channels(Protocol):
    """Channels kept by another service, with connections of its own."""

    async def forget_client(self, client_id: str) -> None:
        """Remove every connection of a client that is about to be removed; without any nothing happens.

        Raises:
            Unavailable: it cannot be reached, and may or may not have done so.
        """


class Callout(Protocol):
    """Somebody else who may refuse what a caller may do; `core.access` asks, once the caller is known to be allowed to."""

    def wants(self, operation: str) -> bool:
        """Whether it is to be asked about operations of this name (contract 13.1)."""

    async def ask(self, question: Question) -> None:
        """Return if it agrees.

        Raises:
            CalloutRefused: it does not.
            CalloutFailed: it cannot be asked, or gave no answer in time.
        """


class Operators(Protocol):
    """Local operators, for an authenticator that admits them, and the time to judge tokens by. Every answer is as of now."""

    def now(self) -> int:
        """The time that counts (`Store.now`)."""

    async def holder(self, token: str) -> str | None:
        """The id of the operator whose valid token this is."""

    async def standing(self, operator_id: str, domain_id: str) -> DomainStanding | None:
        """What an operator is in a domain; None for nothing, or for nobody."""
