"""Header blocks (RFC 7541): decoding by jh2, whose decoder is private, and encoding of what answers need.

jh2's decoder panics, and prints that, on blocks that are cut short. So each block is read over first, which also tells whether
it changes the dynamic table.
"""

import functools
import logging
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, Protocol

from edgeclients.lane.calls import Fields
from edgeclients.lane.frames import Code, ConnectionFault

_log = logging.getLogger(__name__)

TABLE_BYTES: Final = 4096
"""Of the dynamic table, unless SETTINGS say otherwise."""
NO_TABLE: Final = b"\x20"
"""The beginning of a block that tells the peer to keep no dynamic table."""
_LONGEST_NUMBER = 5  # bytes behind the prefix: 2^28 and more are never meant

_INDEXED, _INSERTED, _RESIZED = 0x80, 0x40, 0x20
_HUFFMAN = 0x80


class Decoder(Protocol):
    """The header blocks of one connection, in their order."""

    def decode(self, block: bytes) -> Fields:
        """The fields of a block.

        Raises:
            ConnectionFault: the block is none, or its list is too long.
        """


class _RustDecoder:
    def __init__(self, most_bytes: int) -> None:
        from jh2._hazmat import Decoder as Inner

        self._decode = Inner(most_bytes).decode

    def decode(self, block: bytes) -> Fields:
        try:
            return [(name, value) for name, value, _ in self._decode(block, True)]  # noqa: FBT003 - positional in its signature
        except Exception as error:  # noqa: BLE001 - of jh2, which has no list of them
            raise _fault(error) from None
        except BaseException as error:  # a panic of the decoder is no Exception
            if type(error).__name__ != "PanicException":
                raise
            raise ConnectionFault(Code.COMPRESSION_ERROR, "header block") from None


class _PythonDecoder:
    def __init__(self, most_bytes: int) -> None:
        self._inner = _python_decoder()(most_bytes)

    def decode(self, block: bytes) -> Fields:
        try:
            found: Iterable[Any] = self._inner.decode(block, raw=True)
            return [(bytes(field[0]), bytes(field[1])) for field in found]
        except Exception as error:  # noqa: BLE001 - likewise
            raise _fault(error) from None


def _python_decoder() -> Any:
    from jh2.hpack import Decoder

    return Decoder


def _fault(error: Exception) -> ConnectionFault:
    oversized = "Oversized" in type(error).__name__
    return ConnectionFault(Code.ENHANCE_YOUR_CALM if oversized else Code.COMPRESSION_ERROR, "header block")


def _is_sound() -> bool:
    """Whether the decoder of this version of jh2 is there, decodes, and bounds the list."""
    try:
        decoder = _RustDecoder(64)
        if decoder.decode(b"\x82\x86") != [(b":method", b"GET"), (b":scheme", b"http")]:
            return False
        decoder.decode(b"\x00\x01a\x7f\x00" + b"b" * 127)
    except ConnectionFault as fault:
        return fault.code is Code.ENHANCE_YOUR_CALM
    except Exception:  # noqa: BLE001 - whatever it is, it is another decoder
        return False
    return False


def decoders() -> type[_RustDecoder] | type[_PythonDecoder]:
    """The decoder to use for each connection: the fast one, if that is as it should be."""
    if _is_sound():
        return _RustDecoder
    _python_decoder()
    _log.warning("the fast decoder of headers is not usable: gRPC calls cost more")
    return _PythonDecoder


class Reading(NamedTuple):
    """What a block looks like before it is decoded.

    `changes` is whether it changes the dynamic table. `huffman` has the strings in Huffman code: the number of the field, which
    part of it, and the bytes.
    """

    changes: bool
    huffman: list[tuple[int, int, bytes]]


_NAME, _VALUE = 0, 1


