"""`grpc.health.v1.Health`: whether this server, or one of its services, is serving."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from edgeclients.errors import NotFound, Throttled
from edgeclients.rpc.failures import decoded, reporting_failures
from edgeclients.rpc.receiving import Receiving
from edgeclients.rpc.traced import Context

NAME: Final = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
WATCHERS: Final = 256  # of a server; a watcher keeps its call open without a timeout
WATCHERS_EACH: Final = 16  # of one connection

_Response = health_pb2.HealthCheckResponse


class Health:
    """Reports SERVING or NOT_SERVING of its services, and sends each change to watchers.

    Args:
        services: their names; "" is the whole server.
        receiving: receives messages.
    """

    def __init__(self, services: Sequence[str], receiving: Receiving) -> None:
        self._services = tuple(services)
        self._receiving = receiving
        self._status = _Response.NOT_SERVING
        self._changed = asyncio.Event()
        self._watchers: Counter[str] = Counter()  # by connection

    def methods(self) -> dict[str, grpc.RpcMethodHandler]:
        """Handlers by method, for a gRPC server."""
        return {
            "Check": grpc.stream_unary_rpc_method_handler(reporting_failures("Check", self._check)),
            "List": grpc.stream_unary_rpc_method_handler(reporting_failures("List", self._list)),
            "Watch": grpc.stream_stream_rpc_method_handler(reporting_failures("Watch", self._watch)),
        }

    def set_status(self, *, serving: bool) -> None:
        """Set the status of all services, and notify watchers."""
        self._status = _Response.SERVING if serving else _Response.NOT_SERVING
        self._changed.set()
        self._changed = asyncio.Event()

    async def _check(self, context: Context) -> Message:
        if await self._requested_service(context) not in self._services:
            raise NotFound
        return self._answer(self._status)

    async def _list(self, context: Context) -> Message:
        await self._receiving.message(context)
        answer: Message = health_pb2.HealthListResponse(statuses=dict.fromkeys(self._services, self._answer(self._status)))
        return answer

    async def _watch(self, context: Context) -> None:
        service = await self._requested_service(context)
        connection = context.peer()
        if self._watchers.total() >= WATCHERS or self._watchers[connection] >= WATCHERS_EACH:
            raise Throttled
        self._watchers[connection] += 1
        try:
            while True:
                changed = self._changed
                status = self._status if service in self._services else _Response.SERVICE_UNKNOWN
                await context.write(self._answer(status).SerializeToString())
                await changed.wait()
        finally:
            self._watchers[connection] -= 1
            if not self._watchers[connection]:
                del self._watchers[connection]

    async def _requested_service(self, context: Context) -> str:
        request: Any = decoded(health_pb2.HealthCheckRequest, await self._receiving.message(context))
        return str(request.service)

    @staticmethod
    def _answer(status: int) -> Message:
        answer: Message = _Response(status=status)
        return answer
