"""Calls of gRPC on streams: messages, compression, statuses."""

import zlib
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote

from edgeclients.lane.hpack import Fields, encoded

HEAD_BYTES: Final = 5
"""Of a message: whether it is compressed, and its length."""


class Status(IntEnum):
    """Status codes of gRPC."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class CallFailed(Exception):  # noqa: N818 - says what is so
    """Ends a call with a status, and further trailers."""

    def __init__(self, status: Status, message: str, trailers: Fields = []) -> None:
        super().__init__(message)
        self.status, self.message, self.trailers = status, message, trailers


class Unary(NamedTuple):
    """A method with one message each way.

    `at_once` answers what needs no waiting, and returns None otherwise; then `later` is run as a task. Both raise `CallFailed`.
    """

    later: "Callable[[bytes, Call], Awaitable[bytes]]"
    at_once: "Callable[[bytes, Call], bytes | None] | None" = None


class Streaming(NamedTuple):
    """A method with any number of messages: it receives and sends them on the call until it returns."""

    serve: "Callable[[Call], Awaitable[None]]"


Method: TypeAlias = Unary | Streaming
Methods: TypeAlias = "dict[bytes, Method]"
"""By path."""


class Call:
    """One call, as its handler sees it."""

    __slots__ = ("fields", "peer")

    def __init__(self, fields: Fields, peer: str) -> None:
        self.fields = fields
        self.peer = peer

    def field(self, name: bytes) -> bytes | None:
        """The first value of a request's field."""
        return next((value for key, value in self.fields if key == name), None)


HEADERS: Final = encoded([(b":status", b"200"), (b"content-type", b"application/grpc"), (b"grpc-accept-encoding", b"identity,gzip")])
"""The header block of an answer."""
OK: Final = encoded([(b"grpc-status", b"0")])
"""The block of trailers of an answer without an error."""


def message(content: bytes) -> bytes:
    """A message as it is sent."""
    return b"\x00" + len(content).to_bytes(4) + content


def trailers(failure: CallFailed) -> bytes:
    """The block of trailers of an answer that has begun."""
    return encoded(_status_fields(failure))


def trailers_only(failure: CallFailed) -> bytes:
    """The only block of an answer that is an error."""
    return encoded([(b":status", b"200"), (b"content-type", b"application/grpc"), *_status_fields(failure)])


def refusal(status: int) -> bytes:
    """The only block of an answer to what is no call."""
    return encoded([(b":status", str(status).encode())])


def _status_fields(failure: CallFailed) -> Fields:
    text = quote(failure.message, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~").encode()
    return [(b"grpc-status", str(int(failure.status)).encode()), (b"grpc-message", text), *failure.trailers]


def decompressed(content: bytes, encoding: bytes, most: int) -> bytes:
    """A compressed message.

    Raises:
        CallFailed: the encoding is not known, the content is not valid, or longer than `most`.
    """
    if encoding != b"gzip":
        known = [(b"grpc-accept-encoding", b"identity,gzip")]
        if encoding in {b"", b"identity"}:
            raise CallFailed(Status.INTERNAL, "compressed message without an encoding")
        raise CallFailed(Status.UNIMPLEMENTED, "unknown compression", known)
    inflating = zlib.decompressobj(wbits=31)
    try:
        found = inflating.decompress(content, most + 1)
    except zlib.error:
        raise CallFailed(Status.INTERNAL, "compressed message is damaged") from None
    if len(found) > most:
        raise CallFailed(Status.RESOURCE_EXHAUSTED, "message is too large")
    if not inflating.eof or inflating.unused_data:
        raise CallFailed(Status.INTERNAL, "compressed message is damaged")
    return found