def read_over(block: bytes) -> Reading:
    """Read a block over.

    Raises:
        ConnectionFault: it is cut short.
    """
    place, end, changes, field = 0, len(block), False, 0
    huffman: list[tuple[int, int, bytes]] = []
    try:
        while place < end:
            first = block[place]
            if _RESIZED <= first < _INSERTED:
                if field:  # section 4.2: only at the beginning
                    raise ConnectionFault(Code.COMPRESSION_ERROR, "table size inside of a block")
                changes = True
                place = place + 1 if first != 0x3F else _behind_number(block, place)
                continue
            if first >= _INDEXED:
                place = place + 1 if first != 0xFF else _behind_number(block, place)
            else:
                changes = changes or first >= _INSERTED
                place = _behind_literal(block, place, field, huffman)
            field += 1
    except IndexError:
        raise ConnectionFault(Code.COMPRESSION_ERROR, "header block is cut short") from None
    if place != end:
        raise ConnectionFault(Code.COMPRESSION_ERROR, "header block is cut short")
    return Reading(changes, huffman)


def check_padding(reading: Reading, fields: Fields) -> None:
    """Return if strings in Huffman code end with less than a byte of ones (section 5.2), which jh2 does not look at.

    Raises:
        ConnectionFault: one does not.
    """
    for field, part, coded in reading.huffman:
        padding = 8 * len(coded) - sum(fields[field][part].translate(_code_lengths()))
        if not 0 <= padding < 8 or (padding and coded[-1] | 0xFF << padding & 0xFF != 0xFF):
            raise ConnectionFault(Code.COMPRESSION_ERROR, "padding of a string")


@functools.cache
def _code_lengths() -> bytes:
    """The length in bits of each byte's Huffman code (appendix B)."""
    from jh2.hpack.huffman_constants import REQUEST_CODES_LENGTH

    return bytes(REQUEST_CODES_LENGTH[:256])


def _behind_literal(block: bytes, place: int, field: int, huffman: list[tuple[int, int, bytes]]) -> int:
    """The place behind a literal field."""
    first = block[place]
    mask = 0x3F if first >= _INSERTED else 0x0F
    index = first & mask
    if index == 0:
        head = place + 1
        begin, place = _string_at(block, head)
        if block[head] & _HUFFMAN:
            huffman.append((field, _NAME, block[begin:place]))
    elif index == mask:
        place = _behind_number(block, place)
    else:
        place += 1
    begin, behind = _string_at(block, place)
    if block[place] & _HUFFMAN:
        huffman.append((field, _VALUE, block[begin:behind]))
    return behind


def _behind_number(block: bytes, place: int) -> int:
    """The place behind a number whose prefix is full."""
    for behind in range(place + 1, place + 1 + _LONGEST_NUMBER):
        if block[behind] < 0x80:
            return behind + 1
    raise ConnectionFault(Code.COMPRESSION_ERROR, "number")


def _string_at(block: bytes, place: int) -> tuple[int, int]:
    """Where the content of a string begins, and the place behind it."""
    length = block[place] & 0x7F
    if length < 0x7F:
        return place + 1, place + 1 + length
    shift = 0
    for behind in range(place + 1, place + 1 + _LONGEST_NUMBER):
        length += (block[behind] & 0x7F) << shift
        if block[behind] < 0x80:
            return behind + 1, behind + 1 + length
        shift += 7
    raise ConnectionFault(Code.COMPRESSION_ERROR, "number")


def encoded(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A block of fields that leaves the dynamic table alone; what is in the static table is named by its number."""
    return b"".join(_field(name, value) for name, value in fields)


_STATUS: Final = {b"200": b"\x88", b"400": b"\x8c", b"404": b"\x8d", b"500": b"\x8e"}
_CONTENT_TYPE: Final = b"\x0f\x10"  # number 31, not indexed


def _field(name: bytes, value: bytes) -> bytes:
    if name == b":status":
        return _STATUS.get(value) or b"\x08" + _string(value)
    head = _CONTENT_TYPE if name == b"content-type" else b"\x00" + _string(name)
    return head + _string(value)


def _string(text: bytes) -> bytes:
    return _number(len(text), 0x7F) + text


def _number(value: int, most: int) -> bytes:
    if value < most:
        return bytes((value,))
    found, value = [most], value - most
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))
