"""The interfaces that the use cases require. These docstrings are the contract; `tests/conformance` verifies it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias, TypeVar

from edgeclients.model import (
    Action,
    Client,
    ClientFilter,
    Connection,
    DomainStanding,
    Event,
    Exported,
    Gap,
    Group,
    Identity,
    ImportProgress,
    JournalEntry,
    JournalFilter,
    JournalPage,
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
    RetiringPlace,
    RetiringSecret,
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
    """The operations of a unit of work on roles. Their client exists."""

    async def role(self, client_id: str, role_id: str) -> Role | None:
        """The role with this id, if it belongs to this client."""

    async def role_held(self, client_id: str, member_id: str) -> Role | None:
        """The role of a member on a client; a member has at most one."""

    async def roles_held(self, client_id: str, member_ids: Sequence[str]) -> dict[str, str]:
        """The id of each member's role on a client, by member id; members without a role are left out."""

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
        """Write `new` in place of `old`, which this transaction has read and which has the same id and client.

        Raises:
            RoleNameTaken: the client has another role of this name.
        """

    async def remove_role(self, role: Role) -> None:
        """Remove a role with its memberships."""

    async def add_members(self, role: Role, member_ids: Sequence[str]) -> None:
        """Add members to a role; none of them has a role on the client."""

    async def remove_members(self, role: Role, member_ids: Sequence[str] | None) -> tuple[str, ...]:
        """End the membership of these members, or of all members with None.

        Returns:
            The ids that were members.
        """


class OperatorTransaction(Protocol):
    """The operations of a unit of work on local operators."""

    async def operator(self, operator_id: str) -> LocalOperator | None:
        """The operator with this id."""

    async def put_operator(self, operator: LocalOperator) -> None:
        """Write an operator, replacing one with the same id; its tokens stay."""

    async def remove_operator(self, operator_id: str) -> None:
        """Remove an operator with all its tokens."""

    async def leave_roles(self, member_id: str, by: str) -> tuple[Role, ...]:
        """End every membership of `member_id`, on any client; the user `by` counts as having changed those roles now.

        Returns:
            The roles as they were before.
        """

    async def count_operator_tokens(self, operator_id: str) -> int:
        """How many tokens an operator has, expired ones included."""

    async def add_operator_token(self, token: OperatorToken) -> None:
        """Write a token of an operator that exists.

        Raises:
            TokenNameTaken: the operator has a token of this name.
        """

    async def remove_operator_token(self, operator_id: str, name: str) -> bool:
        """Remove a token.

        Returns:
            Whether it existed.
        """

    async def touch_operator_token(self, old: OperatorToken, digest: bytes, key_id: str) -> None:
        """Record that a token was used now, and replace its digest; does nothing if the token was removed.

        If it was created more than a day in the future, its lifetime counts from now.
        """


class OutboxTransaction(Protocol):
    """The operations of a unit of work on the outbox, in addition to `append`."""

    async def lease_outbox(self, owner: str, seconds: int) -> bool:
        """Take or renew the lease of `owner` for `seconds` from now on. No other owner may send meanwhile.

        Returns:
            Whether `owner` has the lease: False while another owner has it.
        """

    async def release_outbox(self, owner: str) -> None:
        """End the lease of `owner` now, if that is the current one."""

    async def remove_sent(self, numbers: Sequence[int], gap: Gap | None = None) -> None:
        """Delete the events with these sequence numbers, which were sent, and record that `gap` was reported.

        Events in `numbers` that were dropped meanwhile no longer count as dropped. Only the owner of the lease may call this.
        """


class ImportTransaction(Protocol):
    """The operations of a unit of work on what is known of imports of files, by the files' SHA-256."""

    async def import_progress(self, domain_id: str, source: str) -> ImportProgress:
        """How far a file was imported into a domain."""

    async def note_import(self, domain_id: str, source: str, progress: ImportProgress) -> None:
        """Record how far it is imported with this transaction."""


