"""An HTTP server that is asked, and answers as the test wants."""

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, urlsplit

from tests.support.waiting import PATIENCE


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    certificate: str  # whose, if the caller showed one

    @property
    def question(self) -> dict[str, Any]:
        """The body, decoded."""
        told: dict[str, Any] = json.loads(self.body)
        return told


class Reply(NamedTuple):
    """What is answered: all at once, or as long as somebody reads, `more` on and on."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}
    more: bytes = b""


class Callee:
    """The server while it serves; set `reply` for what comes next."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.reply: Callable[[Asked], Reply] = lambda _: Reply()
        self.let_go = threading.Event()  # for replies that wait
        self.given_up = threading.Event()  # somebody stopped reading
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"callee": self}))
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_port
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}/ask"

    def silent(self, _: Asked) -> Reply:
        """A reply that does not come before the end of the test."""
        self.let_go.wait()
        return Reply()

    def forget(self) -> None:
        """As if nobody had asked yet."""
        self.asked.clear()
        self.reply = lambda _: Reply()

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.01)

    def stop(self) -> None:
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def asked_by_http(tls: ssl.SSLContext | None = None) -> Iterator[Callee]:
    """A server that answers 200 until it is told otherwise."""
    callee = Callee(tls)
    thread = threading.Thread(target=callee.serve)
    thread.start()
    try:
        yield callee
    finally:
        callee.stop()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    callee: Callee  # whose server it is: a class for each

    def setup(self) -> None:
        self.request.settimeout(PATIENCE)
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().setup()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None: ...

    def _answer(self) -> None:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        asked = Asked(self.command, address.path, dict(parse_qsl(address.query)), dict(self.headers), body, self._shown())
        self.callee.asked.append(asked)
        reply = self.callee.reply(asked)
        try:
            self._send(reply)
        except OSError:
            self.callee.given_up.set()
            self.close_connection = True

    def _shown(self) -> str:
        if not isinstance(self.request, ssl.SSLSocket):
            return ""
        subject = cast("Any", self.request.getpeercert() or {}).get("subject", ())
        return str(dict(pair for part in subject for pair in part).get("commonName", ""))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.more:
            self.send_header("connection", "close")
        elif reply.status not in {204, 304}:
            self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)
        while reply.more and not self.callee.let_go.wait(0 if len(reply.more) > 1 else 0.05):
            self.wfile.write(reply.more)
