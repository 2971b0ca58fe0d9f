"""Builds a running service from settings: storage, use cases, servers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edgeclients.auth.standalone import Standalone
from edgeclients.core.authn.operator_tokens import OperatorTokens
from edgeclients.events.relay import Relay
from edgeclients.http.parts import Operations
from edgeclients.ops import logs, memory
from edgeclients.ops.health import Readiness, health_document, no_relay
from edgeclients.ops.metrics import Metrics
from edgeclients.ops.reload import Reloading
from edgeclients.ports import Transaction
from edgeclients.progress import Progress
from edgeclients.settings import Settings
from edgeclients.store.datadir import DataDirectory
from edgeclients.wiring import (
    authenticators,
    cache,
    certificates,
    events,
    grpc_port,
    peers,
    servers,
    telemetry,
    tracing,
    use_cases,
)
from edgeclients.wiring.cache import Cached
from edgeclients.wiring.context import Commits, Context
from edgeclients.wiring.metrics import watch_authentication, watch_checks, watch_clock, watch_service, watch_storage
from edgeclients.wiring.servers import Certificates, Commands
from edgeclients.wiring.storage import Storage, opened

if TYPE_CHECKING:
    from edgeclients.peers.link import Link

_LAST_EVENTS = 1.0  # seconds to send unsent events at shutdown
_LAST_SPANS = 0.5  # seconds to send queued spans at shutdown


class Running(NamedTuple):
    """The addresses of a running service, and facts for its operator."""

    http: str
    grpc: str
    data_dir: Path | None
    token_file: Path | None
    complete: Callable[[], Awaitable[object]]  # returns when every route is available
    reload: Callable[[], Awaitable[None]]  # reloads certificates and keys
    ended: Callable[[], Coroutine[Any, Any, None]]  # raises EndedError when a port is no longer served
    fault: Callable[[], str]  # why changes cannot be made or calls not served now; empty if they can


@contextlib.asynccontextmanager
async def build(settings: Settings, progress: Progress | None = None, *, for_a_command: bool = False) -> AsyncIterator[Running]:
    """The service, running until the context is left; then it finishes running requests and closes.

    Args:
        settings: the settings.
        progress: receives the steps of a migration at the start, and those of the writer afterwards.
        for_a_command: whether one command is served, on the data directory's socket, and nobody else.

    Raises:
        StartError: the service cannot start; the text has the reason.
    """
    memory.share_one_heap()
    async with contextlib.AsyncExitStack() as stack:
        reloading = Reloading()
        shown = Certificates(
            certificates.http_server(reloading, settings),
            certificates.grpc_server(reloading, settings),
            certificates.grpcio_server(reloading, settings),
        )
        plugin = authenticators.find(settings.authenticator)
        stack.enter_context(grpc_port.library(settings))
        health = health_document(settings.instance_id)
        traces = tracing.start(settings, health["instance_id"])
        context = Context(settings, reloading, Metrics(), traces, stack)
        if traces is not None:
            stack.push_async_callback(traces.close, _LAST_SPANS)
            tracing.watch(context.metrics, traces)

        commits = Commits()
        directory = _data_directory(context)
        storage = await stack.enter_async_context(opened(settings, commits, reloading, directory, progress or Progress()))
        await storage.store.run(_write_check)
        store = tracing.of_store(traces, storage.store, storage.backend)
        operators = OperatorTokens(store, storage.keyring)
        stack.push_async_callback(operators.close)
        auth = await authenticators.start(context, plugin, operators)
        cached = await cache.start(context, storage, commits, auth.roles_changed)

        neighbours = peers.Neighbours(settings)
        stack.push_async_callback(neighbours.close)
        core = use_cases.build(context, store, storage.keyring, auth, cached.tokens, cached.proofs, neighbours)
        watch_authentication(context.metrics, cached.tokens, core.authentication)
        watch_checks(context.metrics, core.authentication, core.checks)
        readiness = _readiness(context, storage, commits, cached, {**peers.of_authenticator(auth), **neighbours.links})
        watch_service(context.metrics, readiness, directory.path if directory is not None else None)

        operator_id = auth.operator.id if isinstance(auth, Standalone) else ""
        commands = None
        if directory and settings.mode == "gateway":
            commands = Commands(directory.path, operator_id, storage.activity.flush, for_a_command)
        operations = Operations(health, readiness, context.metrics)
        serving = await servers.start(context, core, auth, operations, shown, commands)
        stack.callback(asyncio.ensure_future(memory.keep_giving_back()).cancel)
        reports = None if for_a_command else await telemetry.start(settings, storage.store)
        if reports is not None:
            stack.callback(reports.stop)
        yield Running(
            serving.http,
            serving.grpc,
            directory.path if directory is not None else None,
            auth.operator.token_file if isinstance(auth, Standalone) else None,
            serving.complete,
            reloading.reload,
            serving.ended,
            readiness.fault,
        )


def set_up_logs(settings: Settings) -> None:
    """Configure the log with the level of the settings."""
    logs.set_up(settings.log_level)


def _data_directory(context: Context) -> DataDirectory | None:
    """The data directory, if it holds the database or the standalone operator's id and token; else None."""
    settings = context.settings
    keeps_operator = settings.authenticator == "standalone" and not settings.standalone_id
    if settings.mode != "gateway" and not keeps_operator:
        return None
    directory = DataDirectory(settings.data_dir)
    context.stack.callback(directory.close)
    return directory


async def _write_check(tx: Transaction) -> None:
    """An empty unit of work: its commit proves that the storage is writable."""


def _readiness(context: Context, storage: Storage, commits: Commits, cached: Cached, links: "Mapping[str, Link]") -> Readiness:
    """The readiness of the service; starts the event relay, which is part of it."""
    relay = _relay(context, storage, commits)
    certificates.peers(context.reloading, links.values())
    watch_storage(context.metrics, storage)
    return Readiness(
        storage.state,
        lambda: storage.store.run(_write_check),
        relay.document if relay is not None else no_relay,
        cached.document,
        (peers.watch(context.metrics, links), watch_clock(context.metrics, storage.clock)),
        storage.probe_seconds,
        storage.store.now,
    )


def _relay(context: Context, storage: Storage, commits: Commits) -> Relay | None:
    """The running event relay; None without a stream."""
    added = asyncio.Event()
    commits.add(lambda effects: added.set() if effects.events else None)
    relay = events.start(context.settings, storage.store, added, storage.sender, context.reloading)
    if relay is not None:
        context.stack.push_async_callback(relay.stop, _LAST_EVENTS)
        events.watch(context.metrics, relay)
    return relay
