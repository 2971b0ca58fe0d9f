"""Fonts: which characters they have, how much of a text fits, and how it is drawn."""

import unicodedata
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

from fontTools.ttLib import TTFont, TTLibError
from fpdf.bidi import BIDI_BRACKETS, BidiParagraph

from edgeclients.labels.glyphs import Glyph, drawn
from edgeclients.labels.problem import LabelProblem

OURS: Final = Path(__file__).parent / "assets" / "DejaVuSans.ttf"
"""DejaVu Sans: Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew, Arabic and many signs; no Chinese, Japanese or Korean."""

_KINDS: Final = (".ttf", ".otf", ".ttc", ".otc")
_NO_GLYPHS: Final = ("Cc", "Cf")  # controls and formats, such as marks of direction
_SELECTORS: Final = range(0xFE00, 0xFE10)  # which form of the character before them is wanted
_NOT_DEFINED: Final = ".notdef"  # the glyph of a character that the font lacks
_MISSING: Final = ("\N{REPLACEMENT CHARACTER}", "?")
_ELLIPSIS: Final = ("\N{HORIZONTAL ELLIPSIS}", "...")


class Face:
    """A font: its characters, how wide they are, and what they look like in dots.

    Args:
        path: a TrueType or OpenType font; of a collection, the first one is used.

    Raises:
        LabelProblem: it cannot be read, or is no such font.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.suffix.lower() not in _KINDS:
            raise LabelProblem(f"{path} is no font that can be used: its name ends in none of {', '.join(_KINDS)}")
        try:
            font = TTFont(BytesIO(path.read_bytes()), fontNumber=0, lazy=True)
            self._names: dict[str, str] = {chr(point): name for point, name in (font.getBestCmap() or {}).items()}
            metrics, self._units = font["hmtx"].metrics, font["head"].unitsPerEm
            self._outlines = font.getGlyphSet()
        except OSError as error:
            raise LabelProblem(f"{path} cannot be read ({error.strerror})") from error
        except (TTLibError, KeyError) as error:
            raise LabelProblem(f"{path} is no font that can be used: choose a TrueType or OpenType font") from error
        self._widths: dict[str, float] = {one: metrics[name][0] / self._units for one, name in self._names.items()}
        self._drawn: dict[tuple[str, int], Glyph] = {}
        self._missing = self._first(_MISSING)
        self._ellipsis = self._first(_ELLIPSIS)

    def shown(self, text: str) -> str:
        """`text` in one line, with a sign in the place of each character that this font lacks."""
        known = self._widths
        return "".join(one if one in known else self._missing for one in _visible(text))

    def lacks(self, text: str) -> bool:
        """Whether `shown` replaces characters of `text`."""
        return any(one not in self._widths for one in _visible(text))

    def width(self, text: str, size: float) -> float:
        """How wide `text` is, in the unit of `size`; it is what `shown` returns."""
        return sum((self._widths[one] for one in text), 0.0) * size

    def glyph(self, character: str, size: int) -> Glyph:
        """A character in dots, in a size in dots; it is one that `shown` returns."""
        key = (character, size)
        if key not in self._drawn:
            self._drawn[key] = drawn(self._outlines, self._names.get(character, _NOT_DEFINED), size / self._units)
        return self._drawn[key]

    def lines(self, text: str, width: float, size: float, most: int) -> list[str]:
        """`text` on at most so many lines of this width; what does not fit is cut, with an ellipsis in its place."""
        lines: list[str] = []
        while text and len(lines) < most:
            end = self._end_of_line(text, width, size)
            lines.append(text[:end].rstrip())
            text = text[end:].lstrip()
        if text and lines:
            lines[-1] = self._shortened(lines[-1], width, size)
        return lines

    def _end_of_line(self, text: str, width: float, size: float) -> int:
        """How many characters fit on a line, which ends behind a blank or a hyphen if it has one; at least one does."""
        used = 0.0
        for place, one in enumerate(text):
            used += self._widths[one] * size
            if used > width:
                last = place if one == " " else max(text.rfind(mark, 0, place) for mark in " -") + 1
                return last or max(place, 1)
        return len(text)

    def _shortened(self, line: str, width: float, size: float) -> str:
        while line and self.width(line + self._ellipsis, size) > width:
            line = line[:-1]
        return line.rstrip() + self._ellipsis

    def _first(self, choices: tuple[str, ...]) -> str:
        """The first of these that the font has; the last, if it has none."""
        for choice in choices:
            if all(one in self._widths for one in choice):
                return choice
        for one in choices[-1]:
            self._widths.setdefault(one, 0.5)
        return choices[-1]


def in_order(line: str) -> str:
    """A line as it is drawn from left to right, which is another order for scripts that are read from right to left."""
    if line.isascii():
        return line
    return "".join(
        BIDI_BRACKETS[one.character]["pair"] if one.embedding_level % 2 and one.character in BIDI_BRACKETS else one.character
        for one in BidiParagraph(line).get_reordered_characters()
    )


def _visible(text: str) -> Iterator[str]:
    for one in unicodedata.normalize("NFC", text):
        if one.isspace():
            yield " "
        elif unicodedata.category(one) not in _NO_GLYPHS and ord(one) not in _SELECTORS:
            yield one
