"""Serving HTTP from the event loop that others share."""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

from uvicorn import Config, Server

from edgeclients.errors import StartError
from edgeclients.http.protocol import ConnectionLimits, limited

_BACKLOG = 512
_GRACE = 7  # seconds for requests that have begun; all of a shutdown has 10


def bind(host: str, port: int, variable: str) -> list[socket.socket]:
    """Sockets on every address of `host`; port 0 takes a free one, the same on all.

    Args:
        host: a name or an address.
        port: the port.
        variable: the setting to name when it cannot be had.

    Raises:
        StartError: the name is unknown, or the port is taken.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartError(f"cannot find the address {host!r} to listen on: set {variable}_HOST") from error
    bound: list[socket.socket] = []
    failure: OSError | None = None
    for family, *_, address in found:
        wanted = (address[0], bound[0].getsockname()[1] if bound and not port else port, *address[2:])
        try:
            bound.append(_listener(family, wanted))
        except OSError as error:
            # A machine without IPv6 still has a "localhost" of that kind.
            if not _has_no_such_address(error):
                failure = error
    if failure is not None or not bound:
        for one in bound:
            one.close()
        reason = failure.strerror if failure else "no address"
        raise StartError(f"cannot listen on {host}:{port} ({reason}): stop what listens there, or set {variable}_PORT")
    return bound


def _listener(family: int, address: tuple[Any, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)  # noqa: FBT003
    return listener


def _has_no_such_address(error: OSError) -> bool:
    return error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class HttpServer:
    """uvicorn, as a task among others; signals are somebody else's."""

    def __init__(
        self,
        app: Any,
        sockets: Sequence[socket.socket],
        limits: ConnectionLimits,
        idle: float,
        tls: ssl.SSLContext | None,
    ) -> None:
        config = Config(
            app,
            loop="none",
            http=limited(limits),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=max(1, round(idle)),
            timeout_graceful_shutdown=_GRACE,
            backlog=_BACKLOG,
        )
        config.load()
        config.ssl = tls
        self._sockets = list(sockets)
        self._server = _QuietServer(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accept connections from here on."""
        self._task = asyncio.ensure_future(self._server.serve(self._sockets))
        while not self._server.started:
            if self._task.done():
                self._task.result()
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        """Accept no more, finish what has begun."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _QuietServer(Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
