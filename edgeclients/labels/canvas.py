"""What labels are drawn on. All places and sizes are dots, from the upper left corner of a page."""

from pathlib import Path
from typing import Protocol

from edgeclients.labels.codes import Code


class Canvas(Protocol):
    """Pages of one size, one after the other."""

    def begin_page(self) -> None:
        """Draw on a new page from now on."""

    def draw_code(self, x: int, y: int, code: Code) -> None:
        """Draw a code; this is the upper left corner of its light border."""

    def draw_text(self, x: int, y: int, size: int, text: str) -> None:
        """Draw one line from left to right, from this point on its base line."""

    def finish(self) -> list[Path]:
        """Write what is left to write.

        Returns:
            The files: one, or one for each page.

        Raises:
            OSError: they cannot be written.
        """
