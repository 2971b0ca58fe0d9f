"""From settings to a running service, in order."""

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from edgeclients.addresses import authority
from edgeclients.auth.standalone import Standalone
from edgeclients.auth.standalone import create as standalone
from edgeclients.cache.memory import MemoryTokenCache
from edgeclients.core.access import Access
from edgeclients.core.authentication import Authentication
from edgeclients.core.checks import CheckLane
from edgeclients.core.clients import Clients
from edgeclients.core.connections import Connections
from edgeclients.core.entities import Entities
from edgeclients.core.hashing import Argon2Threads, HashLane
from edgeclients.core.holders import Holders
from edgeclients.core.members import Members
from edgeclients.core.parents import Parents
from edgeclients.core.roles import Roles
from edgeclients.core.rotation import Rotation
from edgeclients.core.secrets import Secrets
from edgeclients.errors import StartError
from edgeclients.http.callers import Callers
from edgeclients.http.clocks import ConnectionLimits
from edgeclients.http.deferred import DeferredApp
from edgeclients.http.gate import Gate
from edgeclients.http.hot import HotReads
from edgeclients.http.parts import BodyLimits, Operations, UseCases
from edgeclients.http.scope import RoutedApp
from edgeclients.http.server import HttpServer
from edgeclients.model import Effects
from edgeclients.ops import disk, logs, memory, tls
from edgeclients.ops.health import Readiness, health_document, no_relay
from edgeclients.ops.listen import bind
from edgeclients.ops.metrics import Metrics
from edgeclients.ops.reload import Reloading
from edgeclients.peers.link import address_of
from edgeclients.ports import Authenticator, Authorizer, Operators, Transaction
from edgeclients.rpc.server import GrpcServer, runtime
from edgeclients.rpc.services import ClientsService
from edgeclients.settings import PEERS, Settings
from edgeclients.store.datadir import DataDirectory
from edgeclients.wiring import asking, caching, calling, certificates, descriptors, relaying, telling, tracing
from edgeclients.wiring.storage import opened
from edgeclients.wiring.watching import watch_clock, watch_storage

_log = logging.getLogger(__name__)

PLUGINS = "edgeclients.auth"
_GRACE = 7.0  # seconds for calls that have begun; all of a shutdown has 10
_LAST_EVENTS = 1.0  # seconds to send what waits
_LAST_SPANS = 0.5  # seconds likewise


class AuthPlugin(Authenticator, Authorizer, Protocol):
    """What an `edgeclients.auth` entry point makes of the settings, and of the local operators."""


PluginFactory: TypeAlias = Callable[[Settings, Operators], AuthPlugin]


class Running(NamedTuple):
    """A service that answers: where, and what an operator has to know."""

    http: str
    grpc: str
    data_dir: Path | None
    token_file: Path | None
    complete: Callable[[], Awaitable[object]]  # returns when every route is there
    reload: Callable[[], Awaitable[None]]  # reads certificates and keys anew
    ended: Callable[[], Coroutine[Any, Any, None]]  # raises EndedError when a port is served no more


class Commits:
    """Tells whoever listens what a commit causes."""

    def __init__(self, *listeners: Callable[[Effects], None]) -> None:
        self.listeners = list(listeners)

    def __call__(self, effects: Effects) -> None:
        """A commit has happened; its caller hears of it behind this."""
        for listener in self.listeners:
            listener(effects)


