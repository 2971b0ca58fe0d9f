"""Builds and starts the two servers, HTTP and gRPC, on the use cases."""

import asyncio
import ipaddress
import logging
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple

from edgeclients.addresses import authority
from edgeclients.concurrency import wait_forever
from edgeclients.http.edge.bearer import BearerTokens
from edgeclients.http.edge.clocks import ConnectionLimits
from edgeclients.http.edge.deferred import DeferredApp
from edgeclients.http.edge.fast_path import HotReads
from edgeclients.http.edge.gate import Gate
from edgeclients.http.edge.server import HttpServer
from edgeclients.http.parts import BodyLimits, Operations, UseCases
from edgeclients.http.scope import RoutedApp
from edgeclients.ops import tls
from edgeclients.ops.health import Readiness
from edgeclients.ops.listen import bind
from edgeclients.ops.tls import Tls
from edgeclients.peers.addresses import address_of
from edgeclients.ports import Authenticator
from edgeclients.rpc.port import GrpcPort
from edgeclients.rpc.services import ClientsService
from edgeclients.settings import PEERS, Settings
from edgeclients.wiring import control, descriptors, grpc_port, tracing
from edgeclients.wiring.context import Context
from edgeclients.wiring.use_cases import Core

_log = logging.getLogger(__name__)

_GRACE = 7.0  # seconds to finish running calls; a whole shutdown takes at most 10


class Certificates(NamedTuple):
    """The current certificates of each server; None serves without TLS, or does not serve."""

    http: Callable[[], ssl.SSLContext] | None
    lane: Callable[[], ssl.SSLContext] | None
    grpcio: Callable[[], Tls] | None


class Servers(NamedTuple):
    """The addresses of running servers.

    `complete` returns when every route is available. `ended` raises `EndedError` when a port is no longer served.
    """

    http: str
    grpc: str
    complete: Callable[[], Awaitable[object]]
    ended: Callable[[], Coroutine[Any, Any, None]]


class Commands(NamedTuple):
    """How commands on this machine reach the service: in the data directory, as the operator; `only`: nobody else does.

    `flush` writes what is in memory only.
    """

    data: Path
    operator_id: str
    flush: Callable[[], Awaitable[None]]
    only: bool = False


async def start(
    context: Context,
    core: Core,
    authenticator: Authenticator,
    operations: Operations,
    certificates: Certificates,
    commands: Commands | None,
) -> Servers:
    """The servers, running until `context` is closed; then they finish running requests.

    Args:
        context: the parts to build them with.
        core: the use cases.
        authenticator: identifies callers.
        operations: what the routes without a token report.
        certificates: of each server.
        commands: where and as whom commands reach the service; None: they do not.

    Raises:
        StartError: a port is not available.
    """
    settings = context.settings
    connections = descriptors.connections_allowed(settings)
    app = DeferredApp(lambda: _application(settings, core.http, operations))
    callers = BearerTokens(authenticator, settings.wrong_tokens)
    hot = HotReads(core.http.clients, operations.health)
    if commands is not None:
        name = control.COMMAND_SOCKET if commands.only else control.SOCKET
        await control.start(context, app, hot, commands.data / name, commands.operator_id, commands.flush)
        if commands.only:
            return Servers("", "", app.complete, wait_forever)
    gate = Gate(app, callers, hot, context.metrics.http, settings.http_max_requests)
    service = ClientsService(
        core.authentication,
        core.entities,
        core.http.connections,
        core.http.parents,
        context.metrics.grpc,
        context.traces,
    )
    shared = settings.workers > 1
    sockets = bind(settings.http_host, settings.http_port, "MG_CLIENTS_HTTP", shared=shared)
    for one in sockets:
        context.stack.callback(one.close)
    http_port = sockets[0].getsockname()[1]
    if settings.grpc_server == "lane":
        grpc = grpc_port.on_lane(context, service, certificates.lane, connections.grpc)
    else:
        grpc = grpc_port.on_grpcio(context, service, certificates.grpcio, connections.grpc)
    http = HttpServer(
        tracing.of_http(context.traces, gate),
        sockets,
        _connection_limits(settings, connections.http),
        settings.http_idle_timeout,
        tls.following(certificates.http) if certificates.http else None,
    )
    readiness = operations.readiness
    readiness.grpc = lambda: grpc.serving
    context.stack.push_async_callback(_stop, readiness, http, grpc)
    await grpc.start()
    await http.start()
    app.begin()
    _warn_if_open(settings)
    readiness.serving = True
    scheme = "https" if certificates.http else "http"
    return Servers(
        f"{scheme}://{authority(settings.http_host, http_port)}",
        authority(settings.grpc_host, grpc.port),
        app.complete,
        grpc.ended,
    )


def _application(settings: Settings, cases: UseCases, operations: Operations) -> RoutedApp:
    from edgeclients.http.app import build  # imports Litestar, which takes longer than all other imports

    limits = BodyLimits(settings.http_max_body_bytes, settings.http_max_bulk_bytes)
    return build(cases, operations, limits, serve_channels=not settings.channels_grpc_url)


async def _stop(readiness: Readiness, http: HttpServer, grpc: GrpcPort) -> None:
    readiness.serving = False
    await asyncio.gather(http.stop(), grpc.stop(_GRACE))


def _connection_limits(settings: Settings, connections: int) -> ConnectionLimits:
    return ConnectionLimits(
        settings.http_read_header_timeout,
        settings.http_read_timeout,
        settings.http_write_timeout,
        settings.http_max_header_bytes,
        connections,
        max(ConnectionLimits().drained_bytes, 4 * settings.http_max_bulk_bytes),
    )


def _warn_if_open(settings: Settings) -> None:
    if not _is_loopback(settings.http_host) and not settings.http_cert:
        _log.warning(
            "HTTP is open to the network without TLS: set MG_CLIENTS_HTTP_SERVER_CERT and _KEY, or MG_CLIENTS_HTTP_HOST"
        )
    for peer in PEERS:
        address = address_of(settings, peer)
        if address.url and not address.server_ca and not _is_loopback(address.url.rpartition(":")[0]):
            _log.warning("connections to %s_URL have no TLS: set %s_SERVER_CA_CERTS", address.prefix, address.prefix)
    if settings.grpc_server_ca and not settings.grpc_client_ca:
        _log.warning("gRPC requires no client certificates: set MG_CLIENTS_GRPC_CLIENT_CA_CERTS, not _SERVER_CA_CERTS")
    if not _is_loopback(settings.grpc_host) and not settings.grpc_client_ca:
        _log.warning(
            "gRPC is open to the network without authentication: set MG_CLIENTS_GRPC_SERVER_CERT, _KEY and "
            "MG_CLIENTS_GRPC_CLIENT_CA_CERTS, or MG_CLIENTS_GRPC_HOST"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
