"""What stands between the service and PostgreSQL: TLS, which the packaged server cannot speak, or a line that goes dead."""

import asyncio
import contextlib
import ssl
import struct
import threading
from collections.abc import Iterator

from tests.support.certificates import Pair, server_context
from tests.support.postgres import Server
from tests.support.waiting import PATIENCE

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


class Front:
    """Forwards connections to a server.

    Args:
        server: where to.
        tls: None for whatever comes as it is; else what answers an SSLRequest, and anything but that is hung up on.
    """

    def __init__(self, server: Server, tls: ssl.SSLContext | None) -> None:
        self._upstream = server
        self._tls = tls
        self._open = threading.Event()
        self._held = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._stopped = asyncio.Event()

    @property
    def server(self) -> Server:
        """The server as it is reached through here."""
        return self._upstream._replace(host="127.0.0.1", port=self._port)

    def __enter__(self) -> "Front":
        self._thread.start()
        assert self._open.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(PATIENCE)
        self._loop.close()

    def hold(self, *, held: bool = True) -> None:
        """From now on, nothing gets through either way, and nobody is told."""
        self._held = held

    def show(self, tls: ssl.SSLContext) -> None:
        """New connections meet this."""
        self._tls = tls

    async def _serve(self) -> None:
        self._loop.set_exception_handler(lambda *_: None)  # refused handshakes are what is tested
        listener = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        self._port: int = listener.sockets[0].getsockname()[1]
        self._open.set()
        async with listener:
            await self._stopped.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._tls is not None:
                if await reader.readexactly(len(_SSL_REQUEST)) != _SSL_REQUEST:
                    return
                writer.write(b"S")
                await writer.drain()
                await writer.start_tls(self._tls)
            answers, requests = await asyncio.open_connection(self._upstream.host, self._upstream.port)
            try:
                ways = [asyncio.ensure_future(self._pump(reader, requests)), asyncio.ensure_future(self._pump(answers, writer))]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()
            finally:
                requests.close()
        except (OSError, asyncio.IncompleteReadError):
            pass  # that is how those who are refused leave
        finally:
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while block := await reader.read(65536):
                if self._held:
                    continue
                writer.write(block)
                await writer.drain()


@contextlib.contextmanager
def tls_front(server: Server, shown: Pair, client_ca: str = "") -> Iterator[Server]:
    """The server behind TLS that shows a certificate, and demands one if there is an authority for those."""
    with Front(server, server_context(shown, client_ca)) as front:
        yield front.server
