"""uvicorn's HTTP/1.1 connection with the limits it lacks: header size, and time for headers, bodies and slow readers.

Without them 192 MB of headers were accepted when tried, and a caller could hold a connection for ever a byte at a time.
"""

import asyncio
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from edgeclients.errors import DomainError, HeadersTooLarge, MalformedRequest, RequestTimedOut, row_of
from edgeclients.http.failures import JSON, error_body

_LINGER = 2.0
_PIPELINE = 8  # requests that may wait behind one on their connection


class ConnectionLimits(NamedTuple):
    """Seconds and bytes (contract 11.2)."""

    read_header: float = 5
    read: float = 15
    write: float = 15
    header_bytes: int = 1024 * 1024
    connections: int = 1024


class LimitedProtocol(HttpToolsProtocol):
    """One connection. `limits` is set on a subclass by `limited`."""

    limits = ConnectionLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unparsed = 0  # bytes since the parser last got somewhere
        self._head_bytes = 0
        self._in_headers = True
        self._refused = False
        self._read_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for a request, unless there are too many connections already."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.abort()
            return
        self._arm(self.limits.read_header)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop every clock."""
        self._disarm()
        self._disarm_write()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and look at what it could make no use of yet: headers, trailers, chunk extensions."""
        if self._refused or self.transport.is_closing():
            return
        if self._in_headers and self._read_timer is None:
            self._arm(self.limits.read_header)
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > self.limits.header_bytes:
            self._refuse(HeadersTooLarge())

    def on_message_begin(self) -> None:
        """A request's first byte was parsed."""
        super().on_message_begin()
        self._in_headers = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Count it: it is part of the head."""
        self._head_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count it."""
        self._head_bytes += len(name) + len(value) + 4
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Let the application have the request, if it is one; its body has the rest of the time for reading."""
        self._unparsed = 0
        if self._refused:
            return
        if self._head_bytes > self.limits.header_bytes:
            self._refuse(HeadersTooLarge())
        elif len(self.pipeline) >= _PIPELINE or (self.parser.should_upgrade() and self._has_body()):
            # The parser skips the body of what asks for an upgrade, and would take it for the next request.
            self._refuse(MalformedRequest())
        else:
            self._arm(self.limits.read)
            super().on_headers_complete()
            self._in_headers = False

    def on_body(self, body: bytes) -> None:
        """A part of the body was parsed."""
        self._unparsed = 0
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is here; the next one starts a clock of its own."""
        self._unparsed = 0
        if not self._refused:
            self._disarm()
            self._in_headers = True
            super().on_message_complete()

    def _has_body(self) -> bool:
        return any(
            (name == b"content-length" and value.strip() != b"0") or name == b"transfer-encoding"
            for name, value in self.headers
        )

    def pause_writing(self) -> None:
        """The caller does not take its answer as fast as it comes."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.limits.write, self.transport.abort)

    def resume_writing(self) -> None:
        """The caller has taken a part of it."""
        super().resume_writing()
        self._disarm_write()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing was asked for a while: close, and wait for a caller who does not read no longer than for any other.

        What such a caller has not taken may be too little for `pause_writing`.
        """
        super().timeout_keep_alive_handler()
        self.loop.call_later(self.limits.write, self.transport.abort)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's text; ours is the table's
        """Answer what is no HTTP."""
        self._refuse(MalformedRequest())

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._read_timer = self.loop.call_later(seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _disarm_write(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _too_slow(self) -> None:
        self._read_timer = None
        if self._in_headers and self._unparsed == 0:
            self.transport.close()  # nobody has asked anything
        else:
            self._refuse(RequestTimedOut())

    def _refuse(self, error: DomainError) -> None:
        """Answer `error` where that does not cut into another answer, read no further, and close."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._disarm()
        answerable = self._answerable()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not answerable:
            self.transport.close()
            return
        body = error_body(error, "")
        head = (
            STATUS_LINE[row_of(error).http],
            b"content-type: " + JSON.encode() + b"\r\n",
            b"content-length: " + str(len(body)).encode() + b"\r\n",
            b"connection: close\r\n\r\n",
        )
        self.transport.write(b"".join((*head, body)))
        # What the caller still sends is dropped for a while: closing at once would reset the connection under the answer.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._read_timer = self.loop.call_later(_LINGER, self.transport.close)

    def _answerable(self) -> bool:
        if self._in_headers or self.cycle is None:
            return self.cycle is None or self.cycle.response_complete
        return not self.cycle.response_started


def limited(limits: ConnectionLimits) -> type[LimitedProtocol]:
    """The protocol with these limits; uvicorn makes an object of it for each connection."""
    return type("Protocol", (LimitedProtocol,), {"limits": limits})
