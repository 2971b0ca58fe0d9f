"""Parts of labels: where they are on a sheet, what fits on a line, in which order a line is drawn, which QR code is chosen."""

import io
import itertools
import re
from pathlib import Path

import pytest
import zxingcpp
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTCollection, TTFont
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFont

from edgeclients.labels.bitmap import Bitmap
from edgeclients.labels.codes import QUIET, Code, code
from edgeclients.labels.faces import OURS, Face, in_order
from edgeclients.labels.glyphs import Glyph
from edgeclients.labels.sheets import DEFAULT, SHEETS, Sheet
from tests.support.labels import QR

ROOT = Path(__file__).resolve().parents[2]
FACE = Face(OURS)
SIZE = 10.0


@pytest.mark.parametrize("sheet", SHEETS.values(), ids=SHEETS)
def test_labels_are_on_the_page_beside_each_other_and_in_its_middle(sheet: Sheet) -> None:
    """As on every sheet that is sold: the same is left on both sides, within 0.15 mm."""
    (width, height), (page_width, page_height) = sheet.label, sheet.page
    corners = [sheet.corner(place) for place in range(sheet.places)]
    assert len(set(corners)) == sheet.places
    right, bottom = max(x for x, _ in corners) + width, max(y for _, y in corners) + height
    left, top = min(x for x, _ in corners), min(y for _, y in corners)
    assert min(left, top, page_width - right, page_height - bottom) >= 0
    assert page_width - right == pytest.approx(left, abs=0.15)
    assert page_height - bottom == pytest.approx(top, abs=0.15)
    across, down = {x for x, _ in corners}, {y for _, y in corners}
    for starts, size in ((sorted(across), width), (sorted(down), height)):
        assert all(after - before >= size - 0.001 for before, after in itertools.pairwise(starts))
    assert 0.8 <= sheet.margin < min(width, height) / 4
    assert min(left, top) > 0 or sheet.margin >= (4 if sheet.places > 1 else 1.5), "no printer reaches the edge of the paper"


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("avery-l7160", "63.5 x 38.1 mm, 21 on A4"),
        ("avery-5160", "66.68 x 25.4 mm, 30 on Letter"),
        ("label-62x29", "62 x 29 mm"),
    ],
)
def test_a_sheet_says_what_it_is(name: str, about: str) -> None:
    assert SHEETS[name].about == about


def test_the_page_has_every_sheet() -> None:
    """In the order of the program, which begins with the default."""
    page = (ROOT / "packaging" / "operations" / "labels.md").read_text()
    rows = re.findall(r"^\| `([a-z][a-z0-9-]+)` \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(name, sheet.about) for name, sheet in SHEETS.items()]
    assert rows[0][0] == DEFAULT


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("boiler (7)", "boiler (7)"),
        ("Größe", "Größe"),
        ("שלום", "םולש"),
        ("מד (7) abc", "abc (7) דמ"),
        ("abc מד 12 def", "abc 12 דמ def"),
        ("", ""),
    ],
)
def test_a_line_is_drawn_from_left_to_right(text: str, drawn: str) -> None:
    assert in_order(text) == drawn


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("one", ["one"]),
        ("two words more", ["two words", "more"]),
        ("6f1e2d3c-4b5a-6978", ["6f1e2d3c-", "4b5a-6978"]),
        ("abcdefghijklmnopqrst", ["abcdefghijkl", "mnopqrst"]),
        ("one two three four five", ["one two", "three four…"]),
        ("WWWWWWWWWWWWWWWWWWWWWWWWW", ["WWWWWW", "WWWWW…"]),
    ],
)
def test_a_text_is_cut_where_it_can_be(text: str, lines: list[str]) -> None:
    assert FACE.lines(text, 65.0, SIZE, 2) == lines


@given(st.text(), st.floats(SIZE * 2, SIZE * 50), st.integers(1, 5))
def test_no_line_is_too_wide_and_nothing_is_lost(text: str, width: float, most: int) -> None:
    shown = FACE.shown(text)
    lines = FACE.lines(shown, width, SIZE, most)
    assert len(lines) <= most
    assert all(FACE.width(line, SIZE) <= width or len(line) <= 2 for line in lines)
    said = "".join(lines).replace(" ", "")
    whole = shown.replace(" ", "")
    assert said == whole or (said.endswith("…") and whole.startswith(said[:-1]))


@given(st.text())
def test_what_is_shown_can_be_drawn(text: str) -> None:
    """Each character is one of the font; in the order in which it is drawn, too."""
    shown = FACE.shown(text)
    assert FACE.width(in_order(shown), SIZE) == pytest.approx(FACE.width(shown, SIZE))
    assert FACE.lacks(text) or "\ufffd" not in shown or "\ufffd" in text


@pytest.mark.parametrize(
    ("text", "shown"), [("a\tb\r\nc", "a b  c"), ("a\u200d\ufe0fb", "ab"), ("e\u0301", "é"), ("中", "\ufffd")]
)
def test_what_is_not_seen_is_left_out(text: str, shown: str) -> None:
    assert FACE.shown(text) == shown


def shape(glyph: Glyph, size: int) -> Image.Image:
    """A character as it is drawn, in the middle of a page."""
    page = Bitmap(size * 4, size * 4)
    page.put(size, size * 2, glyph)
    return Image.open(io.BytesIO(page.png(300))).convert("L")


