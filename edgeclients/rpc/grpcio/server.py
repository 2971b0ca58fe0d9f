"""The gRPC port on grpc.aio. The server restarts when its loop ends."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from typing_extensions import override

from edgeclients.addresses import authority
from edgeclients.errors import EndedError, StartError
from edgeclients.ops.listen import kept_for_grpc
from edgeclients.ops.tls import Tls
from edgeclients.rpc.grpcio.adapted import handler
from edgeclients.rpc.grpcio.certificates import credentials
from edgeclients.rpc.grpcio.core import LastingServer, Methods
from edgeclients.rpc.grpcio.limits import filter_grpc_log, options
from edgeclients.rpc.grpcio.receiving import Receiving
from edgeclients.rpc.port import GrpcPort, Served

_log = logging.getLogger(__name__)

_ATTEMPTS = 20  # restarts in a row, and attempts to listen in a restart
_PAUSE_SECONDS = 0.25  # between attempts
_STABLE_SECONDS = 60.0  # of serving, after which restarts count from zero
_GRACE_SECONDS = 7.0  # for calls in progress when the loop ends


class GrpcioPort(GrpcPort):
    """The gRPC port on one address, on grpc.aio.

    Args:
        served: what to serve.
        host: a name or an address.
        port: 0 selects a free port.
        tls: returns the current certificates; None serves without TLS.
        connections: maximum number of connections.
        shared: whether other worker processes listen on the same port.

    Raises:
        StartError: the port is in use.
    """

    def __init__(
        self,
        served: Served,
        host: str,
        port: int,
        tls: Callable[[], Tls] | None,
        connections: int,
        *,
        shared: bool = False,
    ) -> None:
        super().__init__(served.health)
        filter_grpc_log()
        receiving = Receiving()
        self._methods: Methods = {
            service: {name: handler(name, method, receiving) for name, method in methods.items()}
            for service, methods in served.services.items()
        }
        self._host, self._tls, self._shared = host, tls, shared
        self._options = options(connections, shared=shared)
        self._watching: asyncio.Task[None] | None = None
        self._stopping: set[asyncio.Task[None]] = set()
        self._server, self.port = self._create(port)

    @override
    async def start(self) -> None:
        """Start to accept calls."""
        await self._server.start()
        self.set_serving(serving=True)
        self._watching = asyncio.ensure_future(self._watch())

    @override
    async def ended(self) -> None:
        """Wait while the server serves or restarts.

        Raises:
            EndedError: the server cannot be restarted.
        """
        if self._watching is not None:
            await asyncio.shield(self._watching)

    @override
    async def stop(self, grace: float) -> None:
        """Report NOT_SERVING, stop accepting calls, and give the calls in progress `grace` seconds."""
        self.set_serving(serving=False)
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        await asyncio.gather(self._server.stop(grace), *self._stopping)

    def _create(self, port: int) -> tuple[LastingServer, int]:
        server = LastingServer(self._methods, self._options)
        return server, _listen(server, self._host, port, self._tls, shared=self._shared)

    async def _watch(self) -> None:
        """Restart the server whenever its loop ends, for any reason."""
        in_a_row = 0
        while True:
            started = time.monotonic()
            failure = await self._server.ended()
            in_a_row = in_a_row + 1 if time.monotonic() - started < _STABLE_SECONDS else 0
            if in_a_row > _ATTEMPTS:
                raise EndedError(f"gRPC server keeps ending ({type(failure).__name__})")
            _log.error("gRPC server ended, restarting", exc_info=failure)
            self.set_serving(serving=False)
            self._stop_in_background(self._server)
            await asyncio.sleep(_PAUSE_SECONDS if in_a_row else 0)
            await self._restart()
            self.set_serving(serving=True)
            _log.info("gRPC server restarted")

    def _stop_in_background(self, server: LastingServer) -> None:
        stopping = asyncio.ensure_future(server.stop(_GRACE_SECONDS))
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopping.discard)

    async def _restart(self) -> None:
        for _ in range(_ATTEMPTS):
            await asyncio.sleep(0)  # lets the old server release its port
            with contextlib.suppress(StartError):
                self._server, _ = self._create(self.port)
                await self._server.start()
                return
            await asyncio.sleep(_PAUSE_SECONDS)
        raise EndedError(f"gRPC server ended and cannot listen on {authority(self._host, self.port)} again")


def _listen(server: LastingServer, host: str, port: int, tls: Callable[[], Tls] | None, *, shared: bool) -> int:
    """Listen on exactly the addresses of `host`, or on none. gRPC itself accepts some of them, or adds others."""
    with kept_for_grpc(host, port, "MG_CLIENTS_GRPC", shared=shared) as addresses:
        for address in addresses:
            target = authority(*address)
            try:
                if tls is None:
                    server.add_insecure_port(target)
                else:
                    server.add_secure_port(target, credentials(tls))
            except RuntimeError as error:
                raise StartError(f"gRPC cannot listen on {target}; its own log line has the reason") from error
    return addresses[0][1]
