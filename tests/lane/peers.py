"""A client that sends exactly what a test wants, and reads what the server says to it."""

import socket
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pytest
from jh2.hpack import Decoder

from edgeclients.lane.frames import Code
from tests.support.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Frame,
    Http2,
    fields,
    message,
    settings,
)
from tests.support.waiting import PATIENCE

ECHO, LATER, WAIT, HOLD, CHAT = b"/t/Echo", b"/t/Later", b"/t/Wait", b"/t/Hold", b"/t/Chat"
TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_LIST = range(1, 7)
LARGEST_WINDOW = 2**31 - 1


class Answer(NamedTuple):
    """What has been said to a call. `reset` is the code of an RST_STREAM frame."""

    headers: dict[str, str]
    content: bytes
    trailers: dict[str, str]
    reset: int | None

    @property
    def status(self) -> int | None:
        """The status of gRPC."""
        found = self.trailers.get("grpc-status", self.headers.get("grpc-status"))
        return int(found) if found is not None else None

    @property
    def text(self) -> str:
        """The message of gRPC, as it is on the wire."""
        return self.trailers.get("grpc-message", self.headers.get("grpc-message", ""))

    @property
    def messages(self) -> list[bytes]:
        """What the messages carry."""
        found, rest = [], self.content
        while rest:
            size = 5 + int.from_bytes(rest[1:5])
            found.append(rest[5:size])
            rest = rest[size:]
        return found


class Peer(Http2):
    """A connection, until it is closed.

    Args:
        address: of the server.
        ours: the settings that it begins with.
    """

    def __init__(self, address: str, ours: Sequence[tuple[int, int]] = ()) -> None:
        self._decoder = Decoder(2**24)
        super().__init__(address, ours=ours)
        while (frame := self.frame()).kind != SETTINGS:  # it has taken ours
            assert frame.kind == WINDOW_UPDATE

    def __enter__(self) -> "Peer":
        return self

    def begin(self, path: bytes, content: bytes | None = b"", *, end: bool = True) -> int:
        """Begin a call with a message, or none; its stream."""
        return self.call(fields(path), None if content is None else message(content), end=end)

    def open(self, path: bytes = ECHO) -> int:
        """Begin a call without its message; its stream."""
        return self.begin(path, None, end=False)

    def next_stream(self) -> int:
        """The stream of the next call, which the test begins by hand."""
        self._last += 2
        return self._last

    def answer(self, stream: int) -> Answer:
        """All that is said to a call. Frames of other calls are left out.

        Raises:
            ConnectionError: the connection is being closed.
        """
        return self.answers([stream])[stream]

    def answers(self, streams: Iterable[int]) -> dict[int, Answer]:
        """The same of several, in the order in which they end."""
        left, found = set(streams), dict[int, Answer]()
        parts: dict[int, list[dict[str, str]]] = {stream: [] for stream in left}
        contents = dict.fromkeys(left, b"")
        while left:
            frame = self.frame()
            if frame.kind == GOAWAY:
                raise ConnectionError(f"GOAWAY {frame.content!r}")
            block = self.fields_in(frame) if frame.kind == HEADERS else {}
            if frame.stream not in left:
                continue
            if frame.kind == DATA:
                contents[frame.stream] += frame.content
            elif frame.kind == HEADERS:
                parts[frame.stream].append(block)
            reset = int.from_bytes(frame.content) if frame.kind == RST_STREAM else None
            if reset is not None or (frame.kind in (DATA, HEADERS) and frame.flags & END_STREAM):
                left.remove(frame.stream)
                headers, *rest = parts[frame.stream] or [{}]
                found[frame.stream] = Answer(headers, contents[frame.stream], rest[0] if rest else {}, reset)
        return found

    def fields_in(self, frame: Frame) -> dict[str, str]:
        """The fields of a header block, whose other frames are read."""
        block, flags = frame.content, frame.flags
        while not flags & END_HEADERS:
            more = self.frame()
            assert (more.kind, more.stream) == (CONTINUATION, frame.stream)
            block, flags = block + more.content, more.flags
        return {str(name): str(value) for name, value in self._decoder.decode(block)}

    def reset_of(self, stream: int) -> Code:
        """The code with which the server resets a stream."""
        while (frame := self.frame()).kind != RST_STREAM or frame.stream != stream:
            if frame.kind == GOAWAY:
                raise ConnectionError(f"GOAWAY {frame.content!r}")
        return Code(int.from_bytes(frame.content))

    def goaway(self) -> Code:
        """The code with which the server ends the connection, which it then closes."""
        return self.farewell()[1]

    def farewell(self) -> tuple[int, Code]:
        """The last stream and the code of the GOAWAY that is followed by the end."""
        said: Frame | None = None
        try:
            while True:
                frame = self.frame()
                if frame.kind == GOAWAY:
                    said = frame
                else:
                    assert said is None or frame.kind not in (HEADERS, DATA)
        except OSError:
            pass
        assert said is not None, "closed without GOAWAY"
        last, code = struct.unpack_from(">II", said.content)
        return last, Code(code)

    def until_goaway(self) -> tuple[int, Code]:
        """The last stream and the code of the next GOAWAY; the connection goes on."""
        while (frame := self.frame()).kind != GOAWAY:
            pass
        last, code = struct.unpack_from(">II", frame.content)
        return last, Code(code)

    def until(self, kind: int, stream: int = 0) -> Frame:
        """The next frame of a kind."""
        while (frame := self.frame()).kind != kind or frame.stream != stream:
            assert frame.kind != GOAWAY, frame.content
        return frame

    def is_served(self) -> None:
        """A call over this connection is answered."""
        answer = self.answer(self.begin(ECHO, b"still there?"))
        assert (answer.status, answer.messages) == (0, [b"still there?"])

    def set(self, *values: tuple[int, int]) -> None:
        """Send settings, and wait until they are acknowledged."""
        self.send(settings(values))
        assert self.until(SETTINGS).flags & ACK

    def half_close(self) -> None:
        """Send nothing more."""
        self.socket.shutdown(socket.SHUT_WR)


def raw(address: str, *what: bytes) -> list[Frame]:
    """All that a server says to bytes, until it closes."""
    host, _, port = address.rpartition(":")
    received = b""
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        for part in what:
            connection.sendall(part)
        try:
            while more := connection.recv(65536):
                received += more
        except ConnectionResetError:
            pass
    return frames_in(received)


def frames_in(received: bytes) -> list[Frame]:
    """Frames, nothing else."""
    found, place = [], 0
    while place < len(received):
        size = int.from_bytes(received[place : place + 3])
        assert place + 9 + size <= len(received), "a frame is cut short"
        kind, flags, stream = struct.unpack_from(">BBI", received, place + 3)
        found.append(Frame(kind, flags, stream, received[place + 9 : place + 9 + size]))
        place += 9 + size
    return found


def farewell_in(said: list[Frame]) -> Code:
    """The code of the GOAWAY that comes last."""
    assert said[-1].kind == GOAWAY
    return Code(struct.unpack_from(">II", said[-1].content)[1])


def closed(peer: Peer) -> None:
    """Wait until the server has closed, without a word of why."""
    with pytest.raises(OSError, match=r"closed|reset|Broken"):
        peer.until(GOAWAY, -1)


BEGINNING = PREFACE + settings([]).encoded()
