"""Draws labels into a PDF."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from fpdf import FPDF
from fpdf.prefs import ViewerPreferences

from edgeclients.labels.codes import QUIET, Code
from edgeclients.labels.faces import Face
from edgeclients.labels.publishing import create
from edgeclients.labels.sheets import DOTS_PER_INCH, Sheet, dots

_POINT: Final = 72 / DOTS_PER_INCH  # points of a dot
_FONT: Final = "labels"


class PdfCanvas:
    """A PDF, whose pages stay in memory until it is finished.

    Args:
        sheet: says how large a page is.
        face: the font of all texts; what is used of it becomes a part of the PDF.
        folder: where to write.
    """

    def __init__(self, sheet: Sheet, face: Face, folder: Path) -> None:
        width, height = (dots(side) * _POINT for side in sheet.page)
        self._document = _Document(unit="pt", format=(width, height))
        self._document.set_auto_page_break(auto=False)
        self._document.add_font(_FONT, fname=face.path)
        # A label must not be where "fit to page" would put it.
        self._document.viewer_preferences = ViewerPreferences(print_scaling="None")
        self._file = folder / "labels.pdf"

    def begin_page(self) -> None:
        """Draw on a new page from now on."""
        self._document.add_page()

    def draw_code(self, x: int, y: int, code: Code) -> None:
        """Draw a code as one area; this is the upper left corner of its light border."""
        edge = QUIET * code.dots
        self._document.fill((x + edge) * _POINT, (y + edge) * _POINT, code.dots * _POINT, code.runs())

    def draw_text(self, x: int, y: int, size: int, text: str) -> None:
        """Draw one line from left to right, from this point on its base line."""
        self._document.set_font(_FONT, size=size * _POINT)
        self._document.text(x * _POINT, y * _POINT, text)

    def finish(self) -> list[Path]:
        """Write the PDF.

        Raises:
            OSError: it cannot be written.
        """
        with create(self._file) as file:
            self._document.output(file)
        return [self._file]


class _Document(FPDF):
    """A document in which many rectangles take few bytes."""

    def fill(self, x: float, y: float, unit: float, rows: Iterable[tuple[int, int, int]]) -> None:
        """Fill rectangles with black, as one area.

        Args:
            x: points from the left edge to the column 0.
            y: points from the upper edge to the row 0.
            unit: points of a column and a row.
            rows: column and row of the beginning of each rectangle, which is one row high, and how many columns it has.
        """
        self._out(f"q {unit:.4g} 0 0 {-unit:.4g} {x:.2f} {self.h_pt - y:.2f} cm")
        self._out("\n".join(f"{column} {row} {length} 1 re" for column, row, length in rows))
        self._out("f Q")
