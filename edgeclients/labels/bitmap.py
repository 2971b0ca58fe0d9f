"""A page as dots, black on white, and its PNG."""

import struct
import zlib
from typing import Final

from edgeclients.labels.glyphs import Glyph

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_MM_PER_INCH: Final = 25.4
_METRE: Final = 1  # the unit of pHYs


class Bitmap:
    """Dots of a page. What is drawn beyond its edges is lost."""

    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._rows = [0] * height  # the highest of `width` bits is the left edge; what is set is dark

    def fill(self, x: int, y: int, width: int, height: int) -> None:
        """Fill a rectangle."""
        bits = self._placed((1 << width) - 1, x, width)
        for row in range(max(y, 0), min(y + height, len(self._rows))):
            self._rows[row] |= bits

    def put(self, x: int, y: int, glyph: Glyph) -> None:
        """Draw a character, the pen being at this point of its base line."""
        for row, bits in enumerate(glyph.rows, y - glyph.top):
            if 0 <= row < len(self._rows):
                self._rows[row] |= self._placed(bits, x + glyph.left, glyph.width)

    def _placed(self, bits: int, x: int, width: int) -> int:
        """Bits of a row that begin at the column `x`."""
        shift = self._width - x - width
        return (bits << shift if shift >= 0 else bits >> -shift) & ((1 << self._width) - 1)

    def png(self, dots_per_inch: int) -> bytes:
        """The page in a PNG file with one bit a dot (ISO/IEC 15948)."""
        size, spare = -(-self._width // 8), -self._width % 8
        white = (1 << self._width) - 1
        lines = b"".join(b"\0" + ((row ^ white) << spare).to_bytes(size, "big") for row in self._rows)
        density = round(dots_per_inch / _MM_PER_INCH * 1000)
        return b"".join(
            (
                _SIGNATURE,
                _chunk(b"IHDR", struct.pack(">IIBBBBB", self._width, len(self._rows), 1, 0, 0, 0, 0)),
                _chunk(b"pHYs", struct.pack(">IIB", density, density, _METRE)),
                _chunk(b"IDAT", zlib.compress(lines)),
                _chunk(b"IEND", b""),
            )
        )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
