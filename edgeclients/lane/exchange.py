"""The streams of one connection: requests in, handlers, answers out (RFC 9113, sections 5.1 and 8.1)."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any, Final

from edgeclients.lane import frames, messages
from edgeclients.lane.blocks import HeaderBlocks
from edgeclients.lane.calls import CallFailed, Method, Status, Streaming, Unary
from edgeclients.lane.frames import Code, ConnectionFault, StreamFault
from edgeclients.lane.incoming import Incoming
from edgeclients.lane.limits import Limits
from edgeclients.lane.outgoing import Outgoing
from edgeclients.lane.rates import Rates
from edgeclients.lane.requests import MalformedRequest, Request, check_trailers
from edgeclients.lane.streams import Stream

_log = logging.getLogger(__name__)

_REMEMBERED: Final = 256  # streams that were reset, whose frames may still arrive, and ranges of streams that never were
_TINY: Final = 64


class Exchange:
    """The streams of one connection.

    Args:
        methods: by path.
        limits: of the server.
        blocks: decodes header blocks.
        outgoing: sends frames.
        incoming: receives messages.
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
        incoming: Incoming,
        rates: Rates,
        loop: asyncio.AbstractEventLoop,
        on_done: Callable[[], None],
    ) -> None:
        self._methods = methods
        self._limits = limits
        self._blocks = blocks
        self._outgoing = outgoing
        self._incoming = incoming
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
        is_full = self._incoming.budget.streams >= self._limits.all_streams
        if self.refuses or is_full or len(self.streams) >= self._limits.streams:
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
            self._incoming.widen(stream, length - len(payload))
        stream.received += len(payload)
        if ends:
            self._on_end(stream, payload)
            return
        if len(payload) < (_TINY if stream.buffer else messages.HEAD_BYTES):
            self._rates.count("tiny_frames")
        try:
            self._incoming.keep(stream, payload)
        except CallFailed as failure:
            self._fail(stream, failure)
            return
        if stream.waits_since is not None:
            stream.wake()

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
        self._incoming.budget.streams += 1
        if not self._incoming.hold_fields(stream):
            stream.is_ended = ends
            self._fail(stream, messages.too_many())
            return
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
        if isinstance(stream.method, Streaming):
            try:
                self._incoming.keep(stream, payload)
            except CallFailed as failure:
                self._fail(stream, failure)
            else:
                stream.wake()
        else:
            self._call(stream, stream.method, payload)

    def _call(self, stream: Stream, method: Unary, payload: bytes) -> None:
        """Call a method with its message, of which `payload` is the last part."""
        try:
            content = self._incoming.only_message(stream, payload)
            if not self._incoming.hand_over(stream, payload, len(content), partial(self._call_again, stream, method)):
                return
            self._answer_or_start(stream, method, content)
        except Exception as error:  # noqa: BLE001 - the caller gets a status
            self._fail(stream, _failure(error))

    def _call_again(self, stream: Stream, method: Unary) -> None:
        """The same when there is memory, which has been counted."""
        try:
            self._answer_or_start(stream, method, self._incoming.only_message(stream, b""))
        except Exception as error:  # noqa: BLE001 - likewise
            self._fail(stream, _failure(error))

    def _answer_or_start(self, stream: Stream, method: Unary, content: bytes) -> None:
        stream.buffer = bytearray()
        if stream.request.timeout is not None and stream.request.timeout <= self.now - stream.begun_at:
            raise _too_late()
        stream.is_handed_over = True
        answer = method.at_once(content, stream) if method.at_once is not None else None
        if answer is None:
            stream.is_handed_over = False  # the task may be cancelled before it begins
            self._start(stream, self._work(stream, method, content))
        else:
            self._answer(stream, answer)

    # Messages.

    async def receive(self, stream: Stream) -> bytes | None:
        """The next message of a streaming call; None if the peer has sent all.

        Raises:
            CallFailed: it is damaged, too long, or does not arrive in time.
        """
        since = self.loop.time()
        while (content := self._incoming.next_message(stream)) is None:
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
        stream.is_handed_over = True
        with self._failing(stream):
            answer = await method.later(content, stream)
            stream.task = None
            self._answer(stream, answer)

    async def _serve(self, stream: Stream, method: Streaming) -> None:
        """Serve a streaming call until its handler returns."""
        with self._failing(stream):
            await method.serve(stream)
        stream.task = None
        if not stream.is_open:
            return
        if not stream.is_answered:
            self._outgoing.headers(stream.number, messages.HEADERS)
            stream.is_answered = True
        if self._outgoing.end(stream):
            self._complete(stream)

    @contextlib.contextmanager
    def _failing(self, stream: Stream) -> Iterator[None]:
        """Ends the call with what its handler raises."""
        try:
            yield
        except asyncio.CancelledError:  # by the end of the call, or by what it has waited for; then the caller has to be told
            stream.task = None
            self._fail(stream, CallFailed(Status.CANCELLED, "cancelled"))
            raise
        except Exception as error:  # noqa: BLE001 - the caller gets a status
            stream.task = None
            self._fail(stream, _failure(error))

    def _expire(self, stream: Stream) -> None:
        self._fail(stream, _too_late())

    # Answers.

    def _answer(self, stream: Stream, content: bytes) -> None:
        if not stream.is_open:
            return
        self._incoming.release(stream)
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
        if self.streams.pop(stream.number, None) is None:
            return
        if not stream.is_handed_over and isinstance(stream.method, Unary) and stream.method.lost is not None:
            stream.method.lost(status, self.loop.time() - stream.begun_at)
        self.ended += 1
        self._incoming.budget.streams -= 1
        self._outgoing.forget(stream)
        self._incoming.release(stream)
        stream.end()
        if not self.streams:
            self._on_done()

    def drop_all(self) -> None:
        """Forget all streams: the connection has ended."""
        self._incoming.forget_waiting()  # what is dropped makes no room for others
        for stream in list(self.streams.values()):
            self._drop(stream)

    def check(self, now: float) -> None:
        """End calls whose message is late, and those whose answer is not taken."""
        self._incoming.grant()  # other connections may have given memory back
        late = now - self._limits.message_seconds
        for stream in list(self.streams.values()):
            if stream.waits_since is not None:
                if stream.waits_since <= late:
                    stream.wake(_message_late())
            elif stream.task is None and not stream.is_ended and stream.begun_at + (stream.request.timeout or now) <= now:
                self._fail(stream, _too_late())
            elif stream.begun_at <= late and self._incoming.is_waiting(stream):
                self._fail(stream, messages.too_many())
            elif stream.task is None and stream.trailers is None and not stream.is_ended and stream.begun_at <= late:
                self._fail(stream, _message_late())
        for stream in self._outgoing.stalled(now - self._limits.stalled_seconds):
            self.reset(StreamFault(stream.number, Code.CANCEL, "the answer is not taken"))


def _refusal(request: Request) -> bytes:
    """The header block of the answer to what is no call, or none that can be served."""
    if request.refusal:
        return messages.refusal(request.refusal)
    if request.fault:
        return messages.trailers_only(CallFailed(Status.INTERNAL, request.fault))
    return messages.trailers_only(CallFailed(Status.UNIMPLEMENTED, "Method not found!"))


def _check_open(stream: Stream) -> None:
    """Return if the call has not ended: its handler may go on though it was cancelled."""
    if not stream.is_open:
        raise CallFailed(Status.CANCELLED, "the call has ended")


def _too_late() -> CallFailed:
    return CallFailed(Status.DEADLINE_EXCEEDED, "deadline exceeded")


def _message_late() -> CallFailed:
    return CallFailed(Status.DEADLINE_EXCEEDED, "message did not arrive in time")


def _failure(error: Exception) -> CallFailed:
    if isinstance(error, CallFailed):
        return error
    _log.error("a gRPC handler failed unexpectedly", exc_info=error)
    return CallFailed(Status.INTERNAL, "internal error")
