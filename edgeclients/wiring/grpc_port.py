"""Builds the gRPC port on the server that the settings name."""

import contextlib
import ssl
from collections.abc import Callable, Iterator

from edgeclients.ops import tls, unix_listen
from edgeclients.ops.listen import bind
from edgeclients.ops.tls import Tls
from edgeclients.rpc.port import GrpcPort, served
from edgeclients.rpc.services import ClientsService
from edgeclients.settings import PEERS, Settings
from edgeclients.wiring.context import Context

_VARIABLE = "MG_CLIENTS_GRPC"
_SOCKET_MODE = 0o660


@contextlib.contextmanager
def library(settings: Settings) -> Iterator[None]:
    """Run the gRPC library's thread, if the library is used.

    The first server or channel would start it as well. But the library ends the process with SIGSEGV if that fails there.

    Raises:
        OSError, RuntimeError: the thread cannot be started.
    """
    if settings.grpc_server != "grpcio" and not any(getattr(settings, f"{peer}_grpc_url") for peer in PEERS):
        yield
        return
    import grpc

    grpc.aio.init_grpc_aio()
    try:
        yield
    finally:
        grpc.aio.shutdown_grpc_aio()


def on_lane(
    context: Context, service: ClientsService, contexts: Callable[[], ssl.SSLContext] | None, connections: int
) -> GrpcPort:
    """The gRPC port on the program's own server, which does not accept calls yet.

    Args:
        context: the parts to build it with.
        service: the service to serve.
        contexts: returns the current TLS context; None serves without TLS.
        connections: maximum number of connections.

    Raises:
        StartError: the port, or the path of the Unix socket, is not available.
    """
    from edgeclients.lane.limits import Limits
    from edgeclients.rpc.on_lane import LanePort

    settings = context.settings
    sockets = bind(settings.grpc_host, settings.grpc_port, _VARIABLE, shared=settings.workers > 1)
    for one in sockets:
        context.stack.callback(one.close)
    if settings.grpc_socket is not None:
        local = unix_listen.listening(settings.grpc_socket, f"{_VARIABLE}_SOCKET", _SOCKET_MODE)
        sockets.append(context.stack.enter_context(local))
    limits = Limits(connections=connections, idle_seconds=settings.grpc_idle_timeout)
    what = served(service, settings.grpc_max_requests)
    return LanePort(what, sockets, tls.following(contexts) if contexts else None, limits, settings.grpc_message_memory)


def on_grpcio(context: Context, service: ClientsService, pem: Callable[[], Tls] | None, connections: int) -> GrpcPort:
    """The gRPC port on the gRPC library's server, likewise; `pem` returns the current certificates."""
    from edgeclients.rpc.grpcio.server import GrpcioPort

    settings = context.settings
    what = served(service, settings.grpc_max_requests)
    return GrpcioPort(what, settings.grpc_host, settings.grpc_port, pem, connections, shared=settings.workers > 1)
