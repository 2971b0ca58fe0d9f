"""QR codes that fit on a label."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import segno

from edgeclients.labels.problem import LabelProblem
from edgeclients.labels.sheets import DOTS_PER_INCH

QUIET: Final = 4
"""Modules that stay light around a code, as ISO/IEC 18004 requires."""

_LEAST: Final = 4
"""Dots of a module, at least: 0.34 mm, what cameras of phones and cheap scanners still read at arm's length."""

_LEVELS: Final = ("m", "l")
"""How much of a code can be destroyed, in the order in which it is tried: 15 %, 7 %."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code as it is printed. A module is a whole number of dots, so that no printer has to blur it.

    Attributes:
        modules: the rows, from above; what is true is dark. Without the light border.
        dots: the width and height of a module.
    """

    modules: Sequence[Sequence[int]]
    dots: int

    @property
    def side(self) -> int:
        """Its width and height in dots, with the light border."""
        return (len(self.modules) + 2 * QUIET) * self.dots

    def runs(self) -> Iterator[tuple[int, int, int]]:
        """What is dark, as rows of modules side by side: column and row of the first, and how many there are."""
        for y, row in enumerate(self.modules):
            x = 0
            while x < len(row):
                start = x
                while x < len(row) and row[x]:
                    x += 1
                if x > start:
                    yield start, y, x - start
                x += 1


def code(text: str, room: int) -> Code:
    """The code that holds `text`, as large as it can be.

    Args:
        text: is UTF-8 in the code, and marked as such if it is not ASCII.
        room: dots of the width and height that it may have.

    Raises:
        LabelProblem: there is no text, its modules would be too small, or no code holds as much.
    """
    if not text:
        raise LabelProblem("the code would be empty: this client has nothing of what the template names")
    for level in _LEVELS:
        modules = _modules(text, level)
        dots = room // (len(modules) + 2 * QUIET) if modules else 0
        if dots >= _LEAST:
            return Code(modules, dots)
    least = _LEAST / DOTS_PER_INCH * 25.4
    raise LabelProblem(
        f"the code holds {len(text.encode())} bytes, and its modules would be smaller than {least:.2f} mm: "
        "choose a sheet with larger labels, or a shorter template"
    )


def _modules(text: str, level: str) -> Sequence[Sequence[int]]:
    """The rows of a code; none if no code holds as much."""
    try:
        if text.isascii():
            return segno.make(text, error=level, micro=False).matrix
        return segno.make(text, error=level, micro=False, mode="byte", encoding="utf-8", eci=True).matrix
    except segno.DataOverflowError:
        return ()