class JournalTransaction(Protocol):
    """The operations of a unit of work on the journal."""

    async def record(self, entries: Sequence[JournalEntry]) -> int:
        """Add entries to the journal, at least one, as of now; beyond the bounds of its rings the oldest are dropped.

        Returns:
            The number of the first entry, for `amend`.
        """

    async def amend(self, number: int, entry: JournalEntry) -> bool:
        """Give the entry with this number, which is in the same ring, the attributes of `entry`; its time stays.

        Returns:
            Whether the journal still has it.
        """


class Transaction(RoleTransaction, OperatorTransaction, OutboxTransaction, ImportTransaction, JournalTransaction, Protocol):
    """The operations of a unit of work. Nothing of it is visible to others before the store has committed.

    A unit awaits only these methods, and keeps no reference to its transaction.
    """

    now: int
    """The store's time when the unit started (`Store.now`)."""

    async def client(self, client_id: str) -> Client | None:
        """The current client, locked against changes until the transaction ends."""

    async def clients(self, client_ids: Iterable[str]) -> dict[str, Client]:
        """The clients of `client_ids` that exist, by id, locked against changes until the transaction ends."""

    async def clients_with_external_ids(self, domain_id: str, external_ids: Sequence[str]) -> list[Client]:
        """The clients of a domain with these external ids, locked against changes until the transaction ends."""

    async def clients_named(self, domain_id: str, names: Sequence[str]) -> list[Client]:
        """The clients of a domain with these names, of any status, locked against changes until the transaction ends."""

    async def insert(self, clients: Sequence[NewClient]) -> None:
        """Write all of `clients` with their roles.

        Raises:
            SecretTaken: a secret is in use, current or retiring, by another client of its domain, or twice in `clients`.
            IdTaken: an id exists, in any domain, or twice in `clients`.
            ExternalIdTaken: an external id exists in its domain, or twice in `clients`.
        """

    async def replace(self, old: Client, new: Client, metadata: Mapping[str, Any] | None = None) -> None:
        """Write `new` in place of `old`, which this transaction has read; the secret stays.

        Args:
            old: the row as read.
            new: the new row, with the same id, domain and time of creation.
            metadata: the decoded `new.metadata`, if it has changed.

        Raises:
            ExternalIdTaken: another client of the domain has the external id of `new`.
        """

    async def remove(self, client: Client) -> None:
        """Remove a client that this transaction has read, with its secrets, tags, roles and connections."""

    async def unset_parent_group(self, group_id: str) -> dict[str, str]:
        """Clear the parent group of every client that has this one, in any domain and status. Nothing else changes.

        Returns:
            The domains of these clients, by client id.
        """

    async def domains(self, client_ids: Sequence[str]) -> dict[str, str]:
        """The domains of those of these clients that exist, by client id."""

    async def secret(self, client_id: str) -> StoredSecret:
        """The current secret of a client that this transaction has read."""

    async def set_secret(self, client: Client, secret: StoredSecret) -> None:
        """Make `secret` the current secret of `client`; if it was retiring there, it no longer is.

        Raises:
            SecretTaken: another client of the domain uses it, current or retiring.
        """

    async def retirements(self, client_id: str) -> tuple[Retirement, ...]:
        """The retiring secrets of a client that have not expired, in the order of expiry."""

    async def retire(self, client: Client, retirement: Retirement) -> None:
        """Keep a secret of `client` that was just replaced valid until it expires."""

    async def drop_retirements(self, client_id: str) -> None:
        """End every retiring secret of a client now."""

    async def touch_retirement(self, client_id: str, kept: str) -> None:
        """Record that the retiring secret with the hash `kept` was used now.

        If it was retired more than a day in the future, its lifetime counts from now.
        """

    async def connections(self, client_id: str) -> list[Connection]:
        """The connections of a client that this transaction has read."""

    async def connect(self, connections: Sequence[Connection]) -> list[Connection]:
        """Write the connections that do not exist yet.

        Returns:
            Those that were written.
        """

    async def disconnect(self, connections: Sequence[Connection]) -> list[Connection]:
        """Remove those of `connections` that exist.

        Returns:
            Those that were removed.
        """

    async def disconnect_channel(self, channel_id: str) -> list[Connection]:
        """Remove every connection of a channel, in any domain.

        Returns:
            Those that were removed.
        """

    async def append(self, events: Sequence[Event]) -> None:
        """Append `events` to the outbox; beyond its bounds the oldest events are dropped and counted.

        Events without a time happened now.
        """

    async def revoke(self, client_ids: Sequence[str]) -> None:
        """Revoke the access of these clients, each under a new revision: every cached success of theirs becomes invalid."""

    async def grant(self) -> None:
        """Record that a client gained access: denials cached before this commit become invalid."""


