"""Serves gRPC on sockets: connections begin, are checked every second, and end."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Sequence
from typing import Any, Final

from edgeclients.lane.calls import Methods
from edgeclients.lane.connection import Connection
from edgeclients.lane.limits import Limits
from edgeclients.lane.memory import Budget
from edgeclients.lane.shared import Shared

_log = logging.getLogger(__name__)

_BACKLOG: Final = 512
_CHECK_SECONDS: Final = 1.0
_HANDSHAKE_SECONDS: Final = 10.0


class LaneServer:
    """A server of gRPC over HTTP/2. To be created in the event loop that it runs in.

    Args:
        methods: by path.
        limits: of its connections.
        memory: bytes of memory for long messages, of all connections together.
    """

    def __init__(self, methods: Methods, limits: Limits, memory: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._shared = Shared({path.encode(): method for path, method in methods.items()}, limits, Budget(memory))
        self._servers: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._shared.connections)

    async def start(self, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None = None) -> None:
        """Accept connections on bound sockets.

        Args:
            sockets: of TCP, or Unix sockets, which are served without TLS.
            tls: a context that offers the protocol `h2` alone.
        """
        for one in sockets:
            self._servers.append(await self._serve(one, tls))
        if self._timer is None:
            self._check()

    async def stop(self, grace: float) -> None:
        """Accept nothing more, give the calls that have begun `grace` seconds, then close every connection."""
        self._shared.is_closed = True
        for server in self._servers:
            server.close()
        connections = list(self._shared.connections)
        for connection in connections:
            connection.go_away()
        deadline = self._loop.time() + grace
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._shared.emptied()
        for connection in list(self._shared.connections):
            connection.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _serve(self, one: socket.socket, tls: ssl.SSLContext | None) -> asyncio.Server:
        def connection() -> Connection:
            return Connection(self._shared, self._loop)

        if one.family == socket.AF_UNIX:
            return await self._loop.create_unix_server(connection, sock=one, backlog=_BACKLOG)
        options: dict[str, Any] = {"ssl": tls, "ssl_handshake_timeout": _HANDSHAKE_SECONDS} if tls is not None else {}
        return await self._loop.create_server(connection, sock=one, backlog=_BACKLOG, **options)

    def _check(self) -> None:
        now = self._loop.time()
        for connection in list(self._shared.connections):
            try:
                connection.check(now)
            except Exception:  # noqa: BLE001 - others go on
                _log.exception("a gRPC connection failed unexpectedly")
                connection.abort()
        self._timer = self._loop.call_later(_CHECK_SECONDS, self._check)
