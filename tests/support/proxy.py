"""A way to a server that can be cut, or go silent as a half-open connection does."""

import contextlib
import socket
import ssl
import threading
from typing import Self

from tests.support.waiting import PATIENCE


class Proxy:
    """Forwards connections to a port of this machine.

    Args:
        port: where to.
        freeze_after: bytes towards the server after which it goes silent by itself; None: never.
        tls: callers speak TLS with this.
    """

    def __init__(self, port: int, freeze_after: int | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._target = port
        self._left = freeze_after
        self._tls = tls
        self._flowing = threading.Event()
        self._flowing.set()
        self.frozen = threading.Event()
        self._cut = False
        self._closing = False
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self.thaw()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(PATIENCE)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """End every connection, and every new one at once."""
        self._cut = True
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let new connections through again."""
        self._cut = False

    def show(self, tls: ssl.SSLContext) -> None:
        """New connections meet this."""
        self._tls = tls

    def freeze(self) -> None:
        """Go silent: connections stay, new ones are accepted, nothing goes through."""
        self._flowing.clear()
        self.frozen.set()

    def thaw(self) -> None:
        """Let everything through, what was held back first."""
        self._left = None
        self.frozen.clear()
        self._flowing.set()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            if self._cut:
                caller.close()
                continue
            self._start(self._connect, caller)

    def _connect(self, caller: socket.socket) -> None:
        try:
            if self._tls is not None:
                caller = self._tls.wrap_socket(caller, server_side=True)
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            caller.close()
            return
        self._open += [caller, server]
        back = threading.Thread(target=self._pump, args=(server, caller, False), daemon=True)
        back.start()
        self._pump(caller, server, True)
        back.join()
        caller.close()
        server.close()

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        try:
            while content := source.recv(65536):
                if counted and self._left is not None:
                    self._left -= len(content)
                    if self._left < 0:
                        self.freeze()
                self._flowing.wait()
                sink.sendall(content)
        except OSError:
            pass
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
