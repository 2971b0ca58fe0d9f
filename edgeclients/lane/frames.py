"""Frames of HTTP/2 (RFC 9113, sections 4 and 6): names, and how they are written."""

import struct
from enum import IntEnum
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD: Final = struct.Struct(">HBBBL")
"""Length (two fields), type, flags, stream of a frame's head of 9 bytes."""
HEAD_BYTES: Final = 9
STREAM: Final = 0x7FFF_FFFF
"""The bits of a stream's number."""

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
WITH_PRIORITY: Final = 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)

LARGEST_WINDOW: Final = 2**31 - 1
LARGEST_FRAME: Final = 2**24 - 1
DEFAULT_WINDOW: Final = 65_535
DEFAULT_FRAME: Final = 16_384

WORD_BYTES: Final = 4
PRIORITY_BYTES: Final = 5
SETTING_BYTES: Final = 6
PING_BYTES: Final = 8
GOAWAY_BYTES: Final = 8
"""The least that a GOAWAY frame carries."""

_WORD = struct.Struct(">L")
_SETTING = struct.Struct(">HL")


class Code(IntEnum):
    """Error codes (RFC 9113, section 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class ConnectionFault(Exception):  # noqa: N818 - RFC 9113's word is "connection error"
    """The peer has broken a rule so that the connection ends (RFC 9113, section 5.4.1)."""

    def __init__(self, code: Code, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why


class StreamFault(Exception):  # noqa: N818 - likewise
    """The peer has broken a rule so that one stream ends (RFC 9113, section 5.4.2)."""

    def __init__(self, stream: int, code: Code, why: str) -> None:
        super().__init__(why)
        self.stream, self.code, self.why = stream, code, why


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame."""
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def headers(stream: int, block: bytes, *, ends: bool) -> bytes:
    """The frames of a header block: one, or several if it is long."""
    flags, part, rest = END_STREAM if ends else 0, block[:DEFAULT_FRAME], block[DEFAULT_FRAME:]
    found = frame(HEADERS, flags | (0 if rest else END_HEADERS), stream, part)
    while rest:
        part, rest = rest[:DEFAULT_FRAME], rest[DEFAULT_FRAME:]
        found += frame(CONTINUATION, 0 if rest else END_HEADERS, stream, part)
    return found


def settings(values: dict[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*one) for one in values.items()))


def settings_in(payload: bytes) -> list[tuple[int, int]]:
    """The names and values in a SETTINGS frame, whose length is a multiple of `SETTING_BYTES`."""
    return [_SETTING.unpack_from(payload, place) for place in range(0, len(payload), SETTING_BYTES)]


def word_in(payload: bytes) -> int:
    """The 31 bits that a payload begins with: an increment, a stream."""
    return int(_WORD.unpack_from(payload)[0]) & STREAM


def reset(stream: int, code: Code) -> bytes:
    """An RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream, _WORD.pack(code))


def window_update(stream: int, increment: int) -> bytes:
    """A WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, 0, stream, _WORD.pack(increment))


def goaway(last: int, code: Code, why: str = "") -> bytes:
    """A GOAWAY frame; `why` is for people."""
    return frame(GOAWAY, 0, 0, _WORD.pack(last) + _WORD.pack(code) + why.encode())
