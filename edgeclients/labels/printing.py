"""Makes sheets of labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgeclients.labels import publishing, source, templates
from edgeclients.labels.canvas import Canvas
from edgeclients.labels.faces import OURS, Face
from edgeclients.labels.layout import Layout
from edgeclients.labels.pdf import PdfCanvas
from edgeclients.labels.png import PngCanvas
from edgeclients.labels.problem import LabelProblem
from edgeclients.labels.sheets import Sheet
from edgeclients.labels.source import Entry

_CANVASES: Final[dict[str, Callable[[Sheet, Face, Path], Canvas]]] = {".pdf": PdfCanvas, ".png": PngCanvas}


@dataclass(frozen=True, slots=True)
class Made:
    """What was made.

    Attributes:
        files: the PDF, or the pages.
        labels: how many labels there are.
        pages: how many pages.
        unreadable: on how many labels the font lacks characters.
    """

    files: Sequence[Path]
    labels: int
    pages: int
    unreadable: int


def make(secrets: Path, out: Path, sheet: Sheet, *, template: str | None, start: int, font: Path | None) -> Made:
    """Write labels for all clients of a file, or nothing.

    Args:
        secrets: the file that an import has written.
        out: the file to write, which must not exist: `.pdf`, or `.png` with further pages in further files.
        sheet: what they are printed on.
        template: what a code says; None for JSON.
        start: the place of the first label, from 1: those before it are used already.
        font: the font of the texts; None for DejaVu Sans.

    Raises:
        LabelProblem: they cannot be made.
        OSError: a file cannot be written.
    """
    kind = _CANVASES[out.suffix.lower()]
    if not 1 <= start <= sheet.places:
        raise LabelProblem(f"--start {start}: a page of this sheet has the labels 1 to {sheet.places}")
    face = Face(font or OURS)
    found = source.read(secrets)
    text_of = templates.as_json if template is None else templates.Template(template, found.columns)
    pages = -(-(len(found.entries) + start - 1) // sheet.places)
    files = publishing.names(out, 1 if kind is PdfCanvas else pages)
    publishing.check_free(files)
    with publishing.scratch(out) as folder:
        canvas = kind(sheet, face, folder)
        layout = Layout(sheet, face, canvas, start - 1)
        for entry in found.entries:
            _draw(layout, entry, text_of, secrets)
        publishing.publish(canvas.finish(), files)
    unreadable = sum(face.lacks(entry.serial + entry.name) for entry in found.entries)
    return Made(files, len(found.entries), pages, unreadable)


def _draw(layout: Layout, entry: Entry, text_of: Callable[[Entry], str], secrets: Path) -> None:
    try:
        layout.draw(entry, text_of(entry))
    except LabelProblem as problem:
        raise LabelProblem(f"{secrets}: line {entry.line}: {problem}") from problem
