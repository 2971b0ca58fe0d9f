"""`clients.v1.ClientsService` (contract 5): what brokers and other services call."""

import logging
import time
import uuid
from collections.abc import Awaitable
from typing import Any, TypeAlias, TypeVar

import grpc

from edgeclients.core.authentication import Authentication
from edgeclients.core.connections import Connections
from edgeclients.core.entities import Entities
from edgeclients.core.parents import Parents
from edgeclients.errors import DomainError, Internal, row_of, text_of
from edgeclients.model import Client
from edgeclients.ops.metrics import Requests
from edgeclients.rpc._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from edgeclients.rpc._pb.common.v1 import common_pb2

T = TypeVar("T")
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_log = logging.getLogger(__name__)


class ClientsService(clients_pb2_grpc.ClientsServiceServicer):
    """The seven methods.

    Args:
        authentication: of clients.
        entities: clients by id.
        connections: of clients.
        parents: of clients.
        requests: counted here.
    """

    def __init__(
        self,
        authentication: Authentication,
        entities: Entities,
        connections: Connections,
        parents: Parents,
        requests: Requests,
    ) -> None:
        self._authentication = authentication
        self._entities = entities
        self._connections = connections
        self._parents = parents
        self._requests = requests

    async def Authenticate(self, request: Any, context: Context) -> Any:  # noqa: N802, D102
        client_id = await self._answer("Authenticate", context, self._authentication.authenticate(request.token.encode()))
        return clients_pb2.AuthnRes(authenticated=True, id=client_id)

    async def RetrieveEntity(self, request: Any, context: Context) -> Any:  # noqa: N802, D102
        client = await self._answer("RetrieveEntity", context, self._entities.one(request.id))
        return common_pb2.RetrieveEntityRes(entity=_entity(client))

    async def RetrieveEntities(self, request: Any, context: Context) -> Any:  # noqa: N802, D102
        clients = await self._answer("RetrieveEntities", context, self._entities.several(request.ids))
        found = list(map(_entity, clients))
        return common_pb2.RetrieveEntitiesRes(total=len(found), limit=len(found), offset=0, entities=found)

    async def AddConnections(self, request: Any, context: Context) -> Any:  # noqa: N802, D102
        await self._answer("AddConnections", context, self._connections.add(_connections(request)))
        return common_pb2.AddConnectionsRes(ok=True)

    async def RemoveConnections(self, request: Any, context: Context) -> Any:  # noqa: N802, D102
        await self._answer("RemoveConnections", context, self._connections.drop(_connections(request)))
        return common_pb2.RemoveConnectionsRes(ok=True)

    async def RemoveChannelConnections(self, request: Any, context: Context) -> Any:  # noqa: N802, D102
        work = self._connections.drop_channel(request.channel_id)
        await self._answer("RemoveChannelConnections", context, work)
        return clients_pb2.RemoveChannelConnectionsRes()

    async def UnsetParentGroupFromClient(self, request: Any, context: Context) -> Any:  # noqa: N802, D102
        work = self._parents.forget_group(request.parent_group_id)
        await self._answer("UnsetParentGroupFromClient", context, work)
        return clients_pb2.UnsetParentGroupFromClientRes()

    async def _answer(self, method: str, context: Context, work: Awaitable[T]) -> T:
        """The result of `work`; an error of ours ends the call with its status."""
        started = time.perf_counter()
        code = "OK"
        self._requests.active += 1
        try:
            return await work
        except DomainError as error:
            code = row_of(error).grpc
            await context.abort(grpc.StatusCode[code], text_of(error))
        except Exception:  # noqa: BLE001 - told as INTERNAL, with all of it in the log
            code = row_of(Internal()).grpc
            request_id = str(uuid.uuid4())
            _log.exception("call failed unexpectedly", extra={"method": method, "request_id": request_id})
            await context.abort(grpc.StatusCode[code], f"{text_of(Internal())}, request {request_id}")
        finally:
            self._requests.active -= 1
            self._requests.count(method, code, time.perf_counter() - started)
        raise AssertionError("abort raises")


def _entity(client: Client) -> Any:
    return common_pb2.EntityBasic(
        id=client.id,
        domain_id=client.domain_id,
        parent_group_id=client.parent_group_id or "",
        status=client.status,
    )


def _connections(request: Any) -> list[tuple[str, str, str, int]]:
    return [(c.channel_id, c.domain_id, c.client_id, c.type) for c in request.connections]
