"""`grpc.health.v1.Health`: whether this server, or one of its services, is serving."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from edgeclients.errors import MalformedRequest, NotFound, Throttled
from edgeclients.lane.calls import Call, Method
from edgeclients.rpc.failures import answering, decoded, streaming

NAME: Final = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
WATCHERS: Final = 256  # of a server; a watcher keeps its call open without a timeout
WATCHERS_EACH: Final = 16  # of one connection

_Response = health_pb2.HealthCheckResponse


class Health:
    """Reports SERVING or NOT_SERVING of its services, and sends each change to watchers.

    Args:
        services: their names; "" is the whole server.
    """

    def __init__(self, services: Sequence[str]) -> None:
        self._services = tuple(services)
        self._status = _Response.NOT_SERVING
        self._changed = asyncio.Event()
        self._watchers: Counter[str] = Counter()  # by connection

    def methods(self) -> dict[str, Method]:
        """The methods of the service, by name."""
        return {
            "Check": answering("Check", self._check),
            "List": answering("List", self._list),
            "Watch": streaming("Watch", self._watch),
        }

    def set_status(self, *, serving: bool) -> None:
        """Set the status of all services, and notify watchers."""
        self._status = _Response.SERVING if serving else _Response.NOT_SERVING
        self._changed.set()
        self._changed = asyncio.Event()

    def _check(self, message: bytes) -> Message:
        if _service_in(message) not in self._services:
            raise NotFound
        return self._answer(self._status)

    def _list(self, _: bytes) -> Message:
        answer: Message = health_pb2.HealthListResponse(statuses=dict.fromkeys(self._services, self._answer(self._status)))
        return answer

    async def _watch(self, call: Call) -> None:
        message = await call.receive()
        if message is None:
            raise MalformedRequest("no message")
        service, connection = _service_in(message), call.peer
        if self._watchers.total() >= WATCHERS or self._watchers[connection] >= WATCHERS_EACH:
            raise Throttled
        self._watchers[connection] += 1
        try:
            while True:
                changed = self._changed
                status = self._status if service in self._services else _Response.SERVICE_UNKNOWN
                await call.send(self._answer(status).SerializeToString())
                await changed.wait()
        finally:
            self._watchers[connection] -= 1
            if not self._watchers[connection]:
                del self._watchers[connection]

    @staticmethod
    def _answer(status: int) -> Message:
        answer: Message = _Response(status=status)
        return answer


def _service_in(message: bytes) -> str:
    request: Any = decoded(health_pb2.HealthCheckRequest, message)
    return str(request.service)
