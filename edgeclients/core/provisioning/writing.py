"""Writes lines of an import in a transaction."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from msgspec import UNSET, Struct

from edgeclients.core import creation, events, journal
from edgeclients.core.authz.access import admitted
from edgeclients.core.authz.permit import Permit
from edgeclients.core.changes import touched
from edgeclients.core.provisioning.planning import OF_LINES, Change, Key, change, key_of, refused
from edgeclients.core.provisioning.record import BadLine, Record, bad_line
from edgeclients.core.provisioning.summary import CREATED, FAILED, UNCHANGED, UPDATED
from edgeclients.errors import Forbidden, NotFound
from edgeclients.model import Client, Connection, ConnectionType, Event, JournalEntry, NewClient, Session, StoredSecret
from edgeclients.operations import Operation
from edgeclients.ports import Transaction


class Prepared(Struct):
    """A line to be written: with the client that it creates if there is none yet, and the stored form of its secret.

    `made`: whether the secret is made for the line; else it is the line's. `permits` is what the caller may do to the client
    that exists; None if nobody has to be asked about single clients. `leaves` is the parent group that it was asked about then.
    """

    record: Record
    client: Client
    stored: StoredSecret
    made: bool
    permits: Mapping[Operation, Permit] | None = None
    leaves: str = ""


class Plan(NamedTuple):
    """What a line would do to a client that exists."""

    client: Client
    operations: tuple[Operation, ...]


class TooManySecretsError(Exception):
    """The line with this number has to make one secret more than may be made."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class Done(Struct, frozen=True):
    """What became of a line: `outcome` is `created`, `updated` or `unchanged`.

    `holds_made`: whether the client has the secret that was made for the line, by this run or one before it.
    """

    line: int
    outcome: str
    client: Client
    holds_made: bool = False


def outcome_of(line: Done | BadLine) -> str:
    """What became of a line, in a word."""
    return line.outcome if isinstance(line, Done) else FAILED


_ENTRIES = {
    Operation.CONNECT: journal.CONNECT,
    Operation.DISCONNECT: journal.DISCONNECT,
    Operation.SET_PARENT_GROUP: journal.SET_PARENT,
    Operation.REMOVE_PARENT_GROUP: journal.REMOVE_PARENT,
}


