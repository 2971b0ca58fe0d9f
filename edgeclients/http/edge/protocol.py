"""uvicorn's HTTP/1.1 connection with the limits it lacks: header size, and time for headers, bodies and slow readers.

Without them uvicorn accepted 192 MB of headers in a test, and a caller could hold a connection forever a byte at a time.

A response may be complete before its request is. Closing then, or with unread input, resets the connection and loses the
response. So the protocol first reads and discards what the caller still sends, within limits.
"""

import asyncio
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from edgeclients.errors import DomainError, HeadersTooLarge, MalformedRequest, RequestTimedOut, row_of
from edgeclients.http.edge.clocks import ConnectionLimits, TimedProtocol
from edgeclients.http.edge.cycles import CycleTransport, closing_without_continue
from edgeclients.http.edge.streams import is_streamed
from edgeclients.http.edge.upgrades import head_without_upgrade, may_be_ignored
from edgeclients.http.wire.failures import JSON, error_body

_QUIET_SECONDS = 5.0  # without a byte, after which a caller counts as done
_SHUTDOWN_SECONDS = 2.0  # for a caller that still sends during shutdown, which is short itself
_PIPELINED = 8  # requests that may wait behind another one on a connection


class LimitedProtocol(TimedProtocol):
    """One connection. `limits` is set on a subclass by `limited`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unparsed_bytes = 0  # bytes since the parser last completed a head, a part of a body or a message
        self._head_bytes = 0
        self._in_headers = True  # or between requests
        self._in_request = False  # between the first and the last byte of a request
        self._upgrading = False  # the parsed head asks for an upgrade
        self._refused = False  # no further input is parsed
        self._pending_error: DomainError | None = None  # sent once the requests before it are answered
        self._closing_after_body = False  # the response is complete; closes after the body
        self._drained_bytes = 0  # bytes discarded
        self._answering: RequestResponseCycle | None = None
        self._streams = False  # the request's body may take as long as it likes, while something arrives

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Wait for a request. Abort a connection over the limit."""
        super().connection_made(transport)
        self._cycle_transport = cast("asyncio.Transport", CycleTransport(transport, self._close_after_response))
        if len(self.connections) > self.limits.connections:
            transport.abort()
            return
        self._start_read_timer(self.limits.read_header)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the request in progress, too, which need not be the last one received."""
        if self._answering is not None:
            self._answering.disconnected = not self._answering.response_complete
            self._answering.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and limit the input that it has not completed: headers, trailers, chunk extensions."""
        if self.transport.is_closing():
            return
        if self._refused or self._is_answered_early():
            self._drained_bytes += len(data)
            if self._drained_bytes > self.limits.drained_bytes:
                self._close_or_abort()
                return
            if self._refused:
                return
        self._unset_keepalive_if_required()
        if self._in_headers and self._read_timer is None:
            self._start_read_timer(self.limits.read_header)
        self._unparsed_bytes += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self._refuse(MalformedRequest())
        if self._unparsed_bytes > self.limits.header_bytes:
            self._refuse(HeadersTooLarge())

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
                data = b""
            except httptools.HttpParserUpgrade as upgrade:
                # The parser skips the body of an upgrade request, and would parse it as the next request.
                self._upgrading = False
                if self._refused:
                    return
                method, version = self.parser.get_method(), self.parser.get_http_version()
                data = head_without_upgrade(method, self.url, version, self.headers) + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)  # the old one may expect no further request
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def on_message_begin(self) -> None:
        """Handle the first byte of a request."""
        super().on_message_begin()
        if self._refused:
            return
        self._unset_keepalive_if_required()
        if self._read_timer is None:
            self._start_read_timer(self.limits.read_header)
        self._in_headers = self._in_request = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Count the URL, which is part of the head."""
        self._head_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the header."""
        self._head_bytes += len(name) + len(value) + 4
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Pass a valid request to the application. Its body gets the read timeout."""
        self._unparsed_bytes = 0
        if self._refused:
            return
        if self._head_bytes > self.limits.header_bytes:
            self._refuse(HeadersTooLarge())
        elif self.parser.should_upgrade():
            self._upgrading = True
            if not may_be_ignored(self.parser.get_method(), self.headers):
                self._refuse(MalformedRequest())
        elif len(self.pipeline) >= _PIPELINED:
            self._refuse(MalformedRequest())
        else:
            self._drained_bytes = 0
            self._streams = is_streamed(self.parser.get_method(), self.url)
            self._start_read_timer(self.limits.read)
            super().on_headers_complete()
            self._in_headers = False

    def on_body(self, body: bytes) -> None:
        """Handle a part of the body."""
        self._unparsed_bytes = 0
        if not self._refused:
            if self._streams:
                self._start_read_timer(self.limits.read)  # it limits a pause, not the whole request
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Handle the end of a request. The next one starts a new timer."""
        self._unparsed_bytes = 0
        if self._refused or self._upgrading:
            return
        early = self._is_answered_early()
        self._stop_read_timer()
        if self._streams and self.flow.write_paused:
            self._start_write_timer()
        self._in_headers, self._in_request = True, False
        super().on_message_complete()
        if self._closing_after_body and self.transport.can_write_eof():
            self._linger()
        elif self._closing_after_body:
            self._refused = True
            self.transport.close()
        elif early:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def on_response_complete(self) -> None:
        """Continue with the next request, or with the rest of this one."""
        super().on_response_complete()
        if self.transport.is_closing() or not (self._refused or self._is_answered_early()):
            return
        self._unset_keepalive_if_required()
        if not self._refused:
            self._start_read_timer(self.limits.read)
        elif self._pending_error is not None and not self._is_answering():
            self._send_error(self._pending_error)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        cycle.transport = self._cycle_transport
        if cycle.waiting_for_100_continue:
            app = closing_without_continue(app, cycle)
        super()._start_asgi_task(cycle, app)

    def _is_answered_early(self) -> bool:
        """Whether the body is still arriving although the response is complete."""
        return not self._in_headers and self.cycle.response_complete

    def _is_answering(self) -> bool:
        return self._answering is not None and not self._answering.response_complete

    def shutdown(self) -> None:
        """Close once the request in progress is answered. A caller that still sends has `_SHUTDOWN_SECONDS` to finish."""
        if not self._is_answered_early() and (not self._refused or self._pending_error is not None):
            super().shutdown()
            return
        if not (self._refused or self._closing_after_body):
            self._close_after_response()
        self._stop_read_timer()
        self._read_timer = self.loop.call_later(_SHUTDOWN_SECONDS, self._close_or_abort)

    def pause_writing(self) -> None:
        """Start the write timer, unless the caller still sends a request whose response has begun: many read afterwards."""
        super().pause_writing()
        if self._streams and not self._in_headers:
            self._stop_write_timer()

    def _on_read_timeout(self) -> None:
        self._read_timer = None
        if self._streams and not self._in_headers and self.flow.read_paused:
            self._start_read_timer(self.limits.read)  # it is the service that does not read now
            return
        if not self._in_request and self._unparsed_bytes == 0:
            self.transport.close()  # there is no request to answer
        elif self._is_answered_early():
            self._close_or_abort()
        else:
            self._refuse(RequestTimedOut())

    def _refuse(self, error: DomainError) -> None:
        """Stop parsing, send `error` in its turn unless it would interrupt another response, and close."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._stop_read_timer()
        if self._is_answered_early():
            self._linger()
            return
        if not self._in_headers:
            self._cancel_request(self.cycle)
        if not self._is_answering():
            self._send_error(error)
        elif self._answering is self.cycle and not self._in_headers:
            self.transport.close()  # its response has begun
        else:
            self._pending_error = error

    def _cancel_request(self, cycle: RequestResponseCycle) -> None:
        """Pass the application no more of a request whose body is invalid."""
        cycle.disconnected = True
        cycle.message_event.set()
        if cycle is not self._answering:
            self.pipeline.popleft()  # the last one received
        elif not cycle.response_started:
            self._answering = None

    def _send_error(self, error: DomainError) -> None:
        body = error_body(error, "")
        head = (
            STATUS_LINE[row_of(error).http],
            b"content-type: " + JSON.encode() + b"\r\n",
            b"content-length: " + str(len(body)).encode() + b"\r\n",
            b"connection: close\r\n\r\n",
        )
        self.transport.write(b"".join((*head, body)))
        self._linger()

    def _close_after_response(self) -> None:
        """Close after the last response, once the rest of its request has arrived."""
        if self._is_answering() or (self._in_headers and not (self.pipeline or self._refused)):
            self.transport.close()  # the response is incomplete, or no input is expected
        elif self.pipeline or self._refused:
            self.pipeline.clear()
            self._linger()
        else:
            self._closing_after_body = True
            self._half_close()

    def _linger(self) -> None:
        """Close for writing, and discard input until the caller closes or sends nothing for a while."""
        self._refused = True
        self._pending_error = None
        self._stop_read_timer()
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        self._half_close()
        self._await_quiet(self.loop.time() + self.limits.read, -1)

    def _await_quiet(self, until: float, drained_before: int) -> None:
        if self._drained_bytes == drained_before or self.loop.time() >= until:
            self._close_or_abort()
        else:
            self._read_timer = self.loop.call_later(_QUIET_SECONDS, self._await_quiet, until, self._drained_bytes)


def limited(limits: ConnectionLimits) -> type[LimitedProtocol]:
    """The protocol class with these limits; uvicorn creates an instance for each connection."""
    return type("Protocol", (LimitedProtocol,), {"limits": limits})
