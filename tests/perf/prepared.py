"""Calls of Authenticate as bytes, made before anything is measured: header blocks as grpc-go encodes them.

Every field goes to the dynamic table. A block of constant fields is then the same few bytes each time. One with a field that
varies is a new one each time, and changes the table.
"""

import random
import struct
from collections.abc import Sequence
from typing import NamedTuple

from jh2.hpack import Encoder

from edgeclients._pb.clients.v1 import clients_pb2
from tests.perf.callers import AUTHENTICATE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4
CONSTANT, TIMEOUT, TRACE = "constant", "grpc-timeout", "traceparent"
"""What varies in the headers."""

_INITIAL_WINDOW, _LARGEST_WINDOW = 4, 2**31 - 1
_WINDOW = 65_535


class Asked(NamedTuple):
    """One call, and the message of the only right answer."""

    headers: bytes
    message: bytes
    answer: bytes


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """A frame."""
    return struct.pack(">HBBBL", len(content) >> 8, len(content) & 0xFF, kind, flags, stream) + content


GREETING = b"".join(
    (
        PREFACE,
        frame(SETTINGS, 0, 0, struct.pack(">HL", _INITIAL_WINDOW, _LARGEST_WINDOW)),
        frame(8, 0, 0, struct.pack(">L", _LARGEST_WINDOW - _WINDOW)),
    )
)
"""What a connection begins with: answers never wait for a window."""


def framed(content: bytes) -> bytes:
    """A message."""
    return b"\0" + len(content).to_bytes(4) + content


def request(token: str) -> bytes:
    """The message that asks about a token."""
    return framed(clients_pb2.AuthnReq(token=token).SerializeToString())


def response(client_id: str) -> bytes:
    """The message that says whose it is."""
    return framed(clients_pb2.AuthnRes(authenticated=True, id=client_id).SerializeToString())


def calls(varies: str, scheme: str, authority: str, messages: Sequence[tuple[bytes, bytes]]) -> list[Asked]:
    """The calls of one connection, in their order; `messages` are the questions and their answers."""
    encoder, chance = Encoder(), random.Random(len(messages))
    constant = {
        b":method": b"POST",
        b":scheme": scheme.encode(),
        b":path": AUTHENTICATE.encode(),
        b":authority": authority.encode(),
        b"content-type": b"application/grpc",
        b"user-agent": b"grpc-go/1.71.0",
        b"te": b"trailers",
    }
    asked = []
    for number, (message, answer) in enumerate(messages):
        stream = 2 * number + 1
        block = encoder.encode([*constant.items(), *_varying(varies, chance)])
        headers = frame(HEADERS, END_HEADERS, stream, block)
        asked.append(Asked(headers, frame(DATA, END_STREAM, stream, message), answer))
    return asked


def _varying(varies: str, chance: random.Random) -> list[tuple[bytes, bytes]]:
    """The field that is another one in each call: what is left of a deadline of 10 s, or a span."""
    if varies == TIMEOUT:
        return [(b"grpc-timeout", b"%du" % chance.randrange(9_900_000, 10_000_000))]
    if varies == TRACE:
        return [(b"traceparent", b"00-%032x-%016x-01" % (chance.getrandbits(128), chance.getrandbits(64)))]
    return []