@pytest.mark.parametrize("size", [21, 42, 100])
def test_a_character_looks_as_freetype_draws_it(size: int) -> None:
    """Curves, holes, accents on letters: most dots are as FreeType's, drawn larger and made smaller."""
    font = ImageFont.truetype(OURS, size * 8, layout_engine=ImageFont.Layout.BASIC)
    for character in "aBg@&%8O#ßÅéẶ…Ж中�אש٣ﷺ∰W.i|":
        shown = FACE.shown(character)
        ours = shape(FACE.glyph(shown, size), size)
        large = Image.new("L", (ours.width * 8, ours.height * 8), 255)
        ImageDraw.Draw(large).text((size * 8, size * 16), shown, font=font, anchor="ls")
        theirs = large.resize(ours.size, Image.Resampling.BOX).point(lambda grey: 255 if grey > 255 * 10 / 16 else 0)
        dark = max(ours.histogram()[0], theirs.histogram()[0])
        differing = ImageChops.difference(ours, theirs).histogram()[255]
        assert differing <= max(0.1 * dark, 2), (character, differing, dark)


def test_nothing_is_drawn_beside_a_page() -> None:
    page = Bitmap(9, 3)
    page.fill(-5, -5, 6, 6)
    page.fill(8, 2, 50, 50)
    page.fill(100, 0, 1, 1)
    page.fill(-100, 0, 1, 1)
    page.put(4, 0, FACE.glyph("W", 200))
    image = Image.open(io.BytesIO(page.png(300)))
    assert (image.size, image.mode) == ((9, 3), "1")
    assert image.getpixel((0, 0)) == image.getpixel((8, 2)) == 0
    assert image.getpixel((8, 0)) == 255


def test_a_font_with_outlines_of_postscript(tmp_path: Path) -> None:
    """As most fonts for Chinese, Japanese and Korean are, some in a collection, with strokes that overlap; it is made here."""
    hill = T2CharStringPen(600, None)
    hill.moveTo((100, 0))
    hill.curveTo((100, 400), (500, 400), (500, 0))
    hill.closePath()
    cross = T2CharStringPen(600, None)
    for corners in (((100, 200), (500, 200), (500, 300), (100, 300)), ((250, 0), (350, 0), (350, 500), (250, 500))):
        cross.moveTo(corners[0])
        for corner in corners[1:]:
            cross.lineTo(corner)
        cross.closePath()
    outlines = {".notdef": hill.getCharString(), "hill": hill.getCharString(), "cross": cross.getCharString()}
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder([*outlines])
    builder.setupCharacterMap({0x4E2D: "hill", 0x5341: "cross"})
    builder.setupCFF("Hill", {}, outlines, {})
    builder.setupHorizontalMetrics(dict.fromkeys(outlines, (600, 100)))
    builder.setupHorizontalHeader()
    builder.setupPost()
    builder.save(tmp_path / "hill.otf")
    collection = TTCollection()
    collection.fonts = [TTFont(tmp_path / "hill.otf")]
    collection.save(tmp_path / "hill.ttc")
    for name in ("hill.otf", "hill.ttc"):
        face = Face(tmp_path / name)
        assert (face.lacks("中"), face.lacks("a"), face.width("中", 100)) == (False, True, 60)
        glyph = face.glyph("中", 100)
        assert (glyph.left, glyph.top, glyph.width, len(glyph.rows)) == (10, 30, 40, 30)
        assert sum(row.bit_count() for row in glyph.rows) == pytest.approx(960, rel=0.05)  # the integral
        assert sum(row.bit_count() for row in face.glyph("十", 100).rows) == 40 * 10 + 10 * 50 - 10 * 10
        assert face.shown("a中") == "?中"
        assert face.lines("中" * 20, 220, 100, 1) == ["中..."]


def read(made: Code) -> str:
    """What a camera reads from a code, in its light border."""
    image = Image.new("L", (made.side, made.side), 255)
    for column, row, length in made.runs():
        x, y = ((place + QUIET) * made.dots for place in (column, row))
        image.paste(0, (x, y, x + length * made.dots, y + made.dots))
    (found,) = zxingcpp.read_barcodes(image, formats=QR, text_mode=zxingcpp.TextMode.Plain)
    (raw,) = zxingcpp.read_barcodes(image, formats=QR, text_mode=zxingcpp.TextMode.HexECI)
    is_marked = raw.text.startswith("5D 51 32 5C 30 30 30 30 32 36")  # "]Q2\\000026": the code itself says that it is UTF-8
    assert is_marked is not found.text.isascii()
    return found.text


@given(st.text(min_size=1, max_size=60).filter(lambda text: "\0" not in text))
def test_a_code_says_any_text(text: str) -> None:
    assert read(code(text, 400)) == text


def test_a_code_is_as_large_as_there_is_room() -> None:
    """Where a level that stands less damage makes it readable, that is chosen."""
    text = "s" * 100  # version 6-M, 41 modules, or 5-L, 37
    assert [(len(code(text, room).modules), code(text, room).dots) for room in (500, 196, 195, 180)] == [
        (41, 10),
        (41, 4),
        (37, 4),
        (37, 4),
    ]
    assert read(code(text, 180)) == text