@contextlib.asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Running]:
    """The service, answering until the context is left; then it finishes what has begun and closes.

    Raises:
        StartError: it cannot start, and why.
    """
    async with contextlib.AsyncExitStack() as stack:
        reloading = Reloading()
        http_tls = certificates.http_server(reloading, settings)
        grpc_tls = certificates.grpc_server(reloading, settings)
        plugin = _plugin(settings.authenticator)
        stack.enter_context(runtime())
        health = health_document(settings.instance_id)
        traces = tracing.start(settings, health["instance_id"])
        if traces is not None:
            stack.push_async_callback(traces.close, _LAST_SPANS)

        directory = DataDirectory(settings.data_dir) if _needs_directory(settings) else None
        if directory is not None:
            stack.callback(directory.close)
        cache = caching.make(settings, lambda: store.now())  # noqa: PLW0108 - there is no store yet
        news = asyncio.Event()
        commits = Commits(cache.apply, lambda effects: news.set() if effects.told else None)
        storage = await stack.enter_async_context(opened(settings, commits, reloading, directory))
        store, keyring = storage.store, storage.keyring
        await store.run(_write_check)
        metrics = Metrics()
        asked = tracing.of_store(traces, store, storage.backend)
        holders = Holders(asked, keyring)
        stack.push_async_callback(holders.close)
        auth = plugin(settings, holders)
        if isinstance(auth, contextlib.AbstractAsyncContextManager):
            await stack.enter_async_context(auth)
        joining = caching.joined(settings, cache, store, keyring, metrics, auth.roles_changed, reloading)
        cached = await stack.enter_async_context(joining)
        if cached.publish is not None:
            commits.listeners.append(cached.publish)
        callout = calling.callout(settings, reloading)
        if callout is not None:
            stack.push_async_callback(callout.close)
        access = Access(asked, auth, tracing.of_callout(traces, callout), cached.publish)

        of_checks, of_writes = (Argon2Threads(keyring, settings.argon2_workers) for _ in range(2))
        stack.callback(of_checks.close)
        stack.callback(of_writes.close)
        checks, writes = CheckLane(of_checks, settings.argon2_waiting), HashLane(of_writes, settings.argon2_waiting)
        authentication = Authentication(asked, cache, keyring, checks, writes, cached.proofs)
        stack.push_async_callback(authentication.close)
        secrets = Secrets(asked, keyring, writes)
        neighbours = asking.Neighbours(settings)
        stack.push_async_callback(neighbours.close)
        parents, connections = Parents(asked, access, neighbours.groups), Connections(asked, access)
        clients, rotation = Clients(asked, access, secrets, parents, neighbours.channels), Rotation(asked, access, secrets)
        cases = UseCases(clients, rotation, parents, connections, Roles(asked, access), Members(asked, access))

        watch_storage(metrics, storage)
        _watch(metrics, cache, authentication)
        _watch_checks(metrics, authentication, checks)
        if traces is not None:
            tracing.watch(metrics, traces)
        relay = relaying.start(settings, store, news, storage.sender, reloading)
        if relay is not None:
            stack.push_async_callback(relay.stop, _LAST_EVENTS)
            relaying.watch(metrics, relay)
        links = {**asking.of_authenticator(auth), **neighbours.links}
        certificates.peers(reloading, links.values())
        readiness = Readiness(
            storage.state,
            lambda: store.run(_write_check),
            relay.document if relay is not None else no_relay,
            cached.document,
            (asking.watch(metrics, links), watch_clock(metrics, storage.clock)),
            storage.probe_seconds,
            store.now,
        )
        operations = Operations(health, readiness, metrics)
        bodies = BodyLimits(settings.http_max_body_bytes, settings.http_max_bulk_bytes)
        app = DeferredApp(lambda: _application(cases, operations, bodies, serve_channels=not settings.channels_grpc_url))
        gate = Gate(
            app,
            Callers(auth, settings.wrong_tokens),
            HotReads(clients, operations.health),
            metrics.http,
            settings.http_max_requests,
        )
        service = ClientsService(authentication, Entities(asked), connections, parents, metrics.grpc, traces)

        shared = settings.workers > 1
        sockets = bind(settings.http_host, settings.http_port, "MG_CLIENTS_HTTP", shared=shared)
        for one in sockets:
            stack.callback(one.close)
        http_port = sockets[0].getsockname()[1]
        connected = descriptors.connections_allowed(settings)
        grpc = GrpcServer(
            service,
            settings.grpc_host,
            settings.grpc_port,
            grpc_tls,
            settings.grpc_max_requests,
            connected.grpc,
            shared=shared,
        )
        context = tls.following(http_tls) if http_tls else None
        http = HttpServer(
            tracing.of_http(traces, gate),
            sockets,
            _connection_limits(settings, connected.http),
            settings.http_idle_timeout,
            context,
        )
        readiness.grpc = lambda: grpc.serving
        stack.push_async_callback(_stop, readiness, http, grpc)
        await grpc.start()
        await http.start()
        app.begin()
        _warn_if_open(settings)
        readiness.serving = True
        stack.callback(asyncio.ensure_future(memory.keep_giving_back()).cancel)
        telemetry = await telling.start(settings, store)
        if telemetry is not None:
            stack.callback(telemetry.stop)
        yield Running(
            f"{'https' if http_tls else 'http'}://{authority(settings.http_host, http_port)}",
            authority(settings.grpc_host, grpc.port),
            directory.path if directory is not None else None,
            auth.operator.token_file if isinstance(auth, Standalone) else None,
            app.complete,
            reloading.reload,
            grpc.ended,
        )


