"""The messages that one connection receives: put together, with windows and memory for them (RFC 9113, section 5.2)."""

from collections.abc import Callable
from typing import Final, NamedTuple

from edgeclients.lane import frames, messages
from edgeclients.lane.calls import CallFailed, Status, Unary
from edgeclients.lane.limits import Limits
from edgeclients.lane.memory import Budget, Share
from edgeclients.lane.outgoing import Outgoing
from edgeclients.lane.streams import Stream

_FIELD_BYTES: Final = 96  # of Python's objects
_LONG: Final = 2048  # bytes of headers, or of a message that a handler has, that count as memory


class _Waiting(NamedTuple):
    """A message that waits for memory: to arrive, or to be handed over, which `resume` does."""

    stream: Stream
    needed: int
    resume: Callable[[], None] | None


class Incoming:
    """Receives the messages of one connection.

    Args:
        limits: of the server.
        share: memory for them.
        outgoing: tells the peer of room.
    """

    def __init__(self, limits: Limits, share: Share, outgoing: Outgoing) -> None:
        self._limits = limits
        self._share = share
        self._outgoing = outgoing
        self._waiting: dict[int, _Waiting] = {}

    @property
    def budget(self) -> Budget:
        """What all connections share."""
        return self._share.budget

    def hold_fields(self, stream: Stream) -> bool:
        """Count the headers of a stream, if they are long; returns whether there is memory for them."""
        size = stream.request.size + _FIELD_BYTES * len(stream.request.fields)
        if size > _LONG:
            if not self._share.take(size):
                return False
            stream.held_fields = size
        return True

    def keep(self, stream: Stream, payload: bytes) -> None:
        """Keep a part of a message. A long message gets the room it needs once its length is known, or waits for memory.

        Raises:
            CallFailed: the message is too long, or no memory is left for what has arrived.
        """
        buffer = stream.buffer
        buffer += payload
        size = messages.size_in(buffer) if len(buffer) >= messages.HEAD_BYTES else len(buffer)
        if size - messages.HEAD_BYTES > self._limits.message_bytes:
            raise messages.too_large()
        if len(buffer) > size and isinstance(stream.method, Unary):
            raise _more_than_one()
        needed = max(size, len(buffer))
        missing = needed - len(buffer)
        if not self._hold(stream, needed):
            if not self._hold(stream, len(buffer)):
                raise messages.too_many()
            if missing >= stream.receive_window:
                self._waiting[stream.number] = _Waiting(stream, needed, None)
            return
        self._waiting.pop(stream.number, None)
        if missing >= stream.receive_window and len(buffer) <= size and not stream.is_ended:
            self.widen(stream, missing or 1)  # with no room at all some peers do not even say that they have ended

    def is_waiting(self, stream: Stream) -> bool:
        """Whether a message waits for memory."""
        return stream.number in self._waiting

    def grant(self) -> None:
        """Let messages continue that have waited for memory, the oldest first."""
        for stream, needed, resume in list(self._waiting.values()):
            if resume is not None:
                if not self._replace(stream, needed):
                    return
                del self._waiting[stream.number]
                resume()
            else:
                if not self._hold(stream, needed):
                    return
                del self._waiting[stream.number]
                self.widen(stream, needed - len(stream.buffer))

    def forget_waiting(self) -> None:
        """Let no message continue that waits for memory."""
        self._waiting.clear()

    def widen(self, stream: Stream, more: int) -> None:
        """Give the peer more room in a stream."""
        stream.receive_window += more
        self._outgoing.send(frames.window_update(stream.number, more))

    def only_message(self, stream: Stream, payload: bytes) -> bytes:
        """The content of the one message of a call, of which `payload` is the last part.

        Raises:
            CallFailed: there is none, or it is damaged.
        """
        data = bytes(stream.buffer) + payload if stream.buffer else payload
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

    def next_message(self, stream: Stream) -> bytes | None:
        """The content of the next message that has arrived, if any; the one before is no longer counted.

        Raises:
            CallFailed: it is damaged, or no memory is left for it or for what follows.
        """
        self._count_handed_over(stream, 0)
        buffer = stream.buffer
        if len(buffer) < messages.HEAD_BYTES or len(buffer) < (size := messages.size_in(buffer)):
            return None
        content = messages.content_of(bytes(buffer[:size]), stream.request.encoding, self._limits.message_bytes)
        del buffer[:size]
        stream.held -= size
        self._share.give_back(size)
        self._count_handed_over(stream, len(content))
        self.keep(stream, b"")  # the message behind it may be a long one
        more = self._limits.window_bytes - stream.receive_window - len(buffer)
        if more >= self._limits.window_bytes // 2 and not stream.is_ended:
            self.widen(stream, more)
        return content

    def hand_over(self, stream: Stream, payload: bytes, size: int, resume: Callable[[], None]) -> bool:
        """Count the message that a handler gets, in place of what has arrived of it.

        Args:
            stream: its stream.
            payload: the last part of the message, as it has arrived.
            size: bytes of its content, which may have been compressed.
            resume: called as soon as there is memory, if there is none now; `only_message` returns the content again then.

        Returns:
            Whether there is memory.

        Raises:
            CallFailed: there is none even for what has arrived.
        """
        if size <= _LONG or self._replace(stream, size):
            return True
        stream.buffer += payload
        if not self._hold(stream, len(stream.buffer)):
            raise messages.too_many()
        self._waiting[stream.number] = _Waiting(stream, size, resume)
        return False

    def release(self, stream: Stream) -> None:
        """Count nothing of a stream any more: its messages are not needed."""
        self._waiting.pop(stream.number, None)
        if held := stream.held + stream.held_fields + stream.held_message:
            stream.held = stream.held_fields = stream.held_message = 0
            self._share.give_back(held)
            self._grant_waiting()

    def _grant_waiting(self) -> None:
        if self._waiting:
            self.grant()

    def _hold(self, stream: Stream, size: int) -> bool:
        """Count so many bytes for what arrives, if they are there."""
        more = size - stream.held
        if more > 0:
            if not self._share.take(more):
                return False
            stream.held = size
        return True

    def _replace(self, stream: Stream, size: int) -> bool:
        """Count a message of this size in place of what has arrived, if there is memory."""
        more = size - stream.held
        if more > 0 and not self._share.take(more):
            return False
        if more < 0:
            self._share.give_back(-more)
        stream.held, stream.held_message = 0, size
        return True

    def _count_handed_over(self, stream: Stream, size: int) -> None:
        self._share.give_back(stream.held_message)
        stream.held_message = 0
        if size > _LONG:
            if not self._share.take(size):
                raise messages.too_many()
            stream.held_message = size


def _more_than_one() -> CallFailed:
    return CallFailed(Status.INTERNAL, "more than one message")
