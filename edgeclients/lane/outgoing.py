"""What one connection sends: frames, and answers that wait for the peer's windows (RFC 9113, section 5.2)."""

import asyncio
from collections.abc import Iterable
from typing import Final

from edgeclients.lane import frames, hpack, messages
from edgeclients.lane.frames import HEAD, Code, ConnectionFault, StreamFault
from edgeclients.lane.limits import Limits
from edgeclients.lane.memory import Share
from edgeclients.lane.streams import Stream

_PROGRESS: Final = 1024  # bytes of a part that is not given only to keep an answer waiting
_ENDS: Final = frames.END_HEADERS | frames.END_STREAM
# Of the frames of most answers: all of the head but the stream.
_HEADERS_HEAD = HEAD.pack(0, len(messages.HEADERS), frames.HEADERS, frames.END_HEADERS, 0)[:5]
_OK_HEAD = HEAD.pack(0, len(messages.OK), frames.HEADERS, _ENDS, 0)[:5]


class Outgoing:
    """Sends the frames of one connection, one write for all that are made at a time.

    Args:
        loop: the event loop.
        limits: of the server.
        share: memory for answers that wait.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, share: Share) -> None:
        self._loop = loop
        self._limits = limits
        self._share = share
        self._transport: asyncio.Transport | None = None
        self._frames: list[bytes] = []
        self._bytes = 0
        self._is_collecting = False
        self.is_blocked = False
        """Whether the transport takes no more."""
        self._blocked_at = 0.0
        self._window = self._initial_window = frames.DEFAULT_WINDOW
        self._block_start = b""
        self._is_ordinary = True
        self._waiting: dict[int, Stream] = {}
        self.parts = 0
        """DATA frames of answers that waited."""

    # The transport.

    def connect(self, transport: asyncio.Transport) -> None:
        """Write to `transport` from here on."""
        self._transport = transport
        transport.set_write_buffer_limits(high=self._limits.unsent_bytes)

    def collect(self) -> None:
        """Keep frames until `flush`."""
        self._is_collecting = True

    def flush(self) -> None:
        """Write what is kept."""
        self._is_collecting = False
        if self._frames:
            self._write()

    def _write(self) -> None:
        frames, self._frames, self._bytes = self._frames, [], 0
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(frames))

    def block(self) -> None:
        """The transport takes no more: answers wait."""
        self.is_blocked = True
        self._blocked_at = self._loop.time()
        self._is_ordinary = False

    def unblock(self) -> None:
        """It does again."""
        self.is_blocked = False
        self._is_ordinary = not self._block_start

    def is_stuck(self, since: float) -> bool:
        """Whether the transport has taken nothing since then."""
        return self.is_blocked and self._blocked_at <= since

    # Frames.

    def send(self, frame: bytes) -> None:
        """Send a frame."""
        self._frames.append(frame)
        self._bytes += len(frame)
        if self._bytes >= self._limits.unsent_bytes:
            self._write()  # the transport has to tell us if that is too much
        elif not self._is_collecting:
            self._is_collecting = True
            self._loop.call_soon(self.flush)

    def headers(self, number: int, block: bytes, *, ends: bool = False) -> None:
        """Send a header block, which may end the stream."""
        block, self._block_start = self._block_start + block, b""
        self._is_ordinary = not self.is_blocked
        self.send(frames.headers(number, block, ends=ends))

    def answer(self, stream: Stream, content: bytes) -> bool:
        """Send the one message of an answer, and that there is no error; returns whether all of it is sent."""
        number, size = stream.number, len(content) + messages.HEAD_BYTES
        if size > self._window or size > stream.send_window or size > frames.DEFAULT_FRAME or not self._is_ordinary:
            return self._answer_in_parts(stream, content)
        place = number.to_bytes(4)
        self._window -= size
        head = HEAD.pack(size >> 8, size & 0xFF, frames.DATA, 0, number)
        beginning = (_HEADERS_HEAD, place, messages.HEADERS, head, b"\x00", len(content).to_bytes(4))
        self.send(b"".join((*beginning, content, _OK_HEAD, place, messages.OK)))
        return True

    def _answer_in_parts(self, stream: Stream, content: bytes) -> bool:
        self.put(stream, content)
        return self.end(stream)

    # Streams that wait for room.

    def put(self, stream: Stream, content: bytes) -> None:
        """Send a message as far as there is room; the rest waits.

        Raises:
            CallFailed: no memory is left to wait.
        """
        message = messages.framed(content)
        if not self._share.take(len(message)):
            raise messages.too_many()
        if not stream.is_answered:
            self.headers(stream.number, messages.HEADERS)
            stream.is_answered = True
        stream.unsent += message
        self._push(stream)

    def end(self, stream: Stream, trailers: bytes = messages.OK) -> bool:
        """End the answer with `trailers`, once all of it is sent; returns whether it is."""
        stream.trailers = trailers
        return self._push(stream)

    def _push(self, stream: Stream) -> bool:
        """Send what waits, as far as there is room; returns whether the answer is complete."""
        unsent = stream.unsent
        while unsent:
            room = 0 if self.is_blocked else min(self._window, stream.send_window, frames.DEFAULT_FRAME)
            if room <= 0:
                if stream.number not in self._waiting:
                    stream.stalled_at = self._loop.time()
                    self._waiting[stream.number] = stream
                return False
            part = bytes(unsent[:room])
            del unsent[:room]
            self._share.give_back(len(part))
            if len(part) >= _PROGRESS or not unsent:
                self.parts += 1
                stream.stalled_at = self._loop.time()
            self._window -= len(part)
            stream.send_window -= len(part)
            self.send(frames.frame(frames.DATA, 0, stream.number, part))
        self._waiting.pop(stream.number, None)
        if stream.trailers is None:
            stream.wake()
            return False
        self.headers(stream.number, stream.trailers, ends=True)
        return True

    def push_all(self) -> list[Stream]:
        """Send what waits, as far as there is room; returns the streams whose answers are complete."""
        return [stream for stream in list(self._waiting.values()) if self._push(stream)]

    def forget(self, stream: Stream) -> None:
        """Send nothing more of a stream."""
        self._waiting.pop(stream.number, None)
        if stream.unsent:
            self._share.give_back(len(stream.unsent))
            stream.unsent.clear()

    def stalled(self, since: float) -> list[Stream]:
        """The streams of which nothing has been sent since then."""
        return [stream for stream in self._waiting.values() if stream.stalled_at <= since]

    # Windows and settings of the peer.

    @property
    def initial_window(self) -> int:
        """The send window of a new stream."""
        return self._initial_window

    def widen(self, increment: int) -> None:
        """Note more room for the connection.

        Raises:
            ConnectionFault: that is too much.
        """
        self._window += increment
        if self._window > frames.LARGEST_WINDOW:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "WINDOW_UPDATE")

    def widen_stream(self, stream: Stream, increment: int) -> bool:
        """Note more room for a stream; returns whether its answer is complete then.

        Raises:
            StreamFault: that is too much.
        """
        stream.send_window += increment
        if stream.send_window > frames.LARGEST_WINDOW:
            raise StreamFault(stream.number, Code.FLOW_CONTROL_ERROR, "WINDOW_UPDATE")
        return stream.number in self._waiting and self._push(stream)

    def use_initial_window(self, size: int, streams: Iterable[Stream]) -> None:
        """Change the window that streams have at first, also of those that are open (section 6.9.2).

        Raises:
            ConnectionFault: that is too much.
        """
        more, self._initial_window = size - self._initial_window, size
        if not more:
            return
        for stream in streams:
            stream.send_window += more
            if stream.send_window > frames.LARGEST_WINDOW:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE")

    def use_table(self, size: int) -> None:
        """Note the size of the peer's dynamic table. We use none, but acknowledge a smaller one (RFC 7541, section 4.2)."""
        if size < hpack.TABLE_BYTES:
            self._block_start = hpack.NO_TABLE
            self._is_ordinary = False
