"""`grpc.health.v1.Health`: whether this server, or one of its services, serves."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from edgeclients.errors import NotFound, Throttled
from edgeclients.rpc.failures import answering, decoded
from edgeclients.rpc.receiving import Receiving
from edgeclients.rpc.traced import Context

NAME: Final = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
WATCHERS: Final = 256  # a server's; each keeps its call for as long as it likes
WATCHERS_EACH: Final = 16  # one connection's

_Response = health_pb2.HealthCheckResponse


class Health:
    """Says SERVING of its services, or NOT_SERVING; to those who watch as soon as it changes.

    Args:
        services: their names; "" is the whole server.
        receiving: how messages are received.
    """

    def __init__(self, services: Sequence[str], receiving: Receiving) -> None:
        self._services = tuple(services)
        self._receiving = receiving
        self._status = _Response.NOT_SERVING
        self._changed = asyncio.Event()
        self._watchers: Counter[str] = Counter()  # by connection

    def methods(self) -> dict[str, grpc.RpcMethodHandler]:
        """What a gRPC server is given."""
        return {
            "Check": grpc.stream_unary_rpc_method_handler(answering("Check", self._check)),
            "List": grpc.stream_unary_rpc_method_handler(answering("List", self._list)),
            "Watch": grpc.stream_stream_rpc_method_handler(answering("Watch", self._watch)),
        }

    def say(self, *, serving: bool) -> None:
        """From here on."""
        self._status = _Response.SERVING if serving else _Response.NOT_SERVING
        self._changed.set()
        self._changed = asyncio.Event()

    async def _check(self, context: Context) -> Message:
        if await self._asked(context) not in self._services:
            raise NotFound
        return self._answer(self._status)

    async def _list(self, context: Context) -> Message:
        await self._receiving.message(context)
        answer: Message = health_pb2.HealthListResponse(statuses=dict.fromkeys(self._services, self._answer(self._status)))
        return answer

    async def _watch(self, context: Context) -> None:
        service = await self._asked(context)
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

    async def _asked(self, context: Context) -> str:
        request: Any = decoded(health_pb2.HealthCheckRequest, await self._receiving.message(context))
        return str(request.service)

    @staticmethod
    def _answer(status: int) -> Message:
        answer: Message = _Response(status=status)
        return answer
