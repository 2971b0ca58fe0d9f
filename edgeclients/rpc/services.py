"""`clients.v1.ClientsService` (schema/README.md#grpc), which brokers and other services call."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from google.protobuf.message import Message

from edgeclients._pb.clients.v1 import clients_pb2
from edgeclients._pb.common.v1 import common_pb2
from edgeclients.core.authn.authentication import Authentication
from edgeclients.core.connections import Connections
from edgeclients.core.entities import Entities
from edgeclients.core.parents import Parents
from edgeclients.lane.calls import Call, Method, Unary
from edgeclients.model import Client
from edgeclients.ops.metrics import Requests
from edgeclients.rpc import authenticate
from edgeclients.rpc.calls import Calls, Work
from edgeclients.rpc.failures import decoded
from edgeclients.rpc.traced import TracedCalls

if TYPE_CHECKING:
    from edgeclients.ops.tracing import Tracing

Answer: TypeAlias = Callable[[Any], Awaitable[Message]]

NAME = clients_pb2.DESCRIPTOR.services_by_name["ClientsService"].full_name


class ClientsService:
    """The seven methods of the service.

    Args:
        authentication: authenticates clients.
        entities: looks up clients by id.
        connections: changes connections of clients.
        parents: changes parent groups of clients.
        requests: metrics of calls.
        tracing: creates spans of calls; None for no spans.
    """

    def __init__(
        self,
        authentication: Authentication,
        entities: Entities,
        connections: Connections,
        parents: Parents,
        requests: Requests,
        tracing: "Tracing | None" = None,
    ) -> None:
        self._authentication = authentication
        self._entities = entities
        self._connections = connections
        self._parents = parents
        self._requests = requests
        self._traced = TracedCalls(NAME, tracing) if tracing is not None else None

    def methods(self, max_active: int) -> dict[str, Method]:
        """The methods, by name.

        Args:
            max_active: maximum number of calls in progress.
        """
        answers: dict[str, tuple[type[Message], Answer]] = {
            "RetrieveEntity": (common_pb2.RetrieveEntityReq, self._retrieve_entity),
            "RetrieveEntities": (common_pb2.RetrieveEntitiesReq, self._retrieve_entities),
            "AddConnections": (common_pb2.AddConnectionsReq, self._add_connections),
            "RemoveConnections": (common_pb2.RemoveConnectionsReq, self._remove_connections),
            "RemoveChannelConnections": (clients_pb2.RemoveChannelConnectionsReq, self._remove_channel_connections),
            "UnsetParentGroupFromClient": (clients_pb2.UnsetParentGroupFromClientReq, self._unset_parent_group),
        }
        calls, traced = Calls(self._requests, max_active), self._traced
        methods: dict[str, Unary] = {
            name: calls.unary(name, _on_bytes(kind, answer)) for name, (kind, answer) in answers.items()
        }
        if traced is not None:
            methods = {name: traced.unary(name, unary) for name, unary in methods.items()}
        return {**methods, authenticate.NAME: authenticate.method(calls, self._authentication, traced)}

    async def _retrieve_entity(self, request: common_pb2.RetrieveEntityReq) -> Message:
        return common_pb2.RetrieveEntityRes(entity=_entity(await self._entities.one(request.id)))

    async def _retrieve_entities(self, request: common_pb2.RetrieveEntitiesReq) -> Message:
        found = [_entity(client) for client in await self._entities.several(request.ids)]
        return common_pb2.RetrieveEntitiesRes(total=len(found), limit=len(found), offset=0, entities=found)

    async def _add_connections(self, request: common_pb2.AddConnectionsReq) -> Message:
        await self._connections.add(_connections(request))
        return common_pb2.AddConnectionsRes(ok=True)

    async def _remove_connections(self, request: common_pb2.RemoveConnectionsReq) -> Message:
        await self._connections.drop(_connections(request))
        return common_pb2.RemoveConnectionsRes(ok=True)

    async def _remove_channel_connections(self, request: clients_pb2.RemoveChannelConnectionsReq) -> Message:
        await self._connections.drop_channel(request.channel_id)
        return clients_pb2.RemoveChannelConnectionsRes()

    async def _unset_parent_group(self, request: clients_pb2.UnsetParentGroupFromClientReq) -> Message:
        await self._parents.forget_group(request.parent_group_id)
        return clients_pb2.UnsetParentGroupFromClientRes()


def _on_bytes(kind: type[Message], answer: Answer) -> Work:
    """`answer` on encoded messages."""

    async def work(message: bytes, _: Call) -> bytes:
        return (await answer(decoded(kind, message))).SerializeToString()

    return work


def _entity(client: Client) -> common_pb2.EntityBasic:
    return common_pb2.EntityBasic(
        id=client.id,
        domain_id=client.domain_id,
        parent_group_id=client.parent_group_id or "",
        status=client.status,
    )


def _connections(
    request: common_pb2.AddConnectionsReq | common_pb2.RemoveConnectionsReq,
) -> list[tuple[str, str, str, int]]:
    return [(c.channel_id, c.domain_id, c.client_id, c.type) for c in request.connections]
