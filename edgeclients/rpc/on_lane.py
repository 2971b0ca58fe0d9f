"""The gRPC port on the program's own HTTP/2 server."""

import socket
import ssl
from collections.abc import Sequence

from typing_extensions import override

from edgeclients.concurrency import wait_forever
from edgeclients.lane.limits import Limits
from edgeclients.lane.server import LaneServer
from edgeclients.rpc.port import GrpcPort, Served


class LanePort(GrpcPort):
    """The gRPC port on bound sockets.

    Args:
        served: what to serve.
        sockets: bound; closed at the stop.
        tls: the TLS context of all sockets but Unix sockets; None serves without TLS.
        limits: of connections.
        memory: bytes of memory for long messages, of all connections together.
    """

    def __init__(
        self, served: Served, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None, limits: Limits, memory: int
    ) -> None:
        super().__init__(served.health)
        methods = {f"/{service}/{name}": method for service, named in served.services.items() for name, method in named.items()}
        self._server = LaneServer(methods, limits, memory)
        self._sockets, self._tls = sockets, tls
        self.port = sockets[0].getsockname()[1]

    @override
    async def start(self) -> None:
        await self._server.start(self._sockets, self._tls)
        self.set_serving(serving=True)

    @override
    async def ended(self) -> None:
        await wait_forever()

    @override
    async def stop(self, grace: float) -> None:
        self.set_serving(serving=False)
        await self._server.stop(grace)
