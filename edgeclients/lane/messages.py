"""Messages and answers of gRPC as they are on the wire (the specification of gRPC over HTTP/2)."""

import zlib
from typing import Final
from urllib.parse import quote

from edgeclients.lane.calls import CallFailed, Fields, Status
from edgeclients.lane.hpack import encoded

HEAD_BYTES: Final = 5
"""Of a message: whether it is compressed, and its length."""

_UNCHANGED = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"  # in percent-encoded texts; letters and digits are as well

HEADERS: Final = encoded(
    [(b":status", b"200"), (b"content-type", b"application/grpc"), (b"grpc-accept-encoding", b"identity,gzip")]
)
"""The header block of an answer."""
OK: Final = encoded([(b"grpc-status", b"0")])
"""The block of trailers of an answer without an error."""


def framed(content: bytes) -> bytes:
    """A message as it is sent."""
    return b"\x00" + len(content).to_bytes(4) + content


def trailers(failure: CallFailed) -> bytes:
    """The block of trailers of an answer that has begun."""
    return encoded(_status_fields(failure))


def trailers_only(failure: CallFailed) -> bytes:
    """The only block of an answer that is an error."""
    return encoded([(b":status", b"200"), (b"content-type", b"application/grpc"), *_status_fields(failure)])


def refusal(status: int) -> bytes:
    """The only block of an answer to what is no call: an HTTP status."""
    return encoded([(b":status", str(status).encode())])


def size_in(head: bytes | bytearray) -> int:
    """The length of the message that begins with `head`, with its head."""
    return HEAD_BYTES + int.from_bytes(head[1:HEAD_BYTES])


def content_of(message: bytes, encoding: bytes, most: int) -> bytes:
    """The content of a complete message.

    Args:
        message: the message, with its head.
        encoding: the call's `grpc-encoding`.
        most: maximum of bytes, also when decompressed.

    Raises:
        CallFailed: it is damaged, too long, or its compression is not known.
    """
    if message[0] == 0:
        return message[HEAD_BYTES:]
    if message[0] != 1:
        raise CallFailed(Status.INTERNAL, "message is damaged")
    return _decompressed(message[HEAD_BYTES:], encoding, most)


def _decompressed(content: bytes, encoding: bytes, most: int) -> bytes:
    if encoding in {b"", b"identity"}:
        raise CallFailed(Status.INTERNAL, "compressed message without an encoding")
    if encoding != b"gzip":
        raise CallFailed(Status.UNIMPLEMENTED, "unknown compression", [(b"grpc-accept-encoding", b"identity,gzip")])
    inflating = zlib.decompressobj(wbits=31)
    try:
        found = inflating.decompress(content, most + 1)
    except zlib.error:
        raise CallFailed(Status.INTERNAL, "compressed message is damaged") from None
    if len(found) > most:
        raise too_large()
    if not inflating.eof or inflating.unused_data:
        raise CallFailed(Status.INTERNAL, "compressed message is damaged")
    return found


def too_large() -> CallFailed:
    """The failure of a call whose message is too long."""
    return CallFailed(Status.RESOURCE_EXHAUSTED, "message is too large")


def too_many() -> CallFailed:
    """The failure of a call for whose messages no memory is left."""
    return CallFailed(Status.RESOURCE_EXHAUSTED, "too many large messages")


def _status_fields(failure: CallFailed) -> Fields:
    message = failure.message
    unchanged = _UNCHANGED if message == message.strip(" ") else _UNCHANGED.strip()  # no field begins or ends with a space
    text = quote(message, safe=unchanged, errors="replace").encode()
    return [(b"grpc-status", b"%d" % failure.status), (b"grpc-message", text), *failure.trailers]
