"""Files of secrets, and sheets of labels as a printer and a camera see them."""

import csv
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pypdfium2
import zxingcpp
from PIL import Image

COLUMNS: Final = ("id", "external_id", "name", "domain_id", "secret")
"""What an import writes, in its order."""

QR: Final = zxingcpp.barcode_formats_from_str("QRCode")
"""What a camera looks for: in text it would find other codes now and then."""

DOTS: Final = 300  # of an inch


class Seen(NamedTuple):
    """A code on a page: what it says, and the rectangle of its dark part in dots."""

    text: str
    left: int
    top: int
    right: int
    bottom: int


def client(**values: str) -> dict[str, str]:
    """A line of the file, with a new id and secret."""
    made = {"id": str(uuid.uuid4()), "external_id": "", "name": "", "domain_id": "plant-7", "secret": str(uuid.uuid4())}
    return made | values


def clients(count: int) -> list[dict[str, str]]:
    """Lines of the file, each with a serial of its own."""
    return [client(external_id=f"SN-{number:05}", name=f"meter {number}") for number in range(count)]


def write_secrets(path: Path, lines: Sequence[Mapping[str, str]], columns: Sequence[str] = COLUMNS) -> Path:
    """A file of secrets as an import writes it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)
    return path


def files(path: Path) -> list[Path]:
    """A PDF, or `FILE.png`, `FILE-2.png` and so on, as far as they exist."""
    found = [path]
    while path.suffix == ".png" and (further := path.with_name(f"{path.stem}-{len(found) + 1}.png")).exists():
        found.append(further)
    return found


def pages(path: Path) -> list[Image.Image]:
    """Each page as it is printed: in grey, with 300 dots per inch."""
    if path.suffix == ".pdf":
        with pypdfium2.PdfDocument(path) as document:
            return [page.render(scale=DOTS / 72).to_pil().convert("L") for page in document]
    return [Image.open(file).convert("L") for file in files(path)]


def seen(page: Image.Image) -> list[Seen]:
    """The codes of a page, row by row."""
    found = []
    for code in zxingcpp.read_barcodes(page, formats=QR, text_mode=zxingcpp.TextMode.Plain):
        assert code.valid
        corners = (code.position.top_left, code.position.top_right, code.position.bottom_right, code.position.bottom_left)
        across, down = [corner.x for corner in corners], [corner.y for corner in corners]
        found.append(Seen(code.text, min(across), min(down), max(across), max(down)))
    return sorted(found, key=lambda one: (round(one.top / DOTS * 4), one.left))


def texts(path: Path) -> list[str]:
    """What the codes of all pages say, in their order."""
    return [one.text for page in pages(path) for one in seen(page)]


def printed(path: Path) -> str:
    """What a PDF shows as text."""
    with pypdfium2.PdfDocument(path) as document:
        return "\n".join(page.get_textpage().get_text_range() for page in document)
