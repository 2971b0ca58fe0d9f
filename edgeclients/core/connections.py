"""Connections: which client may publish or subscribe on which channel.

See schema/README.md#connections, schema/README.md#grpc-connections.
"""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from edgeclients.core import journal, limits
from edgeclients.core.authz.access import Access, admitted
from edgeclients.core.authz.permit import Permit
from edgeclients.core.rules import check_id, check_text
from edgeclients.errors import (
    AlreadyConnected,
    ClientNotEnabled,
    EmptyList,
    InvalidConnectionType,
    MalformedRequest,
    MissingChannelId,
    MissingConnectionType,
    MissingId,
    NotFound,
    TooManyElements,
)
from edgeclients.model import Client, Connection, ConnectionType, JournalEntry, Session, Status
from edgeclients.operations import Operation
from edgeclients.ports import Store, Transaction

_ID_CHARACTERS = 36


class Connections:
    """The use cases of connections.

    Args:
        store: the connections.
        access: checks permissions.
    """

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    async def connect(
        self, session: Session, channel_ids: Sequence[str], client_ids: Sequence[str], types: Sequence[ConnectionType]
    ) -> None:
        """Connect every client to every channel with every type given, or nothing.

        Raises:
            MissingId, MissingChannelId, MissingConnectionType, InvalidId, TooManyElements: the arguments are not valid.
            NotFound: a client is not in this domain.
            ClientNotEnabled: a client is disabled.
            AlreadyConnected: one of the connections exists.
        """
        wanted = _combine(session, channel_ids, client_ids, types)
        permit = await self._access.permit(session, Operation.CONNECT, *client_ids, **_details(channel_ids, types))

        async def unit(tx: Transaction) -> None:
            for client in await _admitted(tx, permit, client_ids):
                if client.status != Status.ENABLED:
                    raise ClientNotEnabled
            if len(await tx.connect(wanted)) < len(wanted):
                raise AlreadyConnected
            await tx.record(_entries(session, journal.CONNECT, wanted))

        await self._store.run(unit)

    async def disconnect(
        self, session: Session, channel_ids: Sequence[str], client_ids: Sequence[str], types: Sequence[ConnectionType]
    ) -> None:
        """Remove the connections of every client, channel and type given; those that do not exist are ignored.

        Raises:
            MissingId, MissingChannelId, MissingConnectionType, InvalidId, TooManyElements: the arguments are not valid.
            NotFound: a client is not in this domain.
        """
        wanted = _combine(session, channel_ids, client_ids, types)
        permit = await self._access.permit(session, Operation.DISCONNECT, *client_ids, **_details(channel_ids, types))

        async def unit(tx: Transaction) -> None:
            await _admitted(tx, permit, client_ids)
            if removed := await tx.disconnect(wanted):
                await tx.record(_entries(session, journal.DISCONNECT, removed))

        await self._store.run(unit)

    # The following methods are for services, which do not authenticate (schema/README.md#grpc).

    async def add(self, connections: Sequence[tuple[str, str, str, int]]) -> None:
        """Write connections given as (channel, domain, client, type); existing ones are ignored.

        Raises:
            EmptyList, TooManyElements, MalformedRequest, InvalidConnectionType: the connections are not valid.
            NotFound: a client is not in the domain given with it.
        """
        if not connections:
            raise EmptyList
        wanted = _checked(connections)

        async def unit(tx: Transaction) -> None:
            found = await tx.clients({connection.client_id for connection in wanted})
            for connection in wanted:
                client = found.get(connection.client_id)
                if client is None or client.domain_id != connection.domain_id:
                    raise NotFound
            if added := await tx.connect(wanted):
                await tx.record(_of_service(journal.CONNECT, added))

        await self._store.run(unit)

    async def drop(self, connections: Sequence[tuple[str, str, str, int]]) -> None:
        """Remove connections given as (channel, domain, client, type); those that do not exist are ignored.

        Raises:
            TooManyElements, MalformedRequest, InvalidConnectionType: the connections are not valid.
        """
        wanted = _checked(connections)

        async def unit(tx: Transaction) -> None:
            if removed := await tx.disconnect(wanted):
                await tx.record(_of_service(journal.DISCONNECT, removed))

        if wanted:
            await self._store.run(unit)

    async def drop_channel(self, channel_id: str) -> None:
        """Remove every connection of a removed channel."""
        check_text(channel_id)

        async def unit(tx: Transaction) -> None:
            if removed := await tx.disconnect_channel(channel_id):
                await tx.record(_of_service(journal.DISCONNECT, removed))

        if channel_id:
            await self._store.run(unit)


def _combine(
    session: Session, channel_ids: Sequence[str], client_ids: Sequence[str], types: Sequence[ConnectionType]
) -> list[Connection]:
    if not channel_ids or not client_ids:
        raise MissingId
    if not types:
        raise MissingConnectionType
    if not all(text.strip() for text in (*channel_ids, *client_ids)):
        raise MissingChannelId  # for client ids too (schema/README.md#connections)
    for channel_id in channel_ids:
        check_id(channel_id)
    channels, clients, ways = set(channel_ids), set(client_ids), set(types)
    if max(len(channel_ids), len(client_ids), len(types)) > limits.CONNECTIONS:
        raise TooManyElements  # also for repeated ids
    if len(channels) * len(clients) * len(ways) > limits.CONNECTIONS:
        raise TooManyElements
    return [
        Connection(channel_id, session.domain_id, client_id, way)
        for channel_id, client_id, way in product(channels, clients, ways)
    ]


def _details(channel_ids: Sequence[str], types: Sequence[ConnectionType]) -> dict[str, Any]:
    """The details of connections for a callout."""
    return {"channel_ids": channel_ids, "connection_types": [way.name.lower() for way in types]}


async def _admitted(tx: Transaction, permit: Permit, client_ids: Iterable[str]) -> list[Client]:
    """All of these clients, if the caller may do this to each.

    Raises:
        NotFound, Forbidden: see `Permit.admit`; for the first client that fails.
    """
    return [await admitted(tx, permit, client_id) for client_id in dict.fromkeys(client_ids)]


def _checked(connections: Sequence[tuple[str, str, str, int]]) -> list[Connection]:
    if len(connections) > limits.CONNECTIONS:
        raise TooManyElements
    checked = []
    for *ids, number in connections:
        check_text(*ids)
        if any(not 0 < len(text) <= _ID_CHARACTERS for text in ids):
            raise MalformedRequest("id is empty or too long")
        if number not in {1, 2}:
            raise InvalidConnectionType(subject=str(number))
        checked.append(Connection(ids[0], ids[1], ids[2], ConnectionType(number)))
    return checked


def _entries(session: Session, operation: str, connections: Sequence[Connection]) -> list[JournalEntry]:
    """The entries of the journal about connections made or ended."""
    clients = sorted({one.client_id for one in connections})
    return journal.one_or_many(session, operation, clients, **_described(connections))


def _of_service(operation: str, connections: Sequence[Connection]) -> list[JournalEntry]:
    """The same where a service has made or ended them: its calls name no user."""
    by_domain: dict[str, list[Connection]] = {}
    for one in connections:
        by_domain.setdefault(one.domain_id, []).append(one)
    return [
        entry for domain_id, some in by_domain.items() for entry in _entries(journal.service_in(domain_id), operation, some)
    ]


def _described(connections: Sequence[Connection]) -> dict[str, Any]:
    return {
        "connections": len(connections),
        "channel_ids": sorted({one.channel_id for one in connections}),
        "connection_types": sorted({one.type.name.lower() for one in connections}),
    }
