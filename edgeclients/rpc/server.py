"""Serving gRPC: the service, health and reflection on one port."""

import contextlib
from collections.abc import Callable, Iterator

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from edgeclients.addresses import authority
from edgeclients.errors import StartError
from edgeclients.ops.listen import kept_for_grpc
from edgeclients.ops.tls import Tls
from edgeclients.rpc.certificates import credentials
from edgeclients.rpc.services import NAME, ClientsService

_MESSAGE_BYTES = 4 * 1024 * 1024  # contract 5
_METADATA_BYTES = 64 * 1024


@contextlib.contextmanager
def runtime() -> Iterator[None]:
    """The thread that gRPC needs, for servers and channels that are made meanwhile.

    The first of them would start it, too; but in a constructor that fails halfway gRPC ends the process with SIGSEGV.

    Raises:
        OSError, RuntimeError: there can be none.
    """
    grpc.aio.init_grpc_aio()
    try:
        yield
    finally:
        grpc.aio.shutdown_grpc_aio()


class GrpcServer:
    """gRPC on one address.

    Args:
        service: what it serves.
        host: a name or an address.
        port: 0 takes a free one.
        tls: what is shown and demanded now; None serves without TLS.
        most: calls worked on at a time.
        shared: whether other processes of ours listen on the same port.

    Raises:
        StartError: the port is taken.
    """

    def __init__(
        self, service: ClientsService, host: str, port: int, tls: Callable[[], Tls] | None, most: int, *, shared: bool = False
    ) -> None:
        self._server = grpc.aio.server(
            options=(
                # A port that is taken is an error, not a second listener.
                ("grpc.so_reuseport", int(shared)),
                ("grpc.max_receive_message_length", _MESSAGE_BYTES),
                ("grpc.max_metadata_size", _METADATA_BYTES),
                ("grpc.server.max_pending_requests", 2 * most),
                ("grpc.server.max_pending_requests_hard_limit", 4 * most),
            ),
            # Only this one says why; gRPC's own bound, 1000 unless told otherwise, cancels calls at random.
            maximum_concurrent_rpcs=most,
        )
        self._server.add_generic_rpc_handlers((service.handlers(),))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((NAME, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        self.port = _listen(self._server, host, port, tls, shared=shared)

    async def start(self) -> None:
        """Accept calls from here on."""
        await self._server.start()
        for name in ("", "clients"):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace: float) -> None:
        """Say NOT_SERVING, accept no more, give calls that have begun `grace` seconds."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)


def _listen(server: grpc.aio.Server, host: str, port: int, tls: Callable[[], Tls] | None, *, shared: bool) -> int:
    """Listen on every address of `host`, or on none: gRPC by itself is content with some of them, or takes more."""
    with kept_for_grpc(host, port, "MG_CLIENTS_GRPC", shared=shared) as addresses:
        for address in addresses:
            target = authority(*address)
            try:
                if tls is None:
                    server.add_insecure_port(target)
                else:
                    server.add_secure_port(target, credentials(tls))
            except RuntimeError as error:
                raise StartError(f"gRPC cannot listen on {target}; its own line says why") from error
    return addresses[0][1]
