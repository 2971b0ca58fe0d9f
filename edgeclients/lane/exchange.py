"""The streams of one connection: requests in, handlers, answers out (RFC 9113, sections 5.1 and 8.1)."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from edgeclients.lane import frames, messages
from edgeclients.lane.blocks import HeaderBlocks
from edgeclients.lane.calls import CallFailed, Method, Status, Streaming, Unary
from edgeclients.lane.frames import Code, ConnectionFault, StreamFault
from edgeclients.lane.limits import Limits
from edgeclients.lane.memory import Share
from edgeclients.lane.outgoing import Outgoing
from edgeclients.lane.rates import Rates
from edgeclients.lane.requests import MalformedRequest, Request, check_trailers
from edgeclients.lane.streams import Stream

_log = logging.getLogger(__name__)

_REMEMBERED: Final = 256  # streams that were reset, whose frames may still arrive, and ranges of streams that never were
_LONG: Final = 2048  # bytes of headers, or of a message that a handler has, that count as memory
_TINY: Final = 64


class Exchange:
    """The streams of one connection.

    Args:
        methods: by path.
        limits: of the server.
        blocks: decodes header blocks.
        outgoing: sends frames.
        share: memory for messages that are not complete.
        rates: counts what costs the server something.
        loop: the event loop.
        on_done: called when the last stream has ended.
    """

    def __init__(
        self,
        methods: dict[bytes, Method],
        limits: Limits,
        blocks: HeaderBlocks,
        outgoing: Outgoing,
        share: Share,
        rates: Rates,
        loop: asyncio.AbstractEventLoop,
        on_done: Callable[[], None],
    ) -> None:
        self._methods = methods
        self._limits = limits
        self._blocks = blocks
        self._outgoing = outgoing
        self._share = share
        self._rates = rates
        self._on_done = on_done
        self.loop = loop
        self.now = loop.time()
        """The time of what has been received last."""
        self.window_bytes = limits.window_bytes
        self.peer = ""
        self.streams: dict[int, Stream] = {}
        self.last = 0
        """The highest stream that the peer has begun."""
        self.begun = self.ended = 0
        """How many streams have begun, and ended."""
        self.refuses = False
        """New streams get REFUSED_STREAM."""
        self._reset: deque[int] = deque(maxlen=_REMEMBERED)
        self._wanting: dict[int, tuple[Stream, int]] = {}
        self._skipped: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)

    # Frames.

    def on_block(self, number: int, block: bytes, *, ends: bool, depends: int = 0) -> None:
        """Take the complete header block of a stream, which may say on which other stream it depends.

        Raises:
            ConnectionFault, StreamFault: it breaks a rule.
        """
        if number <= self.last:
            self._on_later_block(number, block, ends=ends)
            return
        if number != self.last + 2:
            self._skipped.append((self.last, number))
        self.last = number
        self.begun += 1
        try:
            request = self._blocks.request(block)
        except MalformedRequest as error:
            raise StreamFault(number, Code.PROTOCOL_ERROR, str(error)) from None
        if depends == number:
            raise StreamFault(number, Code.PROTOCOL_ERROR, "a stream depends on itself")
        if self.refuses or len(self.streams) >= self._limits.streams:
            raise StreamFault(number, Code.REFUSED_STREAM, "too many streams")
        self._begin(number, request, ends=ends)

    def on_data(self, number: int, payload: bytes, length: int, *, ends: bool) -> None:
        """Take DATA; `length` is that of the frame, with padding.

        Raises:
            ConnectionFault, StreamFault: it breaks a rule.
        """
        stream = self.streams.get(number)
        if stream is None:
            self._on_late_data(number, payload)
            return
        if stream.is_ended:
            raise StreamFault(number, Code.STREAM_CLOSED, "DATA behind the end")
        stream.receive_window -= length
        if stream.receive_window < 0:
            raise StreamFault(number, Code.FLOW_CONTROL_ERROR, "window of the stream")
        if length > len(payload) and not ends:
            self._widen(stream, length - len(payload))
        stream.received += len(payload)
        if ends:
            self._on_end(stream, payload)
            return
        if len(payload) < (_TINY if stream.buffer else messages.HEAD_BYTES):
            self._rates.count("tiny_frames")
        try:
            self._keep(stream, payload)
        except CallFailed as failure:
            self._fail(stream, failure)

    def on_reset(self, number: int) -> None:
        """Take RST_STREAM.

        Raises:
            ConnectionFault: the stream is idle, or there are too many resets.
        """
        self.check_not_idle(number)
        self._rates.count("resets")
        stream = self.streams.get(number)
        if stream is not None:
            self._drop(stream)

    def on_window(self, number: int, increment: int) -> None:
        """Take WINDOW_UPDATE of a stream.

        Raises:
            ConnectionFault, StreamFault: it breaks a rule.
        """
        stream = self.streams.get(number)
        if stream is None:
            self.check_not_idle(number)
            return
        if not increment:
            raise StreamFault(number, Code.PROTOCOL_ERROR, "WINDOW_UPDATE of nothing")
        if self._outgoing.widen_stream(stream, increment):
            self._complete(stream)

    def on_room(self) -> None:
        """Send what waits: the connection has more room, or the transport."""
        for stream in self._outgoing.push_all():
            self._complete(stream)

    def reset(self, fault: StreamFault) -> None:
        """End a stream with an error.

        Raises:
            ConnectionFault: the stream is idle, and must not be reset (section 6.4).
        """
        if self._is_idle(fault.stream):
            raise ConnectionFault(fault.code, fault.why)
        stream = self.streams.get(fault.stream)
        self._outgoing.send(frames.reset(fault.stream, fault.code))
        self._reset.append(fault.stream)
        if stream is not None:
            self._drop(stream)

    def check_not_idle(self, number: int) -> None:
        """Return if the peer has begun the stream.

        Raises:
            ConnectionFault: it has not.
        """
        if self._is_idle(number):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "the stream is idle")

    def _is_idle(self, number: int) -> bool:
        return number > self.last or not number % 2

    # Requests.

    def _on_later_block(self, number: int, block: bytes, *, ends: bool) -> None:
        fields = self._blocks.fields(block)
        stream = self.streams.get(number)
        if stream is None:
            if number in self._reset:
                return
            if any(below < number < above for below, above in self._skipped):
                raise ConnectionFault(Code.PROTOCOL_ERROR, "streams begin in their order")
            raise ConnectionFault(Code.STREAM_CLOSED, "HEADERS on a closed stream")
        if stream.is_ended:
            raise StreamFault(number, Code.STREAM_CLOSED, "HEADERS behind the end")
        try:
            check_trailers(fields)
        except MalformedRequest as error:
            raise StreamFault(number, Code.PROTOCOL_ERROR, str(error)) from None
        if not ends:
            raise StreamFault(number, Code.PROTOCOL_ERROR, "trailers do not end the stream")
        self._on_end(stream, b"")

    def _on_late_data(self, number: int, payload: bytes) -> None:
        self.check_not_idle(number)
        if len(payload) < messages.HEAD_BYTES:
            self._rates.count("tiny_frames")
        if number not in self._reset:
            raise StreamFault(number, Code.STREAM_CLOSED, "DATA on a closed stream")

    def _begin(self, number: int, request: Request, *, ends: bool) -> None:
        method = self._methods.get(request.path)
        if method is None or request.refusal or request.fault:
            self._answer_only(number, _refusal(request), is_ended=ends)
            return
        stream = self.streams[number] = Stream(self, number, request, method, self._outgoing.initial_window)
        if request.size > _LONG:
            if not self._share.take(request.size):
                stream.is_ended = ends
                self._fail(stream, messages.too_many())
                return
            stream.held_fields = request.size
        if isinstance(method, Streaming):
            self._start(stream, self._serve(stream, method))
        if ends:
            self._on_end(stream, b"")

    def _on_end(self, stream: Stream, payload: bytes) -> None:
        """The peer has sent all of a call, `payload` last."""
        stream.is_ended = True
        length = stream.request.length
        if length is not None and length != stream.received:
            raise StreamFault(stream.number, Code.PROTOCOL_ERROR, "content-length")
        try:
            if isinstance(stream.method, Streaming):
                self._keep(stream, payload)
                stream.wake()
                return
            content = self._only_message(stream, bytes(stream.buffer) + payload if stream.buffer else payload)
            stream.is_handed_over = True
            answer = stream.method.at_once(content, stream) if stream.method.at_once is not None else None
            if answer is None:
                self._forget_buffer(stream)
                self._hold_message(stream, len(content))
        except Exception as error:  # noqa: BLE001 - the caller gets a status
            self._fail(stream, _failure(error))
            return
        if answer is None:
            self._start(stream, self._work(stream, stream.method, content))
        else:
            self._answer(stream, answer)

    # Messages.

    def _keep(self, stream: Stream, payload: bytes) -> None:
        """Keep a part of a message. A long message gets the room it needs once its length is known.

        Raises:
            CallFailed: the message is too long, or no memory is left.
        """
        buffer = stream.buffer
        buffer += payload
        needed = len(buffer)
        if needed >= messages.HEAD_BYTES:
            size = messages.size_in(buffer)
            if size - messages.HEAD_BYTES > self._limits.message_bytes:
                raise messages.too_large()
            needed = max(needed, size)
            if len(buffer) > size and isinstance(stream.method, Unary):
                raise _more_than_one()
        missing = needed - len(buffer)
        if needed > stream.held and not self._hold(stream, needed - stream.held):
            if len(buffer) > stream.held and not self._hold(stream, len(buffer) - stream.held):
                raise messages.too_many()
            if missing >= stream.receive_window:
                self._wanting[stream.number] = stream, needed
            return
        self._wanting.pop(stream.number, None)
        if missing >= stream.receive_window and not stream.is_ended:
            self._widen(stream, missing or 1)  # with no room at all some peers do not even send that they have ended
        if stream.waits_since is not None:
            stream.wake()

    def _grant(self) -> None:
        """Let long messages continue for which there was no memory, the oldest first."""
        for stream, needed in list(self._wanting.values()):
            if not self._hold(stream, needed - stream.held):
                return
            del self._wanting[stream.number]
            self._widen(stream, needed - len(stream.buffer))

    def _widen(self, stream: Stream, more: int) -> None:
        stream.receive_window += more
        self._outgoing.send(frames.window_update(stream.number, more))

    def _only_message(self, stream: Stream, data: bytes) -> bytes:
        """The content of the one message of a call.

        Raises:
            CallFailed: there is none, or it is damaged.
        """
        if len(data) < messages.HEAD_BYTES:
            raise CallFailed(Status.INVALID_ARGUMENT, "no message")
        size = messages.size_in(data)
        if size - messages.HEAD_BYTES > self._limits.message_bytes:
            raise messages.too_large()
        if len(data) < size:
            raise CallFailed(Status.INVALID_ARGUMENT, "message is not complete")
        if len(data) > size:
            raise _more_than_one()
        return messages.content_of(data, stream.request.encoding, self._limits.message_bytes)

    def _next_message(self, stream: Stream) -> bytes | None:
        """The next message that has arrived, if any."""
        buffer = stream.buffer
        if len(buffer) < messages.HEAD_BYTES:
            return None
        size = messages.size_in(buffer)
        if len(buffer) < size:
            return None
        message = bytes(buffer[:size])
        del buffer[:size]
        self._give_back(stream, min(size, stream.held))
        return message

    async def receive(self, stream: Stream) -> bytes | None:
        """The next message of a streaming call; None if the peer has sent all.

        Raises:
            CallFailed: it is damaged, too long, or does not arrive in time.
        """
        self._hold_message(stream, 0)  # the handler has done with the message before
        since = self.loop.time()
        while (message := self._next_message(stream)) is None:
            if stream.is_ended:
                if stream.buffer:
                    raise CallFailed(Status.INVALID_ARGUMENT, "message is not complete")
                return None
            _check_open(stream)
            stream.waits_since = since
            try:
                await stream.wait()
            finally:
                stream.waits_since = None
        self._keep(stream, b"")  # the message behind it may be a long one
        more = self._limits.window_bytes - stream.receive_window - len(stream.buffer)
        if more >= self._limits.window_bytes // 2 and not stream.is_ended:
            self._widen(stream, more)
        content = messages.content_of(message, stream.request.encoding, self._limits.message_bytes)
        self._hold_message(stream, len(content))
        return content

    async def send(self, stream: Stream, content: bytes) -> None:
        """Send a message of a streaming call, when the peer takes it.

        Raises:
            CallFailed: no memory is left for it, or the call has ended.
        """
        _check_open(stream)
        self._outgoing.put(stream, content)
        while stream.unsent:
            await stream.wait()

    # Handlers.

    def _start(self, stream: Stream, work: Coroutine[Any, Any, None]) -> None:
        stream.task = self.loop.create_task(work)
        timeout = stream.request.timeout
        if timeout is not None:
            stream.expiry = self.loop.call_at(stream.begun_at + timeout, self._expire, stream)

    async def _work(self, stream: Stream, method: Unary, content: bytes) -> None:
        """Answer a call."""
        try:
            answer = await method.later(content, stream)
        except asyncio.CancelledError:
            self._on_cancelled(stream)
            raise
        except Exception as error:  # noqa: BLE001 - the caller gets a status
            stream.task = None
            self._fail(stream, _failure(error))
        else:
            stream.task = None
            self._answer(stream, answer)

    async def _serve(self, stream: Stream, method: Streaming) -> None:
        """Serve a streaming call until its handler returns."""
        try:
            await method.serve(stream)
        except asyncio.CancelledError:
            self._on_cancelled(stream)
            raise
        except Exception as error:  # noqa: BLE001 - the caller gets a status
            stream.task = None
            self._fail(stream, _failure(error))
            return
        stream.task = None
        if not stream.is_open:
            return
        if not stream.is_answered:
            self._outgoing.headers(stream.number, messages.HEADERS)
            stream.is_answered = True
        if self._outgoing.end(stream):
            self._complete(stream)

    def _on_cancelled(self, stream: Stream) -> None:
        """A handler is cancelled: by the end of its call, or by what it has waited for; then its caller has to be told."""
        stream.task = None
        self._fail(stream, CallFailed(Status.CANCELLED, "cancelled"))

    def _expire(self, stream: Stream) -> None:
        self._fail(stream, CallFailed(Status.DEADLINE_EXCEEDED, "deadline exceeded"))

    # Answers.

    def _answer(self, stream: Stream, content: bytes) -> None:
        if not stream.is_open:
            return
        try:
            is_complete = self._outgoing.answer(stream, content)
        except CallFailed as failure:
            self._fail(stream, failure)
            return
        if is_complete:
            self._complete(stream)

    def _fail(self, stream: Stream, failure: CallFailed) -> None:
        """End a call with an error."""
        if not stream.is_open:
            return
        block = messages.trailers(failure) if stream.is_answered else messages.trailers_only(failure)
        self._outgoing.forget(stream)
        self._answer_only(stream.number, block, is_ended=stream.is_ended)
        self._drop(stream, failure.status)  # last: it may be what the end of the connection waits for

    def _complete(self, stream: Stream) -> None:
        """The answer is sent."""
        if not stream.is_ended:
            self._want_no_more(stream.number)
        self._drop(stream)

    def _answer_only(self, number: int, block: bytes, *, is_ended: bool) -> None:
        """Send an answer that is one header block, or the last block of another."""
        self._outgoing.headers(number, block, ends=True)
        if not is_ended:
            self._want_no_more(number)

    def _want_no_more(self, number: int) -> None:
        """Tell the peer that the rest of its request is not needed (section 8.1)."""
        self._outgoing.send(frames.reset(number, Code.NO_ERROR))
        self._reset.append(number)

    def _drop(self, stream: Stream, status: Status = Status.CANCELLED) -> None:
        """Forget a stream: it is closed."""
        if not stream.is_handed_over and isinstance(stream.method, Unary) and stream.method.lost is not None:
            stream.method.lost(status, self.loop.time() - stream.begun_at)
        del self.streams[stream.number]
        self.ended += 1
        self._wanting.pop(stream.number, None)
        if held := stream.held + stream.held_fields + stream.held_message:
            stream.held = stream.held_fields = stream.held_message = 0
            self._share.give_back(held)
            if self._wanting:
                self._grant()
        self._outgoing.forget(stream)
        stream.end()
        if not self.streams:
            self._on_done()

    def drop_all(self) -> None:
        """Forget all streams: the connection has ended."""
        for stream in list(self.streams.values()):
            self._drop(stream)

    def check(self, now: float) -> None:
        """End calls whose message is late, and those whose answer is not taken."""
        if self._wanting:
            self._grant()  # other connections may have given memory back
        late = now - self._limits.message_seconds
        for stream in list(self.streams.values()):
            if stream.waits_since is not None:
                if stream.waits_since <= late:
                    stream.wake(_message_late())
            elif stream.task is None and stream.trailers is None and not stream.is_ended and stream.begun_at <= late:
                self._fail(stream, messages.too_many() if stream.number in self._wanting else _message_late())
        for stream in self._outgoing.stalled(now - self._limits.stalled_seconds):
            self.reset(StreamFault(stream.number, Code.CANCEL, "the answer is not taken"))

    def _hold(self, stream: Stream, size: int) -> bool:
        if not self._share.take(size):
            return False
        stream.held += size
        return True

    def _hold_message(self, stream: Stream, size: int) -> None:
        """Count the message that a handler has got, in place of the one before.

        Raises:
            CallFailed: no memory is left for it.
        """
        self._share.give_back(stream.held_message)
        stream.held_message = 0
        if size > _LONG:
            if not self._share.take(size):
                raise messages.too_many()
            stream.held_message = size

    def _forget_buffer(self, stream: Stream) -> None:
        stream.buffer = bytearray()
        self._give_back(stream, stream.held)

    def _give_back(self, stream: Stream, size: int) -> None:
        self._share.give_back(size)
        stream.held -= size
        if self._wanting:
            self._grant()


def _refusal(request: Request) -> bytes:
    """The header block of the answer to what is no call, or none that can be served."""
    if request.refusal:
        return messages.refusal(request.refusal)
    if request.fault:
        return messages.trailers_only(CallFailed(Status.INTERNAL, request.fault))
    return messages.trailers_only(CallFailed(Status.UNIMPLEMENTED, "Method not found!"))


def _more_than_one() -> CallFailed:
    return CallFailed(Status.INTERNAL, "more than one message")


def _check_open(stream: Stream) -> None:
    """Return if the call has not ended: its handler may go on though it was cancelled."""
    if not stream.is_open:
        raise CallFailed(Status.CANCELLED, "the call has ended")


def _message_late() -> CallFailed:
    return CallFailed(Status.DEADLINE_EXCEEDED, "message did not arrive in time")


def _failure(error: Exception) -> CallFailed:
    if isinstance(error, CallFailed):
        return error
    _log.error("a gRPC handler failed unexpectedly", exc_info=error)
    return CallFailed(Status.INTERNAL, "internal error")
