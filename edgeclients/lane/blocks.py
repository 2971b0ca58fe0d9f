"""The header blocks of one connection: those that are sent again and again are looked up, not decoded."""

from typing import Final

from edgeclients.lane import hpack
from edgeclients.lane.calls import Fields
from edgeclients.lane.hpack import Decoder, Reading
from edgeclients.lane.requests import Request, Requests

_KEPT: Final = 64
_LARGEST_BLOCK: Final = 1024
_LARGEST_LIST: Final = 4096


class HeaderBlocks:
    """Decodes the header blocks of one connection, in their order.

    Args:
        decoder: a new decoder.
        reader: reads the fields of the requests, of all connections.
    """

    __slots__ = ("_decoder", "_last", "_reader", "_requests")

    def __init__(self, decoder: Decoder, reader: Requests) -> None:
        self._decoder = decoder
        self._reader = reader
        self._requests: dict[bytes, Request] = {}
        self._last = b""

    def request(self, block: bytes) -> Request:
        """The request of a block that begins a stream.

        Raises:
            ConnectionFault: the block is malformed.
            MalformedRequest: its fields break a rule.
        """
        known = self._requests.get(block)
        if known is not None:
            return known
        reading = hpack.read_over(block)
        if reading.changes:
            self._requests.clear()  # the same bytes may mean something else from here on
        request = self._reader.of(self._decoded(block, reading))
        if reading.changes:
            return request
        if block == self._last and len(block) <= _LARGEST_BLOCK and request.size <= _LARGEST_LIST:
            if len(self._requests) >= _KEPT:
                self._requests.clear()
            self._requests[block] = request
        self._last = block
        return request

    def fields(self, block: bytes) -> Fields:
        """The fields of any other block.

        Raises:
            ConnectionFault: the block is malformed.
        """
        reading = hpack.read_over(block)
        if reading.changes:
            self._requests.clear()
        return self._decoded(block, reading)

    def _decoded(self, block: bytes, reading: Reading) -> Fields:
        fields = self._decoder.decode(block)
        if reading.huffman:
            hpack.check_padding(reading, fields)
        return fields
