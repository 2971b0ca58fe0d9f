"""HTTP/2 by hand: frames that no client library would send."""

import socket
import struct
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from tests.support.waiting import PATIENCE

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 1, 1, 4, 8, 32
FRAME_BYTES = 16384

AUTHENTICATE = b"/clients.v1.ClientsService/Authenticate"

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_TABLE_SIZE, _INITIAL_WINDOW = 1, 4  # settings
_WINDOW = 65535  # until something else is said


class Frame(NamedTuple):
    """One frame."""

    kind: int
    flags: int
    stream: int
    content: bytes = b""

    def encoded(self) -> bytes:
        """Its bytes."""
        head = struct.pack(">I", len(self.content))[1:] + bytes((self.kind, self.flags)) + struct.pack(">I", self.stream)
        return head + self.content


def field(name: bytes, value: bytes) -> bytes:
    """One header, neither indexed nor compressed."""
    return b"\0" + _text(name) + _text(value)


def fields(path: bytes = AUTHENTICATE, others: Mapping[bytes, bytes | None] = MappingProxyType({})) -> bytes:
    """The headers of a call; `others` in place of what they would say, None for none."""
    wanted: dict[bytes, bytes | None] = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": path,
        b":authority": b"localhost",
        b"te": b"trailers",
        b"content-type": b"application/grpc",
        **others,
    }
    return b"".join(field(name, value) for name, value in wanted.items() if value is not None)


def settings(values: Sequence[tuple[int, int]]) -> Frame:
    """A SETTINGS frame."""
    return Frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *one) for one in values))


def message(content: bytes, flag: int = 0) -> bytes:
    """A message as gRPC frames it."""
    return bytes((flag,)) + struct.pack(">I", len(content)) + content


class Http2:
    """A connection to a server of gRPC, until it is closed.

    Args:
        address: host and port.
        window: bytes of an answer that the server may send; None: as HTTP/2 has it.
        ours: the settings to begin with, in place of those that suit most tests.
    """

    acknowledges = True
    """Whether settings and pings are."""

    def __init__(self, address: str, window: int | None = None, ours: Sequence[tuple[int, int]] | None = None) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._kept: deque[Frame] = deque()
        self._last = -1
        self._initial, self._windows = _WINDOW, Counter({0: _WINDOW})
        if ours is None:
            ours = [(_TABLE_SIZE, 0)]  # so that headers can be read without one
            if window is not None:
                ours.append((_INITIAL_WINDOW, window))
        self.socket.sendall(PREFACE + settings(ours).encoded())
        while self._next().kind != SETTINGS:
            pass

    def __enter__(self) -> "Http2":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *frames: Frame) -> None:
        """Send them."""
        self.socket.sendall(b"".join(frame.encoded() for frame in frames))

    def call(self, headers: bytes, content: bytes | None = None, *, end: bool = True) -> int:
        """Begin a call, with what is sent as its message, or none; its stream."""
        self._last += 2
        stream = self._last
        self.send(Frame(HEADERS, END_HEADERS | (END_STREAM if end and content is None else 0), stream, headers))
        self.send_all(stream, content or b"", end=end)
        return stream

    def send_all(self, stream: int, content: bytes, *, end: bool = True) -> None:
        """Send a message, or the rest of it, as far as there is room; wait for more."""
        while content:
            part = content[: self.room(stream)]
            content = content[len(part) :]
            if part:
                self.data(stream, part, end=end and not content)
            else:
                self._kept.append(self._next())

    def room(self, stream: int) -> int:
        """Bytes that may be sent in a frame now."""
        return max(0, min(FRAME_BYTES, self._windows[0], self._initial + self._windows[stream]))

    def data(self, stream: int, content: bytes, *, end: bool = False) -> None:
        """Send a part of a message for which there is room."""
        self._windows.subtract({0: len(content), stream: len(content)})
        self.send(Frame(DATA, END_STREAM if end else 0, stream, content))

    def frame(self) -> Frame:
        """The next frame; settings and pings are acknowledged, windows noted.

        Raises:
            ConnectionError: the other side has closed.
        """
        return self._kept.popleft() if self._kept else self._next()

    def _next(self) -> Frame:
        while len(self._received) < (size := 9 + int.from_bytes(self._received[:3], "big")):
            received = self.socket.recv(65536)
            if not received:
                raise ConnectionError("closed")
            self._received += received
        content, head = self._received[9:size], self._received[:9]
        self._received = self._received[size:]
        found = Frame(head[3], head[4], int.from_bytes(head[5:9], "big"), content)
        if self.acknowledges and found.kind in (SETTINGS, PING) and not found.flags & ACK:
            self.send(Frame(found.kind, ACK, 0, content if found.kind == PING else b""))
        if found.kind == SETTINGS:
            told = dict(struct.iter_unpack(">HI", content))
            self._initial = told.get(_INITIAL_WINDOW, self._initial)
        elif found.kind == WINDOW_UPDATE:
            self._windows[found.stream] += int.from_bytes(content, "big")
        return found

    def end_of(self, stream: int) -> bytes:
        """What ends a call: its last headers, or the code of its reset.

        Raises:
            ConnectionError: all calls have ended, by GOAWAY or by closing.
        """
        return self.ends_of([stream])[0]

    def ends_of(self, streams: Sequence[int]) -> list[bytes]:
        """The same of several, in the order in which they end."""
        left, found = set(streams), []
        while left:
            frame = self.frame()
            if frame.kind == GOAWAY:
                raise ConnectionError(f"GOAWAY {frame.content!r}")
            if frame.stream in left and (frame.kind == RST_STREAM or (frame.kind == HEADERS and frame.flags & END_STREAM)):
                left.remove(frame.stream)
                found.append(frame.content)
        return found

    def ping(self) -> None:
        """Ask whether it is there, and wait for the answer.

        Raises:
            ConnectionError: it has enough of that.
        """
        self.send(Frame(PING, 0, 0, b"whoisit?"))
        while not ((frame := self.frame()).kind == PING and frame.flags & ACK):
            if frame.kind == GOAWAY:
                raise ConnectionError(f"GOAWAY {frame.content!r}")


def status_in(headers: bytes) -> int | None:
    """The gRPC status in a call's last headers, which our servers do not compress; None: there is none."""
    _, found, rest = headers.partition(b"grpc-status")
    return int(rest[1 : 1 + rest[0]]) if found else None


def _text(content: bytes) -> bytes:
    """A string of HPACK."""
    if len(content) < 127:
        return bytes((len(content),)) + content
    rest, size = len(content) - 127, bytearray((127,))
    while rest >= 128:
        size.append(rest % 128 + 128)
        rest //= 128
    size.append(rest)
    return bytes(size) + content