Unit: TypeAlias = Callable[[Transaction], Awaitable[T]]


class RoleStore(Protocol):
    """Committed roles."""

    async def role(self, client_id: str, role_id: str) -> Role | None:
        """The role with this id, if it belongs to this client."""

    async def role_held(self, client_id: str, member_id: str) -> Role | None:
        """The role of a member on a client; a member has at most one."""

    async def roles(self, client_id: str, offset: int, limit: int) -> RolePage:
        """Roles of a client, the oldest first."""

    async def members(self, role: Role, offset: int, limit: int) -> MemberPage:
        """Members of a role, by id."""

    async def memberships(self, client_id: str, wanted: MemberFilter) -> MembershipPage:
        """The members that have a role with an action on a client."""


class OperatorStore(Protocol):
    """Committed local operators. Nothing is cached between calls."""

    async def operators(self) -> tuple[LocalOperator, ...]:
        """All operators, by id."""

    async def operator_tokens(self, operator_id: str) -> tuple[OperatorToken, ...]:
        """The tokens of an operator, by name, expired ones included."""

    async def operator_token(self, digests: Sequence[bytes]) -> OperatorToken | None:
        """The token with one of these digests, the newest first, expired or not; found also while its digest is replaced."""

    async def operator_standing(self, operator_id: str, domain_id: str) -> DomainStanding | None:
        """The standing of an operator in a domain; None without a standing or for an unknown operator."""


class OutboxStore(Protocol):
    """The committed outbox."""

    async def outbox(self, after: int, limit: int) -> tuple[tuple[int, Event], ...]:
        """Up to `limit` events after the sequence number `after`, in order, each with its number.

        The numbers of one client's events ascend in the order of its changes.
        """

    async def outbox_state(self) -> OutboxState:
        """The waiting events, and how far the outbox has been sent."""


class Snapshot(Protocol):
    """All clients of a domain, as they were at one moment."""

    def clients(self) -> AsyncGenerator[Sequence[Exported], None]:
        """The clients in the order of a key, some at a time; may be called several times. Deleted ones are left out."""


