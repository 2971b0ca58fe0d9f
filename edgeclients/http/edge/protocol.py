"""uvicorn's HTTP/1.1 connection with the limits it lacks: header size, and time for headers, bodies and slow readers.

Without them 192 MB of headers were accepted when tried, and a caller could hold a connection for ever a byte at a time.

An answer may come before all of its request has. Closing then, or with anything unread, would reset the connection, and the
answer with it: what the caller still sends is read and thrown away first, within limits.
"""

import asyncio
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from edgeclients.errors import DomainError, HeadersTooLarge, MalformedRequest, RequestTimedOut, row_of
from edgeclients.http.edge.clocks import ConnectionLimits, TimedProtocol
from edgeclients.http.edge.cycles import Answers, closing_unless_asked
from edgeclients.http.edge.upgrades import head_without_upgrade, may_be_ignored
from edgeclients.http.wire.failures import JSON, error_body

_QUIET = 5.0  # seconds without a byte, behind which a caller has said what it had to say
_LAST = 2.0  # seconds for whoever still sends while the service ends, which has little time itself
_PIPELINE = 8  # requests that may wait behind one on their connection


class LimitedProtocol(TimedProtocol):
    """One connection. `limits` is set on a subclass by `limited`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unparsed = 0  # bytes since the parser last got somewhere
        self._head_bytes = 0
        self._in_headers = True  # or between two requests
        self._begun = False  # a request has begun, and not ended
        self._upgrading = False  # the head that was parsed asks for an upgrade
        self._refused = False  # nothing more is parsed
        self._owed: DomainError | None = None  # told when those before it have been answered
        self._ending = False  # answered, and to be closed behind its body
        self._drained = 0  # bytes thrown away
        self._answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for a request, unless there are too many connections already."""
        super().connection_made(transport)
        self._answers = cast("asyncio.Transport", Answers(transport, self._end))
        if len(self.connections) > self.limits.connections:
            transport.abort()
            return
        self._arm(self.limits.read_header)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop what is worked on, too; it need not be what came last."""
        if self._answering is not None:
            self._answering.disconnected = not self._answering.response_complete
            self._answering.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and look at what it could make no use of yet: headers, trailers, chunk extensions."""
        if self.transport.is_closing():
            return
        if self._refused or self._is_answered_early():
            self._drained += len(data)
            if self._drained > self.limits.drained_bytes:
                self._hang_up()
                return
            if self._refused:
                return
        self._unset_keepalive_if_required()
        if self._in_headers and self._read_timer is None:
            self._arm(self.limits.read_header)
        self._unparsed += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self._refuse(MalformedRequest())
        if self._unparsed > self.limits.header_bytes:
            self._refuse(HeadersTooLarge())

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
                data = b""
            except httptools.HttpParserUpgrade as upgrade:
                # The parser skips the body of what asks for an upgrade, and would take it for the next request.
                self._upgrading = False
                if self._refused:
                    return
                method, version = self.parser.get_method(), self.parser.get_http_version()
                data = head_without_upgrade(method, self.url, version, self.headers) + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)  # the other may think that all has been said
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def on_message_begin(self) -> None:
        """A request's first byte was parsed."""
        super().on_message_begin()
        if self._refused:
            return
        self._unset_keepalive_if_required()
        if self._read_timer is None:
            self._arm(self.limits.read_header)
        self._in_headers = self._begun = True
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
        elif self.parser.should_upgrade():
            self._upgrading = True
            if not may_be_ignored(self.parser.get_method(), self.headers):
                self._refuse(MalformedRequest())
        elif len(self.pipeline) >= _PIPELINE:
            self._refuse(MalformedRequest())
        else:
            self._drained = 0
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
        if self._refused or self._upgrading:
            return
        early = self._is_answered_early()
        self._disarm()
        self._in_headers, self._begun = True, False
        super().on_message_complete()
        if self._ending and self.transport.can_write_eof():
            self._linger()
        elif self._ending:
            self._refused = True
            self.transport.close()
        elif early:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def on_response_complete(self) -> None:
        """A request was answered: on with the next one, or with what is left of this one."""
        super().on_response_complete()
        if self.transport.is_closing() or not (self._refused or self._is_answered_early()):
            return
        self._unset_keepalive_if_required()
        if not self._refused:
            self._arm(self.limits.read)
        elif self._owed is not None and not self._is_answering():
            self._tell(self._owed)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        cycle.transport = self._answers
        if cycle.waiting_for_100_continue:
            app = closing_unless_asked(app, cycle)
        super()._start_asgi_task(cycle, app)

    def _is_answered_early(self) -> bool:
        """Whether a body still comes that nobody waits for."""
        return not self._in_headers and self.cycle.response_complete

    def _is_answering(self) -> bool:
        return self._answering is not None and not self._answering.response_complete

    def shutdown(self) -> None:
        """Close as soon as whoever was asked something is answered; whoever still sends has little time to be told."""
        if not self._is_answered_early() and (not self._refused or self._owed is not None):
            super().shutdown()
            return
        if not (self._refused or self._ending):
            self._end()
        self._disarm()
        self._read_timer = self.loop.call_later(_LAST, self._hang_up)

    def _too_slow(self) -> None:
        self._read_timer = None
        if not self._begun and self._unparsed == 0:
            self.transport.close()  # nobody has asked anything
        elif self._is_answered_early():
            self._hang_up()
        else:
            self._refuse(RequestTimedOut())

    def _refuse(self, error: DomainError) -> None:
        """Answer `error` in its turn where that does not cut into another answer, parse no further, and close."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._disarm()
        if self._is_answered_early():
            self._linger()
            return
        if not self._in_headers:
            self._take_back(self.cycle)
        if not self._is_answering():
            self._tell(error)
        elif self._answering is self.cycle and not self._in_headers:
            self.transport.close()  # its answer has begun
        else:
            self._owed = error

    def _take_back(self, cycle: RequestResponseCycle) -> None:
        """Let the application have no more of a request whose body is wrong."""
        cycle.disconnected = True
        cycle.message_event.set()
        if cycle is not self._answering:
            self.pipeline.popleft()  # the last that came
        elif not cycle.response_started:
            self._answering = None

    def _tell(self, error: DomainError) -> None:
        body = error_body(error, "")
        head = (
            STATUS_LINE[row_of(error).http],
            b"content-type: " + JSON.encode() + b"\r\n",
            b"content-length: " + str(len(body)).encode() + b"\r\n",
            b"connection: close\r\n\r\n",
        )
        self.transport.write(b"".join((*head, body)))
        self._linger()

    def _end(self) -> None:
        """Close behind an answer that was the last one, once what belongs to its request is here."""
        if self._is_answering() or (self._in_headers and not (self.pipeline or self._refused)):
            self.transport.close()  # half an answer, or nothing is left to come
        elif self.pipeline or self._refused:
            self.pipeline.clear()
            self._linger()
        else:
            self._ending = True
            self._half_close()

    def _linger(self) -> None:
        """Say that nothing more comes, and throw away what the caller sends, until it closes or is quiet."""
        self._refused = True
        self._owed = None
        self._disarm()
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        self._half_close()
        self._await_quiet(self.loop.time() + self.limits.read, -1)

    def _await_quiet(self, until: float, drained: int) -> None:
        if self._drained == drained or self.loop.time() >= until:
            self._hang_up()
        else:
            self._read_timer = self.loop.call_later(_QUIET, self._await_quiet, until, self._drained)


def limited(limits: ConnectionLimits) -> type[LimitedProtocol]:
    """The protocol with these limits; uvicorn makes an object of it for each connection."""
    return type("Protocol", (LimitedProtocol,), {"limits": limits})