def _application(cases: UseCases, operations: Operations, bodies: BodyLimits, *, serve_channels: bool) -> RoutedApp:
    from edgeclients.http.app import build as build_app

    return build_app(cases, operations, bodies, serve_channels=serve_channels)


async def _stop(readiness: Readiness, http: HttpServer, grpc: GrpcServer) -> None:
    readiness.serving = False
    await asyncio.gather(http.stop(), grpc.stop(_GRACE))


async def _write_check(tx: Transaction) -> None:
    """Nothing, but committed: storage that can be written."""


def set_up_logs(settings: Settings) -> None:
    """Log as the settings say, from here on."""
    logs.set_up(settings.log_level)


def _needs_directory(settings: Settings) -> bool:
    """Whether anything is kept in the data directory: the database, or what the standalone operator is known by."""
    return settings.mode == "gateway" or (settings.authenticator == "standalone" and not settings.standalone_id)


def _plugin(name: str) -> PluginFactory:
    """What makes the authenticator called `name`.

    Raises:
        StartError: none of that name is installed.
    """
    if name == "standalone":
        return standalone  # its own entry point; looking for others takes longer than all the rest of it
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group=PLUGINS)}
    if name not in found:
        raise StartError(
            f"MG_CLIENTS_AUTH_PLUGIN: no authenticator {name!r} is installed (there are: {', '.join(sorted(found))})"
        )
    factory: PluginFactory = found[name].load()
    return factory


def _connection_limits(settings: Settings, connections: int) -> ConnectionLimits:
    return ConnectionLimits(
        settings.http_read_header_timeout,
        settings.http_read_timeout,
        settings.http_write_timeout,
        settings.http_max_header_bytes,
        connections,
        max(ConnectionLimits().drained_bytes, 4 * settings.http_max_bulk_bytes),
    )


def _watch(metrics: Metrics, cache: MemoryTokenCache, authentication: Authentication) -> None:
    counts = authentication.counts
    metrics.counter("clients_authenticate_hits", "Authenticate answered from the cache", lambda: counts.hits)
    metrics.counter("clients_authenticate_misses", "Authenticate answered from the store", lambda: counts.misses)
    metrics.gauge("clients_cache_entries", "Successes remembered", lambda: len(cache))
    metrics.counter("clients_disk_written_bytes", "Bytes written to disk by this process", disk.written_bytes)


def _watch_checks(metrics: Metrics, authentication: Authentication, checks: CheckLane) -> None:
    counts = authentication.counts
    metrics.counters("clients_authenticate_denied", "Authenticate denied, by reason", "reason", lambda: counts.denied)
    metrics.counter(
        "clients_authenticate_put_off", "Authenticate put off: too many chosen secrets to check", lambda: counts.put_off
    )
    metrics.counter("clients_argon2_checks", "Chosen secrets hashed to be checked", lambda: checks.runs)
    metrics.gauge("clients_argon2_waiting", "Chosen secrets waiting to be checked", lambda: checks.waiting)


def _warn_if_open(settings: Settings) -> None:
    if not _is_loopback(settings.http_host) and not settings.http_cert:
        _log.warning(
            "HTTP is open to the network without TLS: set MG_CLIENTS_HTTP_SERVER_CERT and _KEY, or MG_CLIENTS_HTTP_HOST"
        )
    for peer in PEERS:
        address = address_of(settings, peer)
        if address.url and not address.server_ca and not _is_loopback(address.url.rpartition(":")[0]):
            _log.warning("%s_URL is spoken to without TLS: set %s_SERVER_CA_CERTS", address.prefix, address.prefix)
    if settings.grpc_server_ca and not settings.grpc_client_ca:
        _log.warning("no client certificates are demanded: that takes MG_CLIENTS_GRPC_CLIENT_CA_CERTS, not _SERVER_CA_CERTS")
    if not _is_loopback(settings.grpc_host) and not settings.grpc_client_ca:
        _log.warning(
            "gRPC is open to whoever reaches it: set MG_CLIENTS_GRPC_SERVER_CERT, _KEY and MG_CLIENTS_GRPC_CLIENT_CA_CERTS, "
            "or MG_CLIENTS_GRPC_HOST"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
