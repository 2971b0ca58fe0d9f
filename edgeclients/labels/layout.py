"""Where the code and the texts of a label are."""

import itertools
from dataclasses import dataclass
from typing import Final

from edgeclients.labels.canvas import Canvas
from edgeclients.labels.codes import code
from edgeclients.labels.faces import Face, in_order
from edgeclients.labels.sheets import Sheet, dots
from edgeclients.labels.source import Entry

_SIZES: Final = (42, 38, 33, 29, 25)  # dots: 10 to 6 points
_SMALLEST: Final = 21  # 5 points
_LINE: Final = 1.2  # from line to line, in sizes of the font
_ASCENT: Final = 0.95  # of it above the base line
_NAME_LINES: Final = 2
_GAP: Final = dots(1)  # between code and text, besides the light border
_WIDEST: Final = 0.6  # of a label's width, for its code
_LONGEST: Final = 300  # characters of a text: more would be too small to read


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of text beside a code."""

    size: int
    lines: list[str]


class Layout:
    """Draws labels of a sheet: the code on the left, serial and name beside it.

    Args:
        sheet: the labels.
        face: the font of the texts.
        canvas: what to draw on; pages are begun here.
        start: the place of the first label, counted from 0: those before it are used already.
    """

    def __init__(self, sheet: Sheet, face: Face, canvas: Canvas, start: int) -> None:
        self._sheet = sheet
        self._face = face
        self._canvas = canvas
        self._next = start
        self._margin = dots(sheet.margin)
        self._width, self._height = (dots(side) - 2 * self._margin for side in sheet.label)
        self._begun = False

    def draw(self, entry: Entry, text: str) -> None:
        """Draw the next label, whose code holds `text`.

        Raises:
            LabelProblem: the code does not fit on it.
            OSError: a page cannot be written.
        """
        drawn = code(text, min(self._height, round(self._width * _WIDEST)))
        x, y = self._corner()
        self._canvas.draw_code(x, y + (self._height - drawn.side) // 2, drawn)
        left = drawn.side + _GAP
        self._draw_block(self._block(entry, self._width - left), x + left, y)

    def _corner(self) -> tuple[int, int]:
        """Where the next label begins, inside its margin; its page is begun."""
        place = self._next % self._sheet.places
        if place == 0 or not self._begun:
            self._canvas.begin_page()
        self._begun = True
        self._next += 1
        x, y = self._sheet.corner(place)
        return dots(x) + self._margin, dots(y) + self._margin

    def _block(self, entry: Entry, width: int) -> Block:
        """The serial on as few lines as possible, then the whole name, then as large as possible."""
        serial, name = (self._face.shown(_bounded(text)) for text in (entry.serial, entry.name))
        for most, whole, size in itertools.product((1, 2, 3), (True, False), _SIZES):
            lines = self._face.lines(serial, width, size, most + 1)
            names = self._face.lines(name, width, size, _NAME_LINES + whole)
            if len(lines) <= most and len(names) <= _NAME_LINES and (len(lines) + len(names)) * _LINE * size <= self._height:
                return Block(size, [*lines, *names])
        return self._smallest(serial, name, width, int(self._height / (_LINE * _SMALLEST)))

    def _smallest(self, serial: str, name: str, width: int, most: int) -> Block:
        """As much as fits in the smallest size: of the serial first."""
        lines = self._face.lines(serial, width, _SMALLEST, most)
        return Block(_SMALLEST, [*lines, *self._face.lines(name, width, _SMALLEST, min(_NAME_LINES, most - len(lines)))])

    def _draw_block(self, block: Block, x: int, y: int) -> None:
        """Draw lines in the middle of the label's height."""
        step = _LINE * block.size
        top = y + (self._height - len(block.lines) * step) / 2
        for number, line in enumerate(block.lines):
            self._canvas.draw_text(x, round(top + number * step + _ASCENT * block.size), block.size, in_order(line))


def _bounded(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\N{HORIZONTAL ELLIPSIS}"