class Store(RoleStore, OperatorStore, OutboxStore, Protocol):
    """The persistent state. A read shows what was committed when it started; changes are made by `run`."""

    async def run(self, unit: Unit[T]) -> T:
        """Run `unit` in one transaction and return its result once it is durable.

        A raised error means that nothing changed. Effects in memory are applied before this returns, even if the caller no
        longer waits.

        Raises:
            Busy: more changes are waiting than the store queues.
            StorageFull: the disk is full.
            Unavailable: the storage failed.
        """

    def now(self) -> int:
        """The time for stamping rows and for checking expiry, in microseconds since 1970 UTC.

        It is the clock of this host, or of the database server if several processes share one. A clock that is earlier than
        this program's release is evidently wrong: the newest stored time plus the time elapsed since replaces it. Called for
        every authentication: must cost next to nothing.
        """

    async def client(self, client_id: str) -> Client | None:
        """The client with this id, of any domain and status."""

    async def view(self, client_id: str) -> Viewed | None:
        """The client with this id and when it last authenticated; a power cut may lose times not written yet."""

    async def clients(self, client_ids: Sequence[str]) -> tuple[Client, ...]:
        """The clients of `client_ids` that exist, each once, the oldest first."""

    async def page(self, domain_id: str, wanted: ClientFilter, viewer: Viewer | None = None) -> Page:
        """One page of the clients of a domain, with their total count.

        Args:
            domain_id: the domain of the clients.
            wanted: the filter; its role criteria are about the roles of `viewer`, and require one.
            viewer: the user whose view it is; None for all clients, without roles.

        Raises:
            QueryTimedOut: the time limit for reads was reached.
        """

    def snapshot(self, domain_id: str) -> AbstractAsyncContextManager[Snapshot]:
        """The clients of a domain, as they are when the context is entered. Nothing waits for it, however long it takes.

        Raises:
            Unavailable: the storage failed.
        """

    async def parent_groups(self, domain_id: str, limit: int) -> tuple[str, ...]:
        """Up to `limit` different parent groups of a domain's clients of any status."""

    async def connections(self, client_id: str) -> tuple[Connection, ...]:
        """The connections of a client, by channel and type."""

    async def secrets_of(self, client_id: str) -> SecretRead:
        """Every secret of a client, expired ones included."""

    async def secrets_by_lookup(self, lookups: Sequence[bytes]) -> SecretRead:
        """Every secret with one of these lookup digests, the newest first, expired ones included.

        A secret whose digest is replaced meanwhile is found.
        """

    def secrets_of_at_once(self, client_id: str, /) -> SecretRead | None:
        """The result of `secrets_of`, if that needs no waiting; else None."""

    def secrets_by_lookup_at_once(self, lookups: Sequence[bytes], /) -> SecretRead | None:
        """The result of `secrets_by_lookup`, if that needs no waiting; else None."""

    async def retiring(self, domain_id: str, after: RetiringPlace, limit: int) -> tuple[RetiringSecret, ...]:
        """Up to `limit` retiring secrets of a domain behind a place, in the order of places; the cost grows with `limit` only.

        Some may have expired.
        """

    async def retiring_of(self, client_id: str) -> tuple[RetiringSecret, ...]:
        """The retiring secrets of a client, in the order of expiry; some may have expired."""

    def note_seen(self, client_id: str, /) -> None:
        """Record in memory that a client authenticated now; written periodically. Must cost next to nothing."""

    def note_denied(self, client_id: str, /) -> None:
        """Count in memory that a login was denied now, of the client with this id if there is one; "" where none is named.

        Written periodically, for the journal. Must cost next to nothing, and the same whether there is such a client.
        """

    async def journal(self, wanted: JournalFilter) -> JournalPage:
        """One page of the journal, in the order in which entries were recorded.

        Denied logins are included: `client.denied`, one entry for an hour and client, where the first of them was seen.

        Raises:
            QueryTimedOut: the time limit for reads was reached.
        """

    async def revocations(self, after: int) -> Revocations:
        """The revocations with a revision greater than `after`, in order, and the newest revision in the same snapshot.

        Every revision belongs to one client. Old ones are deleted, but those of the last minute at least are complete. A
        change that is not visible yet has a newer revision than every visible one.
        """

    async def schemes(self, domain_id: str) -> tuple[str, ...]:
        """The argon2 schemes in use by secrets of a domain."""


