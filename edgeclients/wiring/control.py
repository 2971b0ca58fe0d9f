"""The socket in the data directory, by which commands change what a running service keeps.

Whoever may open it could change the database as well: it needs no token.
"""

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from edgeclients.http.edge.clocks import ConnectionLimits
from edgeclients.http.edge.fast_path import HotReads
from edgeclients.http.edge.gate import Gate
from edgeclients.http.edge.local import LocalCallers, flushing, marked_local
from edgeclients.http.edge.server import HttpServer
from edgeclients.http.scope import RoutedApp
from edgeclients.ops import unix_listen
from edgeclients.wiring import tracing
from edgeclients.wiring.context import Context

SOCKET: Final = "control.sock"
"""The name of a service's socket."""

COMMAND_SOCKET: Final = "command.sock"
"""The name of the socket of a process that serves one command, and must not be found by others."""

FLUSH: Final = "/flush"
"""The path there at which a command lets the service write what it has in memory only."""

_MODE = 0o600
_BACKLOG = 16
_CONNECTIONS = 16


async def start(
    context: Context, app: RoutedApp, hot: HotReads, path: Path, operator_id: str, flush: Callable[[], Awaitable[None]]
) -> None:
    """Serve `app` on the socket at `path` until `context` is closed.

    Args:
        context: the parts to build it with.
        app: the application behind the gate.
        hot: answers the most frequent requests.
        path: in the data directory, which is locked for this process.
        operator_id: who counts as the caller; "" for the name that a command gives.
        flush: writes what is in memory only.
    """
    one = _bound(path)
    context.stack.callback(path.unlink, missing_ok=True)
    context.stack.callback(one.close)
    settings = context.settings
    gate = Gate(app, LocalCallers(operator_id), hot, context.metrics.http, settings.http_max_requests)
    limits = ConnectionLimits(connections=_CONNECTIONS)
    server = HttpServer(
        tracing.of_http(context.traces, flushing(marked_local(gate), FLUSH, flush)),
        [one],
        limits,
        settings.http_idle_timeout,
        None,
    )
    context.stack.push_async_callback(server.stop)
    await server.start()


def _bound(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # of a service that was killed: the directory is locked for this one
    return unix_listen.bound(path, _MODE, _BACKLOG)