class Writing:
    """Writes lines in one transaction.

    Args:
        tx: the transaction.
        session: the caller.
        key: what says which client a line is about; None: each line creates one.
        everything: what the caller may do to every client, by operation, where `Prepared.permits` is None.
        most_secrets: how many secrets may be made here.
    """

    def __init__(
        self,
        tx: Transaction,
        session: Session,
        key: Key | None,
        everything: Mapping[Operation, Permit],
        most_secrets: int,
    ) -> None:
        self._tx = tx
        self._session = session
        self._key = key
        self._everything = everything
        self._most_secrets = most_secrets
        self._events: list[Event] = []
        self.changes: list[JournalEntry] = []
        """What to record of each client that was changed."""
        self._revoked: list[str] = []
        self._granted = False

    async def write(self, lines: Sequence[Prepared]) -> list[Done | BadLine]:
        """Write these lines.

        Raises:
            IdTaken, ExternalIdTaken, SecretTaken: another client has what a line says.
            TooManySecretsError: a line would make one secret too many.
        """
        existing = await self._existing([one.record for one in lines])
        outcomes: list[Done | BadLine] = []
        new: list[tuple[Prepared, NewClient]] = []
        for one in lines:
            found = existing.get(key_of(one.record, self._key), []) if self._key else []
            if len(found) > 1:
                outcomes.append(_ambiguous(one.record, found))
            elif found:
                outcomes.append(await self._update(one, found[0]))
            else:
                self._count_secret(one)
                new.append((one, creation.new_client(self._session, one.client, one.stored)))
                outcomes.append(Done(one.record.line, CREATED, one.client, one.made))
        await self._create(new)
        if self._revoked:
            await self._tx.revoke(self._revoked)
        if self._granted:
            await self._tx.grant()
        await self._tx.append(self._events)
        return outcomes

    async def plans(self, lines: Sequence[Prepared]) -> dict[int, Plan]:
        """What would be done to clients that exist, by line. Nothing is written."""
        existing = await self._existing([one.record for one in lines])
        found = {}
        for one in lines:
            clients = existing.get(key_of(one.record, self._key), []) if self._key else []
            if len(clients) == 1:
                try:
                    wanted = change(one.record, clients[0])
                except OF_LINES:
                    continue  # it is refused when it is written
                lost, gained = await self._moved(one.record, clients[0])
                rotates = await self._rotates(one, clients[0])
                operations = _operations(wanted, rotates=rotates, lost=lost, gained=gained)
                found[one.record.line] = Plan(clients[0], operations)
        return found

    def _count_secret(self, one: Prepared) -> None:
        if one.made:
            self._most_secrets -= 1
            if self._most_secrets < 0:
                raise TooManySecretsError(one.record.line)

    async def _existing(self, records: Sequence[Record]) -> Mapping[str, list[Client]]:
        """The clients that the lines are about, by the value of the key."""
        values = [value for record in records if self._key and (value := key_of(record, self._key))]
        domain_id = self._session.domain_id
        if self._key is Key.ID:
            found = await self._tx.clients(values)
            return {client.id: [client] for client in found.values() if client.domain_id == domain_id}
        if self._key is Key.EXTERNAL_ID:
            return {client.external_id: [client] for client in await self._tx.clients_with_external_ids(domain_id, values)}
        by_name: dict[str, list[Client]] = {}
        if self._key is Key.NAME:
            for client in await self._tx.clients_named(domain_id, values):
                by_name.setdefault(client.name, []).append(client)
        return by_name

    async def _create(self, new: Sequence[tuple[Prepared, NewClient]]) -> None:
        if not new:
            return
        await self._tx.insert([one for _, one in new])
        self._granted = True
        for prepared, one in new:
            self._events.append(events.created(self._session, one))
            self.changes.append(journal.short(self._session, journal.CREATE, one.client.id))
            if prepared.record.channels:
                await self._tx.connect(self._connections(one.client, prepared.record.channels))

    async def _update(self, one: Prepared, client: Client) -> Done | BadLine:
        """Write what a line changes: all of it, or nothing if the line is refused."""
        record = one.record
        try:
            wanted = change(record, client)
            rotates = await self._rotates(one, client)
            lost, gained = await self._moved(record, client)
            operations = _operations(wanted, rotates=rotates, lost=lost, gained=gained)
            for operation in operations:
                await self._admit(one, operation, client)
        except NotFound:
            return bad_line(record.line, "", "", "was changed by somebody else meanwhile: import it again")
        except OF_LINES as error:
            return refused(record, error)
        holds_made = one.made and record.generated is not None and await self._holds(one, client)
        if not operations:
            return Done(record.line, UNCHANGED, client, holds_made)
        new = touched(wanted.new, self._tx, self._session) if wanted.operations or rotates else client
        if new is not client:
            await self._tx.replace(client, new, wanted.metadata)
        if rotates:
            await self._tx.set_secret(client, one.stored)
            await self._tx.drop_retirements(client.id)
        await self._tx.disconnect(lost)
        await self._tx.connect(gained)
        self._events += [event for operation in operations for event in self._told(operation, client, new)]
        self.changes += [journal.short(self._session, _ENTRIES.get(one, f"client.{one}"), client.id) for one in operations]
        self._note_access(operations, client)
        return Done(record.line, UPDATED, new, holds_made)

    async def _admit(self, one: Prepared, operation: Operation, client: Client) -> None:
        permits = self._everything if one.permits is None else one.permits
        if (permit := permits.get(operation)) is None:
            raise Forbidden if one.permits is None else NotFound  # it was asked about what the line was to do before
        if operation is Operation.REMOVE_PARENT_GROUP and one.permits is not None and client.parent_group_id != one.leaves:
            raise NotFound  # as above
        await admitted(self._tx, permit, client.id)

    async def _rotates(self, one: Prepared, client: Client) -> bool:
        """Whether a line has another secret than its client."""
        return not one.made and not await self._holds(one, client)

    async def _holds(self, one: Prepared, client: Client) -> bool:
        """Whether a client has the secret of its line."""
        return (await self._tx.secret(client.id)).hash == one.stored.hash

    async def _moved(self, record: Record, client: Client) -> tuple[list[Connection], list[Connection]]:
        """The connections that a line ends, and those that it makes."""
        if record.channels is UNSET:
            return [], []
        have = {(each.channel_id, each.type) for each in await self._tx.connections(client.id)}
        return (
            self._connections(client, have - record.channels),
            self._connections(client, record.channels - have),
        )

    def _connections(self, client: Client, wanted: AbstractSet[tuple[str, ConnectionType]]) -> list[Connection]:
        return [Connection(channel, self._session.domain_id, client.id, kind) for channel, kind in sorted(wanted)]

    def _told(self, operation: Operation, old: Client, new: Client) -> list[Event]:
        """The events of an operation; connections have none."""
        if operation in {Operation.CONNECT, Operation.DISCONNECT}:
            return []
        if operation in {Operation.ENABLE, Operation.DISABLE}:
            return [events.switched(self._session, f"client.{operation}", new)]
        if operation is Operation.SET_PARENT_GROUP:
            return [events.parent_set(self._session, new.id, new.parent_group_id or "")]
        if operation is Operation.REMOVE_PARENT_GROUP:
            return [events.parent_removed(self._session, old.id)]
        return [events.updated(self._session, f"client.{operation}", new)]

    def _note_access(self, operations: Sequence[Operation], client: Client) -> None:
        if Operation.DISABLE in operations or Operation.UPDATE_SECRET in operations:
            self._revoked.append(client.id)
        if Operation.ENABLE in operations or Operation.UPDATE_SECRET in operations:
            self._granted = True


def _operations(
    wanted: Change, *, rotates: bool, lost: Sequence[Connection], gained: Sequence[Connection]
) -> tuple[Operation, ...]:
    more = {Operation.UPDATE_SECRET: rotates, Operation.DISCONNECT: bool(lost), Operation.CONNECT: bool(gained)}
    return (*wanted.operations, *(operation for operation, done in more.items() if done))


def _ambiguous(record: Record, found: Sequence[Client]) -> BadLine:
    ids = ", ".join(client.id for client in found[:3])
    return bad_line(record.line, "name", found[0].name, f"is the name of several clients: {ids}")