class EventSink(Protocol):
    """The destination of events."""

    async def send(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Send all of `entries` (stream and JSON) in order, and return once they were acknowledged.

        Raises:
            NotSent: none, some or all of them may have arrived.
        """

    async def close(self) -> None:
        """Close the connection."""


class TokenCache(Protocol):
    """Recent results of `Authenticate`, by token. It holds no token in clear and is bounded."""

    def key(self, token: bytes) -> bytes:
        """The key of `token` for the other methods; useless outside this process."""

    def hit(self, key: bytes) -> str | None:
        """The id of the client that this token belongs to, if that is cached and still valid."""

    def remember(self, key: bytes, client_id: str, revision: int, expires_at: int | None) -> bool:
        """Cache a success found at `revision`, until `expires_at` at the latest.

        Returns:
            Whether it is still valid: if the client was revoked since, it is not, and nothing is cached.
        """

    def generation(self) -> int:
        """The current generation, to be read before the store is read, for `deny`."""

    def deny(self, key: bytes, generation: int) -> None:
        """Cache a denial for seconds, unless any client gained access since `generation`."""

    def denied(self, key: bytes) -> bool:
        """Whether this token was denied a moment ago and no client has gained access since."""


class Proofs(Protocol):
    """Verified chosen secrets, shared by every process on the same store. A proof saves argon2, but not reading the row."""

    async def recall(self, token: bytes) -> tuple[str, bytes] | None:
        """The id of the client that this token was verified for, and the proof's tag; None if there is no proof."""

    def vouches(self, tag: bytes, token: bytes, client_id: str, stored_hash: str) -> bool:
        """Whether `tag` was made with our key for `token` and the client whose secret has the hash `stored_hash`."""

    async def keep(self, token: bytes, client_id: str, stored_hash: str) -> None:
        """Store that `token` was verified for the client whose secret has the hash `stored_hash`; failures are ignored."""


class Authenticator(Protocol):
    """Identifies the owner of a bearer token."""

    async def authenticate(self, token: str) -> Identity:
        """The identity of the owner of `token`.

        Raises:
            Unauthenticated: the token is not valid.
            Unavailable: the service that can verify it is unavailable.
        """


class Authorizer(Protocol):
    """What callers may do in addition to the roles of clients; `core.authz.access` asks once for each operation.

    Only `standing` must be implemented. By default groups grant nothing, clients may join any group, and every user
    counts as a member of the domain.
    """

    async def standing(self, session: Session, operation: Operation, client_ids: Sequence[str] = ()) -> Standing:
        """What `session` may do in its domain, as far as `operation` on these clients requires.

        Args:
            session: the caller and the domain.
            operation: the operation; as a string it is its name.
            client_ids: the existing clients that it is about, if any.

        Raises:
            DomainForbidden: the caller may do nothing in this domain.
            Forbidden: the caller may not do this, whatever roles it has.
            Unavailable: the service that decides is unavailable.
        """

    async def group_actions(self, session: Session, operation: Operation, group_ids: Sequence[str]) -> Mapping[str, Action]:
        """What `session` may do to the clients of these parent groups, as far as `operation` requires.

        Called only if the standing in the domain says `by_group`. A group that is left out grants nothing.

        Raises:
            Unavailable: the service that decides is unavailable.
        """
        return {}

    async def admit_to_group(self, session: Session, operation: Operation, group_id: str) -> None:
        """Return if `session` may add clients to a group (`set_child_client`), or remove them (`remove_child_client`).

        Raises:
            Forbidden: the caller may not.
            Unavailable: the service that decides is unavailable.
        """
        return

    async def admit_members(self, session: Session, member_ids: Sequence[str]) -> None:
        """Return if all of these users may get roles on clients of the session's domain.

        Raises:
            Forbidden: at least one of them may not.
            Unavailable: the service that decides is unavailable.
        """
        return

    def roles_changed(self) -> None:
        """Drop cached answers: roles on some client have changed."""
        return


class Groups(Protocol):
    """Parent groups of clients, kept by another service."""

    async def group(self, group_id: str) -> Group:
        """The group with this id.

        Raises:
            NotFound: there is no such group.
            Unavailable: the service is unavailable.
        """


class Channels(Protocol):
    """Channels kept by another service, which stores connections too."""

    async def forget_client(self, client_id: str) -> None:
        """Remove every connection of a client that is about to be removed; does nothing if there is none.

        Raises:
            Unavailable: the service is unavailable; it may or may not have removed them.
        """


class Callout(Protocol):
    """An external service that may refuse operations; `core.authz.access` asks it once the caller is authorised."""

    def wants(self, operation: str) -> bool:
        """Whether the callout is to be asked about operations of this name (schema/README.md#callouts)."""

    async def ask(self, question: Question) -> None:
        """Return if the callout agrees.

        Raises:
            CalloutRefused: it refuses.
            CalloutFailed: it is unavailable, or gave no answer in time.
        """


class Operators(Protocol):
    """Local operators for an authenticator that accepts them, and the time to check tokens by. Nothing is cached."""

    def now(self) -> int:
        """The time for checking expiry (`Store.now`)."""

    async def holder(self, token: str) -> str | None:
        """The id of the operator that this token belongs to, if the token is valid."""

    async def standing(self, operator_id: str, domain_id: str) -> DomainStanding | None:
        """The standing of an operator in a domain; None without a standing or for an unknown operator."""
