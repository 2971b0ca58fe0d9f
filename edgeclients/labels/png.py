"""Draws labels into PNG files, one a page."""

from pathlib import Path

from edgeclients.labels.bitmap import Bitmap
from edgeclients.labels.codes import QUIET, Code
from edgeclients.labels.faces import Face
from edgeclients.labels.publishing import create
from edgeclients.labels.sheets import DOTS_PER_INCH, Sheet, dots


class PngCanvas:
    """Images of pages with a pixel a dot, of which one is in memory.

    Args:
        sheet: says how large a page is.
        face: the font of all texts.
        folder: where to write.
    """

    def __init__(self, sheet: Sheet, face: Face, folder: Path) -> None:
        self._size = (dots(sheet.page[0]), dots(sheet.page[1]))
        self._face = face
        self._folder = folder
        self._files: list[Path] = []
        self._page = Bitmap(0, 0)
        self._begun = False

    def begin_page(self) -> None:
        """Write the page that was drawn, and draw on a new one from now on.

        Raises:
            OSError: it cannot be written.
        """
        self._write()
        self._page = Bitmap(*self._size)
        self._begun = True

    def draw_code(self, x: int, y: int, code: Code) -> None:
        """Draw a code; this is the upper left corner of its light border."""
        for column, row, length in code.runs():
            left, top = x + (column + QUIET) * code.dots, y + (row + QUIET) * code.dots
            self._page.fill(left, top, length * code.dots, code.dots)

    def draw_text(self, x: int, y: int, size: int, text: str) -> None:
        """Draw one line from left to right, from this point on its base line."""
        pen = float(x)
        for character in text:
            self._page.put(round(pen), y, self._face.glyph(character, size))
            pen += self._face.width(character, size)

    def finish(self) -> list[Path]:
        """Write the last page.

        Raises:
            OSError: it cannot be written.
        """
        self._write()
        return self._files

    def _write(self) -> None:
        if not self._begun:
            return
        path = self._folder / f"labels-{len(self._files) + 1}.png"
        with create(path) as file:
            file.write(self._page.png(DOTS_PER_INCH))
        self._files.append(path)
