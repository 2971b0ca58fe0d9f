"""One connection: frames in, states and windows, frames out (RFC 9113, sections 3 to 6)."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

from typing_extensions import override

from edgeclients.lane import calls, frames, hpack
from edgeclients.lane.budget import Budget
from edgeclients.lane.calls import Call, CallFailed, Methods, Status, Streaming, Unary
from edgeclients.lane.frames import HEAD, HEAD_BYTES, PREFACE, Code, ConnectionFault, StreamFault
from edgeclients.lane.limits import Limits
from edgeclients.lane.rates import Rates
from edgeclients.lane.requests import MalformedRequest, Request, check_trailers, request_of
from edgeclients.lane.streams import Stream

_log = logging.getLogger(__name__)

_FORGOTTEN: Final = 200  # streams that we have reset, whose frames may still arrive
_ACK_BYTES: Final = 32 * 1024  # received, before the peer is told of new room
_CACHED: Final = 64  # header blocks of one connection that are looked up
_LARGEST_CACHED: Final = 1024

_HEADERS_HEAD = HEAD.pack(0, len(calls.HEADERS), frames.HEADERS, frames.END_HEADERS, 0)[:5]
_OK_HEAD = HEAD.pack(0, len(calls.OK), frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 0)[:5]


class Shared:
    """What the connections of a server have in common."""

    def __init__(self, methods: Methods, limits: Limits, budget: Budget) -> None:
        self.methods = methods
        self.limits = limits
        self.budget = budget
        self.decoder = hpack.decoders()
        self.connections: set[Connection] = set()
        self.is_stopping = False


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
        self._decoder = shared.decoder(limits.header_list_bytes)
        self._blocks: dict[bytes, Request] = {}
        self._last_block = b""
        self._rates = Rates(limits, loop.time)
        self._streams: dict[int, Stream] = {}
        self._last = 0
        self._forgotten: deque[int] = deque(maxlen=_FORGOTTEN)
        self._input = bytearray()
        self._needed = len(PREFACE)
        self._has_preface = self._has_settings = False
        self._block: bytearray | None = None
        self._block_stream = self._block_flags = self._continuations = 0
        self._out: list[bytes] = []
        self._is_receiving = False
        self._send_window = self._initial_window = frames.DEFAULT_WINDOW
        self._largest_frame = frames.DEFAULT_FRAME
        self._receive_window = limits.connection_window_bytes
        self._consumed = 0
        self._unsent = 0
        self._going_away = False
        self._transport: asyncio.Transport
        self.peer = ""
        self.active_at = loop.time()
        self._handlers: tuple[Callable[[int, int, bytes], None], ...] = (
            *(self._on_data, self._on_headers, self._on_priority, self._on_reset, self._on_settings, self._on_push_promise),
            *(self._on_ping, self._on_goaway, self._on_window_update, self._on_continuation),
        )

    # The transport.

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=128 * 1024)
        self.peer = _peer(transport)
        self._shared.connections.add(self)
        limits = self._limits
        self._out.append(
            frames.settings(
                {
                    frames.MAX_CONCURRENT_STREAMS: limits.streams,
                    frames.INITIAL_WINDOW_SIZE: limits.window_bytes,
                    frames.MAX_HEADER_LIST_SIZE: limits.header_list_bytes,
                }
            )
        )
        self._out.append(frames.window_update(0, limits.connection_window_bytes - frames.DEFAULT_WINDOW))
        self._flush()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._shared.connections.discard(self)
        self._going_away = True
        for stream in list(self._streams.values()):
            self._drop(stream)

    @override
    def pause_writing(self) -> None:
        self._transport.pause_reading()

    @override
    def resume_writing(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    @override
    def eof_received(self) -> bool:
        return False

    @override
    def data_received(self, data: bytes) -> None:
        self.active_at = self._loop.time()
        self._is_receiving = True
        try:
            self._receive(data)
        except ConnectionFault as fault:
            self._end(fault.code, fault.why)
        except Exception:
            _log.exception("a gRPC connection failed unexpectedly")
            self._end(Code.INTERNAL_ERROR, "")
        finally:
            self._is_receiving = False
        if self._out:
            self._flush()

    def _receive(self, data: bytes) -> None:
        if self._input:
            self._input += data
            if len(self._input) < self._needed:
                return
            data = bytes(self._input)
            self._input.clear()
        place, end = 0, len(data)
        if not self._has_preface:
            if end < len(PREFACE):
                if data != PREFACE[:end]:
                    raise ConnectionFault(Code.PROTOCOL_ERROR, "preface")
                self._keep(data, len(PREFACE))
                return
            if not data.startswith(PREFACE):
                raise ConnectionFault(Code.PROTOCOL_ERROR, "preface")
            self._has_preface, place = True, len(PREFACE)
        while end - place >= HEAD_BYTES:
            high, low, kind, flags, number = HEAD.unpack_from(data, place)
            length = high << 8 | low
            if length > self._limits.frame_bytes:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "frame is too long")
            behind = place + HEAD_BYTES + length
            if behind > end:
                self._keep(data[place:], HEAD_BYTES + length)
                return
            self._on_frame(kind, flags, number & frames.STREAM, data[place + HEAD_BYTES : behind])
            place = behind
            if self._going_away and self._transport.is_closing():
                return
        if place < end:
            self._keep(data[place:], HEAD_BYTES)

    def _keep(self, rest: bytes, needed: int) -> None:
        self._input += rest
        self._needed = needed

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
            self._reset(fault.stream, fault.code)

    def _flush(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _written(self) -> None:
        """Send what is to be sent, unless that is about to happen for all that has arrived."""
        if not self._is_receiving and self._out:
            self._flush()

    def _end(self, code: Code, why: str = "") -> None:
        """Send GOAWAY, and close the connection."""
        self._out.append(frames.goaway(self._last, code, why))
        self._flush()
        self._going_away = True
        self._transport.close()

    # Frames.

    def _on_settings(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & frames.ACK:
            if payload:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "SETTINGS acknowledged")
            return
        if len(payload) % 6:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "SETTINGS")
        self._rates.count("settings")
        for name, value in frames.settings_in(payload):
            self._set(name, value)
        self._out.append(frames.frame(frames.SETTINGS, frames.ACK, 0))

    def _set(self, name: int, value: int) -> None:
        if name == frames.ENABLE_PUSH and value > 1:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "ENABLE_PUSH")
        if name == frames.INITIAL_WINDOW_SIZE:
            if value > frames.LARGEST_WINDOW:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE")
            more, self._initial_window = value - self._initial_window, value
            for stream in list(self._streams.values()):
                stream.send_window += more
                if stream.send_window > frames.LARGEST_WINDOW:
                    raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE")
                if more > 0:
                    self._send_unsent(stream)
        if name == frames.MAX_FRAME_SIZE:
            if not frames.DEFAULT_FRAME <= value <= frames.LARGEST_FRAME:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "MAX_FRAME_SIZE")
            self._largest_frame = value

    def _on_ping(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "PING")
        if not flags & frames.ACK:
            self._rates.count("pings")
            self._out.append(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _on_goaway(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 8:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "GOAWAY")
        self._going_away = True
        self._close_if_done()

    def _on_window_update(self, flags: int, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "WINDOW_UPDATE")
        self._rates.count("window_updates")
        increment = frames.word_in(payload)
        stream = self._streams.get(number)
        if number and stream is None:
            self._check_not_idle(number)
            return
        if not increment:
            raise self._fault(number, Code.PROTOCOL_ERROR, "WINDOW_UPDATE of nothing")
        if stream is not None:
            stream.send_window += increment
            if stream.send_window > frames.LARGEST_WINDOW:
                raise StreamFault(number, Code.FLOW_CONTROL_ERROR, "WINDOW_UPDATE")
            self._send_unsent(stream)
            return
        self._send_window += increment
        if self._send_window > frames.LARGEST_WINDOW:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "WINDOW_UPDATE")
        if self._unsent:
            for one in list(self._streams.values()):
                self._send_unsent(one)

    def _on_priority(self, flags: int, number: int, payload: bytes) -> None:
        self._rates.count("priorities")
        if not number:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PRIORITY")
        if len(payload) != 5:
            raise StreamFault(number, Code.FRAME_SIZE_ERROR, "PRIORITY")
        if frames.word_in(payload) == number:
            raise StreamFault(number, Code.PROTOCOL_ERROR, "PRIORITY")

    def _on_reset(self, flags: int, number: int, payload: bytes) -> None:
        if not number:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "RST_STREAM")
        if len(payload) != 4:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "RST_STREAM")
        self._check_not_idle(number)
        self._rates.count("resets")
        stream = self._streams.get(number)
        if stream is not None:
            self._drop(stream)
        self._forgotten.append(number)

    def _on_push_promise(self, flags: int, number: int, payload: bytes) -> None:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "PUSH_PROMISE")

    def _on_headers(self, flags: int, number: int, payload: bytes) -> None:
        if not number % 2:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "HEADERS on a stream of ours")
        if flags & frames.PADDED:
            payload = _unpadded(payload)
        depends = 0
        if flags & frames.WITH_PRIORITY:
            if len(payload) < 5:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "HEADERS")
            depends, payload = frames.word_in(payload), payload[5:]
        if flags & frames.END_HEADERS:
            self._on_block(flags, number, payload)
        else:
            self._block, self._block_stream, self._block_flags = bytearray(payload), number, flags
            self._continuations = 0
        if depends == number:
            raise StreamFault(number, Code.PROTOCOL_ERROR, "HEADERS depend on themselves")

    def _on_continuation(self, flags: int, number: int, payload: bytes) -> None:
        if self._block is None:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "CONTINUATION of nothing")
        self._continuations += 1
        self._block += payload
        if self._continuations > self._limits.continuations or len(self._block) > self._limits.header_block_bytes:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "header block is too long")
        if flags & frames.END_HEADERS:
            block, self._block = bytes(self._block), None
            self._on_block(self._block_flags, number, block)

    def _on_block(self, flags: int, number: int, block: bytes) -> None:
        stream = self._streams.get(number)
        if stream is not None:
            self._on_trailers(stream, flags, block)
            return
        if number <= self._last:
            self._decoder.decode(block) if not hpack.changes_table(block) else self._fields(block)
            if number in self._forgotten:
                return
            raise ConnectionFault(Code.STREAM_CLOSED, "HEADERS on a closed stream")
        self._last = number
        try:
            request = self._request(block)
        except MalformedRequest as error:
            raise StreamFault(number, Code.PROTOCOL_ERROR, str(error)) from None
        if self._going_away or self._shared.is_stopping or len(self._streams) >= self._limits.streams:
            raise StreamFault(number, Code.REFUSED_STREAM, "too many streams")
        self._begin(number, request, is_ended=bool(flags & frames.END_STREAM))

    def _request(self, block: bytes) -> Request:
        known = self._blocks.get(block)
        if known is not None:
            return known
        if hpack.changes_table(block):
            self._blocks.clear()  # the same bytes may mean something else from here on
            return request_of(self._decoder.decode(block))
        request = request_of(self._decoder.decode(block))
        if block == self._last_block and len(block) <= _LARGEST_CACHED:
            if len(self._blocks) >= _CACHED:
                self._blocks.clear()
            self._blocks[block] = request
        self._last_block = block
        return request

    def _fields(self, block: bytes) -> hpack.Fields:
        self._blocks.clear()
        return self._decoder.decode(block)

    def _begin(self, number: int, request: Request, *, is_ended: bool) -> None:
        if request.refusal:
            self._answer_only(number, calls.refusal(request.refusal), is_ended=is_ended)
            return
        method = self._shared.methods.get(request.path)
        if method is None:
            failure = CallFailed(Status.UNIMPLEMENTED, "Method not found!")
            self._answer_only(number, calls.trailers_only(failure), is_ended=is_ended)
            return
        stream = Stream(number, request, method, Call(request.fields, self.peer), self.active_at)
        stream.receive_window = self._limits.window_bytes
        stream.send_window = self._initial_window
        self._streams[number] = stream
        if isinstance(method, Streaming):
            raise NotImplementedError
        if is_ended:
            self._on_message(stream, b"")

    def _on_trailers(self, stream: Stream, flags: int, block: bytes) -> None:
        changes = hpack.changes_table(block)
        fields = self._fields(block) if changes else self._decoder.decode(block)
        if stream.is_ended:
            raise StreamFault(stream.number, Code.STREAM_CLOSED, "HEADERS behind the end")
        try:
            check_trailers(fields)
        except MalformedRequest as error:
            raise StreamFault(stream.number, Code.PROTOCOL_ERROR, str(error)) from None
        if not flags & frames.END_STREAM:
            raise StreamFault(stream.number, Code.PROTOCOL_ERROR, "trailers do not end the stream")
        self._on_message(stream, b"")

    def _on_data(self, flags: int, number: int, payload: bytes) -> None:
        length = len(payload)
        self._receive_window -= length
        if self._receive_window < 0:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "window of the connection")
        self._consumed += length
        if self._consumed >= _ACK_BYTES:
            self._out.append(frames.window_update(0, self._consumed))
            self._receive_window += self._consumed
            self._consumed = 0
        if flags & frames.PADDED:
            payload = _unpadded(payload)
        stream = self._streams.get(number)
        if stream is None:
            self._check_not_idle(number)
            if number in self._forgotten:
                return
            raise StreamFault(number, Code.STREAM_CLOSED, "DATA on a closed stream")
        if stream.is_ended:
            raise StreamFault(number, Code.STREAM_CLOSED, "DATA behind the end")
        stream.receive_window -= length
        if stream.receive_window < 0:
            raise StreamFault(number, Code.FLOW_CONTROL_ERROR, "window of the stream")
        if flags & frames.END_STREAM:
            self._on_message(stream, payload)
            return
        if len(payload) < calls.HEAD_BYTES:
            self._rates.count("empty_frames")
        self._gather(stream, payload)

    # Messages.

    def _gather(self, stream: Stream, payload: bytes) -> None:
        """Keep a part of a message; a long one needs room."""
        had, buffer = len(stream.buffer), stream.buffer
        buffer += payload
        if had < calls.HEAD_BYTES <= len(buffer):
            size = int.from_bytes(buffer[1 : calls.HEAD_BYTES])
            if size > self._limits.message_bytes:
                self._fail(stream, CallFailed(Status.RESOURCE_EXHAUSTED, "message is too large"))
                return
            more = calls.HEAD_BYTES + size - self._limits.window_bytes
            if more > 0:
                if not self._shared.budget.take(size):
                    self._fail(stream, CallFailed(Status.RESOURCE_EXHAUSTED, "too many large messages"))
                    return
                stream.held = size
                stream.receive_window += more
                self._out.append(frames.window_update(stream.number, more))

    def _on_message(self, stream: Stream, last: bytes) -> None:
        """The peer has sent all of a call with one message."""
        stream.is_ended = True
        data = bytes(stream.buffer) + last if stream.buffer else last
        try:
            content = self._content(stream, data)
            method = cast("Unary", stream.method)
            answer = method.at_once(content, stream.call) if method.at_once is not None else None
        except CallFailed as failure:
            self._fail(stream, failure)
            return
        if answer is None:
            self._begin_task(stream, method.later(content, stream.call))
        else:
            self._answer(stream, answer)

    def _content(self, stream: Stream, data: bytes) -> bytes:
        length = stream.request.length
        if length is not None and length != len(data):
            raise StreamFault(stream.number, Code.PROTOCOL_ERROR, "content-length")
        if len(data) < calls.HEAD_BYTES:
            raise CallFailed(Status.INVALID_ARGUMENT, "no message")
        size = int.from_bytes(data[1 : calls.HEAD_BYTES])
        if size > self._limits.message_bytes:
            raise CallFailed(Status.RESOURCE_EXHAUSTED, "message is too large")
        if len(data) != calls.HEAD_BYTES + size or data[0] > 1:
            raise CallFailed(Status.INTERNAL, "message is damaged")
        content = data[calls.HEAD_BYTES :]
        return calls.decompressed(content, stream.request.encoding, self._limits.message_bytes) if data[0] else content

    def _begin_task(self, stream: Stream, work: Any) -> None:
        stream.task = self._loop.create_task(self._run(stream, work))
        timeout = stream.request.timeout
        if timeout is not None:
            stream.expiry = self._loop.call_later(timeout, self._expire, stream)

    async def _run(self, stream: Stream, work: Any) -> None:
        try:
            answer = await work
        except CallFailed as failure:
            stream.task = None
            self._fail(stream, failure)
        except asyncio.CancelledError:
            stream.task = None
            if self._streams.get(stream.number) is stream:
                self._fail(stream, CallFailed(Status.CANCELLED, "cancelled"))
            raise
        except Exception:
            _log.exception("a gRPC handler failed unexpectedly")
            stream.task = None
            self._fail(stream, CallFailed(Status.INTERNAL, "internal error"))
        else:
            stream.task = None
            self._answer(stream, answer)
        self._written()

    def _expire(self, stream: Stream) -> None:
        task, stream.task, stream.expiry = stream.task, None, None
        self._fail(stream, CallFailed(Status.DEADLINE_EXCEEDED, "deadline exceeded"))
        if task is not None:
            task.cancel()
        self._written()

    # Answers.

    def _answer(self, stream: Stream, content: bytes) -> None:
        """Send the answer of a call with one message, and end the stream."""
        number = stream.number
        if self._streams.get(number) is not stream:
            return
        size = len(content) + calls.HEAD_BYTES
        if size <= self._send_window and size <= stream.send_window and size <= self._largest_frame and not stream.unsent:
            place = number.to_bytes(4)
            self._send_window -= size
            head = HEAD.pack(size >> 8, size & 0xFF, frames.DATA, 0, number)
            self._out.append(
                b"".join(
                    (
                        *(_HEADERS_HEAD, place, calls.HEADERS, head, b"\x00", len(content).to_bytes(4), content),
                        *(_OK_HEAD, place, calls.OK),
                    )
                )
            )
            self._drop(stream)
            return
        self._out.append(frames.frame(frames.HEADERS, frames.END_HEADERS, number, calls.HEADERS))
        stream.is_answered = True
        self._unsent += size
        stream.unsent.append((calls.message(content), calls.OK))
        self._send_unsent(stream)
        if self._unsent > self._limits.unsent_bytes:
            self._end(Code.ENHANCE_YOUR_CALM, "answers are not taken")

    def _send_unsent(self, stream: Stream) -> None:
        """Send as much of what waits as the windows allow."""
        while stream.unsent:
            data, last = stream.unsent[0]
            room = min(self._send_window, stream.send_window, self._largest_frame)
            if room <= 0 and data:
                return
            part = data[:room]
            self._send_window -= len(part)
            stream.send_window -= len(part)
            self._unsent -= len(part)
            self._out.append(frames.frame(frames.DATA, 0, stream.number, part))
            if len(part) < len(data):
                stream.unsent[0] = (data[len(part) :], last)
                continue
            stream.unsent.popleft()
            if last is not None:
                self._out.append(
                    frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, stream.number, last)
                )
                self._drop(stream)

    def _fail(self, stream: Stream, failure: CallFailed) -> None:
        """End a call with an error."""
        if self._streams.get(stream.number) is not stream:
            return
        if stream.is_answered:
            flags = frames.END_HEADERS | frames.END_STREAM
            self._out.append(frames.frame(frames.HEADERS, flags, stream.number, calls.trailers(failure)))
            self._drop(stream)
            return
        self._drop(stream)
        self._answer_only(stream.number, calls.trailers_only(failure), is_ended=stream.is_ended)

    def _answer_only(self, number: int, block: bytes, *, is_ended: bool) -> None:
        """An answer that is one header block; the peer need not send the rest of its request."""
        self._out.append(frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, number, block))
        if not is_ended:
            self._out.append(frames.reset(number, Code.NO_ERROR))
            self._forgotten.append(number)

    def _reset(self, number: int, code: Code) -> None:
        self._out.append(frames.reset(number, code))
        self._forgotten.append(number)
        self._last = max(self._last, number) if number % 2 else self._last
        stream = self._streams.get(number)
        if stream is not None:
            self._drop(stream)

    def _drop(self, stream: Stream) -> None:
        """Forget a stream: it is closed."""
        del self._streams[stream.number]
        if stream.held:
            self._shared.budget.give_back(stream.held)
            stream.held = 0
        if stream.unsent:
            self._unsent -= sum(len(data) for data, _ in stream.unsent)
            stream.unsent.clear()
        if stream.task is not None or stream.expiry is not None:
            stream.end()
        if self._going_away:
            self._close_if_done()

    # The end.

    def go_away(self) -> None:
        """Take no more calls; the connection closes when those that have begun are answered."""
        self._out.append(frames.goaway(self._last, Code.NO_ERROR))
        self._flush()
        self._going_away = True
        self._close_if_done()

    def close(self) -> None:
        """Close the connection now."""
        self._transport.abort()

    def _close_if_done(self) -> None:
        if not self._streams and not self._transport.is_closing():
            if self._out:
                self._flush()
            self._transport.close()

    def _fault(self, number: int, code: Code, why: str) -> Exception:
        return StreamFault(number, code, why) if number else ConnectionFault(code, why)

    def _check_not_idle(self, number: int) -> None:
        if number > self._last or not number % 2:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "the stream is idle")


def _unpadded(payload: bytes) -> bytes:
    if not payload:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, "padding")
    padding = payload[0]
    if padding >= len(payload):
        raise ConnectionFault(Code.PROTOCOL_ERROR, "padding")
    return payload[1 : len(payload) - padding]


def _peer(transport: asyncio.BaseTransport) -> str:
    found = transport.get_extra_info("peername")
    return f"{found[0]}:{found[1]}" if isinstance(found, tuple) else "unix"
