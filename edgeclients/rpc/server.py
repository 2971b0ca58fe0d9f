"""Serving gRPC: the service, health and reflection on one port, for as long as the process lives."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator

import grpc

from edgeclients.addresses import authority
from edgeclients.errors import EndedError, StartError
from edgeclients.ops.listen import kept_for_grpc
from edgeclients.ops.tls import Tls
from edgeclients.rpc import health, reflection
from edgeclients.rpc.certificates import credentials
from edgeclients.rpc.core import LastingServer, Methods
from edgeclients.rpc.health import Health
from edgeclients.rpc.limits import options, quiet
from edgeclients.rpc.receiving import SECONDS, Receiving
from edgeclients.rpc.services import NAME, ClientsService

_log = logging.getLogger(__name__)

_ATTEMPTS = 20  # at listening again
_PAUSE_SECONDS = 0.25  # between them
_SOUND_SECONDS = 60.0  # of serving after which an end is no longer one of a row
_GRACE_SECONDS = 7.0  # for calls that a loop which has ended had begun


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
        connections: how many there may be at a time.
        shared: whether other processes of ours listen on the same port.
        receive: seconds until a caller's message has come.

    Raises:
        StartError: the port is taken.
    """

    def __init__(
        self,
        service: ClientsService,
        host: str,
        port: int,
        tls: Callable[[], Tls] | None,
        most: int,
        connections: int,
        *,
        shared: bool = False,
        receive: float = SECONDS,
    ) -> None:
        quiet()
        receiving = Receiving(receive)
        self._health = Health(("", "clients", NAME), receiving)
        reflects = {reflection.METHOD: reflection.handler((NAME, health.NAME), receiving)}
        self._methods: Methods = {
            NAME: service.methods(receiving, most),
            health.NAME: self._health.methods(),
            reflection.V1: reflects,
            reflection.V1ALPHA: reflects,
        }
        self._host, self._tls, self._shared = host, tls, shared
        self._options = options(connections, shared=shared)
        self._watching: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self.serving = False
        self._server, self.port = self._made(port)

    async def start(self) -> None:
        """Accept calls from here on."""
        await self._server.start()
        self._now(serving=True)
        self._watching = asyncio.ensure_future(self._watch())

    async def ended(self) -> None:
        """Wait as long as it serves, or is made to serve again.

        Raises:
            EndedError: it does not, any more.
        """
        if self._watching is not None:
            await asyncio.shield(self._watching)

    async def stop(self, grace: float) -> None:
        """Say NOT_SERVING, accept no more, give calls that have begun `grace` seconds."""
        self._now(serving=False)
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        await asyncio.gather(self._server.stop(grace), *self._leaving)

    def _made(self, port: int) -> tuple[LastingServer, int]:
        server = LastingServer(self._methods, self._options)
        return server, _listen(server, self._host, port, self._tls, shared=self._shared)

    async def _watch(self) -> None:
        """Serve again whenever that has ended, whatever ended it."""
        in_a_row = 0
        while True:
            began = time.monotonic()
            why = await self._server.ended()
            in_a_row = in_a_row + 1 if time.monotonic() - began < _SOUND_SECONDS else 0
            if in_a_row > _ATTEMPTS:
                raise EndedError(f"gRPC ends again and again ({type(why).__name__})")
            _log.error("gRPC has ended and is started again", exc_info=why)
            self._now(serving=False)
            self._leave(self._server)
            await asyncio.sleep(_PAUSE_SECONDS if in_a_row else 0)
            await self._begin_again()
            self._now(serving=True)
            _log.info("gRPC serves again")

    def _leave(self, server: LastingServer) -> None:
        leaving = asyncio.ensure_future(server.stop(_GRACE_SECONDS))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _begin_again(self) -> None:
        for _ in range(_ATTEMPTS):
            await asyncio.sleep(0)  # what has ended is to let go of its port
            with contextlib.suppress(StartError):
                self._server, _ = self._made(self.port)
                await self._server.start()
                return
            await asyncio.sleep(_PAUSE_SECONDS)
        raise EndedError(f"gRPC has ended and cannot listen on {authority(self._host, self.port)} again")

    def _now(self, *, serving: bool) -> None:
        self.serving = serving
        self._health.say(serving=serving)


def _listen(server: LastingServer, host: str, port: int, tls: Callable[[], Tls] | None, *, shared: bool) -> int:
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
