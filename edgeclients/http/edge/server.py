"""The HTTP server, a task on the shared event loop."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any, cast

from uvicorn import Config, Server

from edgeclients.http.edge.clocks import ConnectionLimits
from edgeclients.http.edge.protocol import LimitedProtocol, limited
from edgeclients.http.scope import App
from edgeclients.ops.listen import BACKLOG

_GRACE_SECONDS = 7  # for requests in progress; the whole shutdown has 10


class HttpServer:
    """uvicorn as a task, without its signal handlers."""

    def __init__(
        self,
        app: Any,
        sockets: Sequence[socket.socket],
        limits: ConnectionLimits,
        idle: float,
        tls: ssl.SSLContext | None,
    ) -> None:
        config = Config(
            _forgetting(app),
            loop="none",
            http=limited(limits),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=max(1, round(idle)),
            timeout_graceful_shutdown=_GRACE_SECONDS,
            backlog=BACKLOG,
        )
        config.load()
        config.ssl = tls
        self._sockets = list(sockets)
        self._server = _SocketServer(config, limits.read_header)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start to accept connections."""
        serving = self._task = asyncio.ensure_future(self._server.serve(self._sockets))
        while not self._server.started:
            if serving.done():
                self._task = None
                serving.result()
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        """Stop accepting connections, and finish the requests in progress."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


def _forgetting(app: App) -> App:
    """`app`, of whose requests nothing is left: uvicorn keeps scope and body until the connection has another request."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        finally:
            scope.clear()

    return answer


class _SocketServer(Server):
    """uvicorn's server on existing sockets, with a timeout for TLS handshakes and without signal handlers."""

    def __init__(self, config: Config, handshake_timeout: float) -> None:
        super().__init__(config)
        self._handshake_timeout = handshake_timeout

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        config, loop = self.config, asyncio.get_running_loop()
        tls: dict[str, Any] = {"ssl": config.ssl, "ssl_handshake_timeout": self._handshake_timeout} if config.ssl else {}

        protocol_class = cast("type[LimitedProtocol]", config.http_protocol_class)

        def protocol() -> asyncio.Protocol:
            return protocol_class(config=config, server_state=self.server_state, app_state=self.lifespan.state)

        create = {socket.AF_UNIX: loop.create_unix_server}
        self.servers = [
            await create.get(one.family, loop.create_server)(protocol, sock=one, backlog=config.backlog, **tls)
            for one in sockets or ()
        ]
        self.started = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
