"""Sheets of labels that shops sell, and single labels of label printers."""

from dataclasses import dataclass
from typing import Final

DOTS_PER_INCH: Final = 300
_MM_PER_INCH: Final = 25.4

_A4: Final = (210.0, 297.0)
_LETTER: Final = (215.9, 279.4)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Where the labels are on a page. All lengths are in millimetres, horizontal before vertical.

    Attributes:
        page: the size of the page.
        grid: how many columns and rows of labels it has.
        label: the size of a label.
        first: where the upper left corner of the first label is.
        pitch: from the corner of a label to that of the next one.
        margin: what stays free at each edge of a label, as no printer meets the edge exactly.
    """

    page: tuple[float, float]
    grid: tuple[int, int]
    label: tuple[float, float]
    first: tuple[float, float] = (0, 0)
    pitch: tuple[float, float] = (0, 0)
    margin: float = 1.5

    @property
    def places(self) -> int:
        """How many labels are on a page."""
        columns, rows = self.grid
        return columns * rows

    @property
    def about(self) -> str:
        """The size of a label, and how many are on a page."""
        width, height = self.label
        paper = {_A4: " on A4", _LETTER: " on Letter"}.get(self.page, "")
        return f"{width:g} x {height:g} mm" + (f", {self.places}{paper}" if paper else "")

    def corner(self, place: int) -> tuple[float, float]:
        """The upper left corner of a label; places count from 0, row by row."""
        row, column = divmod(place, self.grid[0])
        return self.first[0] + column * self.pitch[0], self.first[1] + row * self.pitch[1]


def dots(millimetres: float) -> int:
    """A length in dots of a printer with 300 dots per inch."""
    return round(millimetres * DOTS_PER_INCH / _MM_PER_INCH)


def _single(width: float, height: float, margin: float) -> Sheet:
    """A roll of labels: each is a page."""
    return Sheet((width, height), (1, 1), (width, height), margin=margin)


SHEETS: Final = {
    "avery-l7160": Sheet(_A4, (3, 7), (63.5, 38.1), (7.2, 15.15), (66.04, 38.1)),
    "avery-l7163": Sheet(_A4, (2, 7), (99.06, 38.1), (4.67, 15.15), (101.6, 38.1)),
    "avery-l7654": Sheet(_A4, (4, 10), (45.72, 25.4), (9.75, 21.43), (48.26, 25.4), margin=1.0),
    "avery-l7651": Sheet(_A4, (5, 13), (38.1, 21.17), (4.67, 10.9), (40.64, 21.17), margin=0.8),
    "avery-l6009": Sheet(_A4, (4, 12), (45.72, 21.17), (9.75, 21.41), (48.26, 21.17), margin=0.8),
    "avery-l6011": Sheet(_A4, (3, 9), (63.5, 29.63), (7.21, 15.1), (66.04, 29.63)),
    "avery-5160": Sheet(_LETTER, (3, 10), (66.68, 25.4), (4.78, 12.7), (69.85, 25.4), margin=1.0),
    "avery-5163": Sheet(_LETTER, (2, 5), (101.6, 50.8), (3.96, 12.7), (106.36, 50.8)),
    "herma-4457": Sheet(_A4, (2, 6), (105.0, 48.0), (0, 4.5), (105.0, 48.0), margin=5.0),
    "a4-3x8": Sheet(_A4, (3, 8), (70.0, 37.125), (0, 0), (70.0, 37.125), margin=5.0),
    "label-62x29": _single(62.0, 29.0, margin=3.0),
    "label-50x30": _single(50.0, 30.0, margin=1.5),
}
"""The sheets by name.

The measures of sheets come from LibreOffice's `extras/source/labels/labels.xml`, in hundredths of a millimetre there: L7160,
L7163, L7654, L7651, L6009 and L6011 of `Avery A4`, 5160 and 5163 of `Avery Letter Size`, and Herma's 4457. Those in glabels
(`templates/avery-iso-templates.xml`, `avery-us-templates.xml`, `herma-iso-templates.xml`) differ by some tenths of a
millimetre, less than a printer does. `a4-3x8` divides A4 evenly, as Herma's 4464 and Zweckform's 3474 do. Where labels reach
the edge of the paper, their margin is what office printers leave blank there. `label-62x29` is Brother's DK-11209, at whose
edges a printer leaves up to 3 mm blank (caps-printing.org, manual of the Brother QL label printers).
"""

DEFAULT: Final = "avery-l7160"
