"""Characters as dots: fills the outlines of a font.

Pillow would draw them too. It takes 10 MB of an executable, for many formats of pictures, and has no wheels for 32-bit ARM.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from fontTools.pens.basePen import BasePen

_FINE: Final = 4  # how many times finer than a dot the outline is filled, in both directions
_ENOUGH: Final = 6  # of the 16 fine dots: a dot that is less than half inked is better seen than a stroke with holes
_STEPS: Final = 6  # lines in the place of a curve

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Glyph:
    """A character in dots.

    Attributes:
        left: dots from the pen to the column 0; negative if that is on its left.
        top: dots from the base line up to the upper edge of the first row.
        width: how many columns it has.
        rows: from above; the highest of `width` bits is the column 0, and what is set is dark.
    """

    left: int
    top: int
    width: int
    rows: Sequence[int]


def drawn(glyphs: Any, name: str, scale: float) -> Glyph:
    """A glyph of a font, filled as TrueType and PostScript fill it: by the non-zero winding rule.

    Args:
        glyphs: the font's, from `getGlyphSet()`.
        name: which one.
        scale: dots of a unit of the font.
    """
    pen = _Edges(glyphs, scale * _FINE)
    glyphs[name].draw(pen)
    if not pen.edges:
        return Glyph(0, 0, 0, ())
    xs = [x for edge in pen.edges for x, _ in edge]
    ys = [y for edge in pen.edges for _, y in edge]
    left, right = math.floor(min(xs) / _FINE), math.ceil(max(xs) / _FINE)
    bottom, top = math.floor(min(ys) / _FINE), math.ceil(max(ys) / _FINE)
    fine = [_filled(pen.edges, y + 0.5, right * _FINE) for y in range(top * _FINE - 1, bottom * _FINE - 1, -1)]
    rows = [_coarse(fine[start : start + _FINE], right - left) for start in range(0, len(fine), _FINE)]
    return Glyph(left, top, right - left, rows)


def _filled(edges: Sequence[tuple[Point, Point]], y: float, right: int) -> int:
    """The fine dots of one row that are inside of the outline, as bits of which the lowest ends at `right`."""
    row, winding, since = 0, 0, 0
    for x, turn in sorted(_crossings(edges, y)):
        place = math.ceil(x - 0.5)
        if winding:
            row |= ((1 << (place - since)) - 1) << (right - place)
        winding, since = winding + turn, place
    return row


def _crossings(edges: Sequence[tuple[Point, Point]], y: float) -> Iterator[tuple[float, int]]:
    """Where edges cross a row, and whether they go up (1) or down (-1)."""
    for (x0, y0), (x1, y1) in edges:
        if (y0 <= y) != (y1 <= y):
            yield x0 + (y - y0) * (x1 - x0) / (y1 - y0), 1 if y1 > y0 else -1


def _coarse(fine: Sequence[int], width: int) -> int:
    """One row of dots, from as many rows of fine ones as are in it."""
    row, mask = 0, (1 << _FINE) - 1
    for column in range(width):
        shift = (width - 1 - column) * _FINE
        inked = sum(((one >> shift) & mask).bit_count() for one in fine)
        row = row << 1 | (inked >= _ENOUGH)
    return row


class _Edges(BasePen):  # type: ignore[misc]  # fontTools has no types
    """Collects an outline as straight edges, curves in steps."""

    def __init__(self, glyphs: Any, scale: float) -> None:
        super().__init__(glyphs)
        self.edges: list[tuple[Point, Point]] = []
        self._scale = scale
        self._start = self._at = (0.0, 0.0)

    def _moveTo(self, point: Point) -> None:  # noqa: N802 - fontTools calls it
        self._start = self._at = self._scaled(point)

    def _lineTo(self, point: Point) -> None:  # noqa: N802
        self._edge(self._scaled(point))

    def _curveToOne(self, first: Point, second: Point, end: Point) -> None:  # noqa: N802
        corners = (self._at, self._scaled(first), self._scaled(second), self._scaled(end))
        for step in range(1, _STEPS + 1):
            self._edge(_between(corners, step / _STEPS))

    def _closePath(self) -> None:  # noqa: N802
        self._edge(self._start)

    def _endPath(self) -> None:  # noqa: N802
        self._edge(self._start)

    def _scaled(self, point: Point) -> Point:
        return point[0] * self._scale, point[1] * self._scale

    def _edge(self, point: Point) -> None:
        self.edges.append((self._at, point))
        self._at = point


def _between(corners: Sequence[Point], part: float) -> Point:
    """The point of a Bézier curve."""
    while len(corners) > 1:
        corners = [(x0 + (x1 - x0) * part, y0 + (y1 - y0) * part) for (x0, y0), (x1, y1) in pairwise(corners)]
    return corners[0]
