"""One connection: bytes in, frames to whom they concern (RFC 9113, sections 3, 4 and 6)."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Final, cast

from typing_extensions import override

from edgeclients.lane import frames
from edgeclients.lane.blocks import HeaderBlocks
from edgeclients.lane.exchange import Exchange
from edgeclients.lane.frames import Code, ConnectionFault, StreamFault
from edgeclients.lane.incoming import Incoming
from edgeclients.lane.memory import Share
from edgeclients.lane.outgoing import Outgoing
from edgeclients.lane.rates import Rates
from edgeclients.lane.reading import FrameReader
from edgeclients.lane.shared import Shared

_log = logging.getLogger(__name__)

_TOLD_BYTES: Final = 32 * 1024  # received, before the peer is told of new room
_TURN_SECONDS: Final = 0.005  # of one connection, when others wait
_FRAMES: Final = 16  # between two looks at the time
_PROBE: Final = frames.frame(frames.PING, 0, 0, b"present?")
_ACKNOWLEDGED: Final = frames.frame(frames.SETTINGS, frames.ACK, 0)


class Connection(asyncio.Protocol):
    """A connection of a client.

    Args:
        shared: what the server's connections have in common.
        loop: the event loop.
    """

    def __init__(self, shared: Shared, loop: asyncio.AbstractEventLoop) -> None:
        self._shared = shared
        self._limits = limits = shared.limits
        self._loop = loop
        self._rates = Rates(limits, loop.time, self._progress)
        share = Share(shared.budget)
        self._outgoing = Outgoing(loop, limits, share)
        blocks = HeaderBlocks(shared.decoder(limits.header_list_bytes), shared.requests)
        incoming = Incoming(limits, share, self._outgoing)
        self._exchange = Exchange(shared.methods, limits, blocks, self._outgoing, incoming, self._rates, loop, self._on_idle)
        self._transport: asyncio.Transport
        self._reader = FrameReader(limits.frame_bytes, self._take_frame)
        self._frames = 0
        self._has_settings = self._is_acknowledged = False
        self._block: bytearray | None = None
        self._block_stream = self._block_flags = self._block_depends = self._continuations = 0
        self._receive_window = limits.connection_window_bytes
        self._untold = 0
        self._is_leaving = self._is_turn_over = False
        self._last_told = frames.STREAM
        self._began_at = self._received_at = self._idle_since = loop.time()
        self._probed_at: float | None = None
        self._closed_at: float | None = None
        self._handlers: tuple[Callable[[int, int, bytes], None], ...] = (
            *(self._on_data, self._on_headers, self._on_priority, self._on_reset, self._on_settings, self._on_push_promise),
            *(self._on_ping, self._on_goaway, self._on_window_update, self._on_continuation),
        )

    # The transport.

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._shared.is_full or not _is_acceptable(transport):
            self._closed_at = self._loop.time()
            self._transport.abort()
            return
        self._shared.add(self)
        self._outgoing.connect(self._transport)
        self._exchange.peer = _peer(transport) or f"unix:{id(self)}"
        self._transport.write(self._shared.greeting)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._shared.discard(self)
        self._closed_at = self._loop.time()
        self._exchange.drop_all()

    @override
    def pause_writing(self) -> None:
        self._outgoing.block()
        self._transport.pause_reading()

    @override
    def resume_writing(self) -> None:
        self._outgoing.unblock()
        self._exchange.now = self._loop.time()
        self._exchange.on_room()
        self._go_on()

    def _go_on(self) -> None:
        """Do what was left when the transport was full, or the turn over."""
        if self._outgoing.is_blocked:
            return
        self._is_turn_over = False
        self._exchange.now = self._loop.time()
        self._take(b"")
        if not (self._outgoing.is_blocked or self._is_turn_over or self._transport.is_closing()):
            self._transport.resume_reading()

    @override
    def eof_received(self) -> bool:
        return False

    @override
    def data_received(self, data: bytes) -> None:
        self._received_at = self._exchange.now = self._loop.time()
        self._take(data)

    def _take(self, data: bytes) -> None:
        """Do what the frames in `data`, and in what is left from before, say; whatever that is, other connections go on."""
        if self._closed_at is not None:
            return
        self._outgoing.collect()
        try:
            self._reader.read(data)
        except ConnectionFault as fault:
            self._end(fault.code, fault.why)
        except Exception:  # noqa: BLE001 - it is not known what it is
            _log.exception("a gRPC connection failed unexpectedly")
            self._end(Code.INTERNAL_ERROR)
        self._outgoing.flush()

    def _ends_turn(self) -> bool:
        """Whether it is the turn of other connections. Then this one goes on after them."""
        if self._loop.time() - self._exchange.now < _TURN_SECONDS:
            return False
        self._is_turn_over = True
        self._transport.pause_reading()
        self._loop.call_soon(self._go_on)
        return True

    def _take_frame(self, kind: int, flags: int, number: int, payload: bytes) -> bool:
        """Do what a frame says; returns whether the next one may follow now."""
        self._on_frame(kind, flags, number, payload)
        if self._closed_at is not None or self._outgoing.is_blocked:
            return False
        self._frames += 1
        return bool(self._frames % _FRAMES) or not self._ends_turn()

    def _on_frame(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if self._block is not None and (kind != frames.CONTINUATION or number != self._block_stream):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a header block is not complete")
        if not self._has_settings:
            if kind != frames.SETTINGS or flags & frames.ACK:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "SETTINGS come first")
            self._has_settings = True
        if kind >= len(self._handlers):
            self._rates.count("priorities")
            return
        try:
            self._handlers[kind](flags, number, payload)
        except StreamFault as fault:
            self._rates.count("resets")
            self._exchange.reset(fault)

    def _progress(self) -> int:
        """How many parts of calls there have been."""
        return self._exchange.begun + self._exchange.ended + self._outgoing.parts

    # Frames of streams.

    def _on_headers(self, flags: int, number: int, payload: bytes) -> None:
        if not number % 2:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "HEADERS on a stream of ours")
        depends = 0
        if flags & (frames.PADDED | frames.WITH_PRIORITY):
            if flags & frames.PADDED:
                payload = _unpadded(payload)
            if flags & frames.WITH_PRIORITY:
                if len(payload) < frames.PRIORITY_BYTES:
                    raise ConnectionFault(Code.FRAME_SIZE_ERROR, "HEADERS")
                depends, payload = frames.word_in(payload), payload[frames.PRIORITY_BYTES :]
        if flags & frames.END_HEADERS:
            self._exchange.on_block(number, payload, ends=bool(flags & frames.END_STREAM), depends=depends)
            return
        self._block, self._block_stream, self._block_flags = bytearray(payload), number, flags
        self._block_depends, self._continuations = depends, 0

    def _on_continuation(self, flags: int, number: int, payload: bytes) -> None:
        if self._block is None:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "CONTINUATION of nothing")
        self._continuations += 1
        self._block += payload
        if self._continuations > self._limits.continuations or len(self._block) > self._limits.header_block_bytes:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "header block is too long")
        if flags & frames.END_HEADERS:
            block, self._block = bytes(self._block), None
            ends = bool(self._block_flags & frames.END_STREAM)
            self._exchange.on_block(number, block, ends=ends, depends=self._block_depends)

    def _on_data(self, flags: int, number: int, payload: bytes) -> None:
        length = len(payload)
        self._receive_window -= length
        if self._receive_window < 0:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "window of the connection")
        self._untold += length
        if self._untold >= _TOLD_BYTES:
            self._outgoing.send(frames.window_update(0, self._untold))
            self._receive_window += self._untold
            self._untold = 0
        if flags & frames.PADDED:
            payload = _unpadded(payload)
        self._exchange.on_data(number, payload, length, ends=bool(flags & frames.END_STREAM))

    def _on_priority(self, _flags: int, number: int, payload: bytes) -> None:
        self._rates.count("priorities")
        if not number:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PRIORITY")
        if len(payload) != frames.PRIORITY_BYTES:
            raise StreamFault(number, Code.FRAME_SIZE_ERROR, "PRIORITY")
        if frames.word_in(payload) == number:
            raise StreamFault(number, Code.PROTOCOL_ERROR, "a stream depends on itself")

    def _on_reset(self, _flags: int, number: int, payload: bytes) -> None:
        if not number:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "RST_STREAM")
        if len(payload) != frames.WORD_BYTES:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "RST_STREAM")
        self._exchange.on_reset(number)

    def _on_push_promise(self, _flags: int, _number: int, _payload: bytes) -> None:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "PUSH_PROMISE")

    # Frames of the connection.

    def _on_settings(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "SETTINGS on a stream")
        self._rates.count("settings")
        if flags & frames.ACK:
            if payload:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "SETTINGS acknowledged")
            self._is_acknowledged = True
            return
        if len(payload) % frames.SETTING_BYTES:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "SETTINGS")
        initial_window = self._outgoing.initial_window
        for name, value in frames.settings_in(payload):
            self._check_setting(name, value)
            if name == frames.HEADER_TABLE_SIZE:
                self._outgoing.use_table(value)
            elif name == frames.INITIAL_WINDOW_SIZE:
                initial_window = value  # the last one: there may be thousands, and each would concern every stream
        self._outgoing.use_initial_window(initial_window, self._exchange.streams.values())
        self._outgoing.send(_ACKNOWLEDGED)
        self._exchange.on_room()

    def _check_setting(self, name: int, value: int) -> None:
        if name == frames.INITIAL_WINDOW_SIZE and value > frames.LARGEST_WINDOW:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE")
        if name == frames.ENABLE_PUSH and value > 1:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "ENABLE_PUSH")
        if name == frames.MAX_FRAME_SIZE and not frames.DEFAULT_FRAME <= value <= frames.LARGEST_FRAME:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "MAX_FRAME_SIZE")

    def _on_ping(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != frames.PING_BYTES:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "PING")
        self._rates.count_beside_calls("pings")
        if flags & frames.ACK:
            return
        self._outgoing.send(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _on_goaway(self, _flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < frames.GOAWAY_BYTES:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "GOAWAY")
        self._is_leaving = True
        self._close_if_done()

    def _on_window_update(self, _flags: int, number: int, payload: bytes) -> None:
        if len(payload) != frames.WORD_BYTES:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "WINDOW_UPDATE")
        self._rates.count_beside_calls("window_updates")
        increment = frames.word_in(payload)
        if number:
            self._exchange.on_window(number, increment)
            return
        if not increment:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "WINDOW_UPDATE of nothing")
        self._outgoing.widen(increment)
        self._exchange.on_room()

    # Time.

    def check(self, now: float) -> None:
        """End the connection, or calls on it, where something takes too long. To be called every second or so."""
        if self._closed_at is not None:
            if self._closed_at <= now - self._limits.closing_seconds:
                self._transport.abort()
            return
        if not (self._has_settings and self._is_acknowledged) and self._began_at <= now - self._limits.settings_seconds:
            self._end(Code.SETTINGS_TIMEOUT, "settings were not acknowledged")
        elif self._outgoing.is_stuck(now - self._limits.stalled_seconds):
            self._transport.abort()
        elif not self._exchange.streams:
            if self._idle_since <= now - self._limits.idle_seconds:
                self._end(Code.NO_ERROR, "no calls")
        else:
            self._probe(now)
            self._exchange.check(now)

    def _probe(self, now: float) -> None:
        """Find out whether the peer is still there."""
        silent = self._limits.silent_seconds
        if self._received_at > now - silent:
            self._probed_at = None
        elif self._probed_at is None:
            self._probed_at = now
            self._outgoing.send(_PROBE)
        elif self._probed_at <= now - silent:
            self._transport.abort()

    def _on_idle(self) -> None:
        self._idle_since = self._loop.time()
        if self._is_leaving:
            self._close_if_done()

    # The end.

    def go_away(self) -> None:
        """Take no more calls; the connection closes when those that have begun are answered."""
        self._say_goodbye(Code.NO_ERROR)
        self._is_leaving = self._exchange.refuses = True
        self._close_if_done()

    def abort(self) -> None:
        """Close the connection now."""
        self._transport.abort()

    def _end(self, code: Code, why: str = "") -> None:
        """Send GOAWAY, and close the connection."""
        self._say_goodbye(code, why)
        self._close()

    def _say_goodbye(self, code: Code, why: str = "") -> None:
        self._last_told = min(self._last_told, self._exchange.last)  # never more than before (section 6.8)
        self._outgoing.send(frames.goaway(self._last_told, code, why))

    def _close_if_done(self) -> None:
        if not self._exchange.streams and self._closed_at is None:
            self._close()

    def _close(self) -> None:
        self._closed_at = self._loop.time()
        self._is_leaving = True
        self._exchange.drop_all()
        self._outgoing.flush()
        self._transport.close()


def _unpadded(payload: bytes) -> bytes:
    if not payload:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, "padding")
    padding = payload[0]
    if padding >= len(payload):
        raise ConnectionFault(Code.PROTOCOL_ERROR, "padding")
    return payload[1 : len(payload) - padding]


def _is_acceptable(transport: asyncio.BaseTransport) -> bool:
    """Whether the peer has chosen HTTP/2, where it had a choice (section 3.2), and shown its certificate, where it has to."""
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if tls is None:
        return True
    is_old = tls.session_reused and tls.context.verify_mode is ssl.CERT_REQUIRED  # its authority may have been removed since
    return tls.selected_alpn_protocol() == "h2" and not is_old


def _peer(transport: asyncio.BaseTransport) -> str:
    found = transport.get_extra_info("peername")
    return f"{found[0]}:{found[1]}" if isinstance(found, tuple) else ""
