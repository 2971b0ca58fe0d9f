"""`edgeclients labels`: what a camera reads from the sheets is what the file of secrets says."""

import json
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from edgeclients.labels.sheets import DEFAULT, SHEETS, Sheet, dots
from tests.support.commands import Ended, run
from tests.support.labels import client, clients, files, pages, printed, seen, texts, write_secrets

SUFFIXES = (".pdf", ".png")
HARD = 'a"b\\c;d,e:f/g?h=i&j {x} ü'
"""A value that each kind of template has to escape."""


def labels(secrets: Path, out: Path, *options: str, env: Mapping[str, str] = {}) -> Ended:
    return run("labels", str(secrets), "--out", str(out), *options, data=out.parent / "none", env=env)


def made(secrets: Path, out: Path, *options: str) -> Path:
    """The file of a command that has nothing to complain of."""
    ended = labels(secrets, out, *options)
    assert (ended.code, ended.err) == (0, ""), ended
    return out


def as_json(line: Mapping[str, str]) -> str:
    """What the code of a client says without a template."""
    values = {name: line[name] for name in ("id", "secret", "domain_id", "external_id") if line[name]}
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def rectangle(sheet: Sheet, place: int, margin: float) -> tuple[int, int, int, int]:
    """A label without its margin, in dots."""
    (x, y), (width, height) = sheet.corner(place), sheet.label
    return dots(x + margin), dots(y + margin), dots(x + width - margin), dots(y + height - margin)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", SHEETS)
def test_every_code_of_a_sheet_is_read(tmp_path: Path, name: str, suffix: str) -> None:
    """On a full page and one more label, however long the texts are. Nothing is printed beside labels or on their margins."""
    sheet = SHEETS[name]
    lines = [client(external_id=f"{place:W<{2 + place % 20}}", name="Wäg " * (place % 20)) for place in range(sheet.places + 1)]
    out = made(write_secrets(tmp_path / "secrets.csv", lines), tmp_path / f"out{suffix}", "--sheet", name)
    found = [seen(page) for page in pages(out)]
    assert [len(page) for page in found] == [sheet.places, 1]
    assert [one.text for page in found for one in page] == [as_json(line) for line in lines]
    for page in found:
        for place, one in enumerate(page):
            left, top, right, bottom = rectangle(sheet, place, sheet.margin)
            assert left <= one.left < one.right <= right + 1, (place, one)
            assert top <= one.top < one.bottom <= bottom + 1, (place, one)
    assert_blank_between_labels(sheet, pages(out)[0])


def assert_blank_between_labels(sheet: Sheet, page: Image.Image) -> None:
    """Nothing is dark where no label is; a pixel at an edge is dark by halves where a PDF's is."""
    wanted = tuple(dots(side) for side in sheet.page)
    assert all(abs(measured - side) <= 1 for measured, side in zip(page.size, wanted, strict=True))
    pen = ImageDraw.Draw(page)
    for place in range(sheet.places):
        left, top, right, bottom = rectangle(sheet, place, sheet.margin)
        pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=255)
    assert page.getextrema() == (255, 255)


def test_the_default_needs_no_more_than_a_file(tmp_path: Path) -> None:
    """No settings, no data directory, no columns but two; it says what it has made."""
    lines = clients(22)
    secrets = write_secrets(tmp_path / "secrets.csv", lines, ("secret", "id"))
    ended = labels(secrets, tmp_path / "out.pdf", env={"MG_CLIENTS_MODE": "none", "MG_CLIENTS_HTTP_PORT": "none"})
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{tmp_path / 'out.pdf'}: 22 labels on 2 pages\n"
    assert texts(tmp_path / "out.pdf") == [f'{{"id":"{line["id"]}","secret":"{line["secret"]}"}}' for line in lines]
    assert len(seen(pages(tmp_path / "out.pdf")[0])) == SHEETS[DEFAULT].places
    assert not (tmp_path / "none").exists()


def test_pages_of_png_are_files(tmp_path: Path) -> None:
    secrets = write_secrets(tmp_path / "secrets.csv", clients(3))
    ended = labels(secrets, tmp_path / "out.png", "--sheet", "label-50x30")
    assert ended.out == f"{tmp_path / 'out.png'} to out-3.png: 3 labels on 3 pages\n"
    assert {path.name for path in tmp_path.iterdir()} == {"secrets.csv", "out.png", "out-2.png", "out-3.png"}
    for file in files(tmp_path / "out.png"):
        with Image.open(file) as image:
            assert (image.mode, image.size) == ("1", (dots(50), dots(30)))
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_page_that_is_partly_used(tmp_path: Path, suffix: str) -> None:
    lines = clients(3)
    out = made(write_secrets(tmp_path / "secrets.csv", lines), tmp_path / f"out{suffix}", "--start", "20")
    first, second = (seen(page) for page in pages(out))
    assert [one.text for one in (*first, *second)] == [as_json(line) for line in lines]
    sheet = SHEETS[DEFAULT]
    for place, one in ((19, first[0]), (20, first[1]), (0, second[0])):
        left, top, _, _ = rectangle(sheet, place, 0)
        assert left < one.left < left + dots(sheet.label[0])
        assert top < one.top < top + dots(sheet.label[1])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nobody_else_can_read_the_files(tmp_path: Path, suffix: str) -> None:
    out = made(write_secrets(tmp_path / "secrets.csv", clients(30)), tmp_path / f"out{suffix}")
    assert {stat.S_IMODE(file.stat().st_mode) for file in files(out)} == {0o600}


def test_the_secret_is_in_the_code_alone(tmp_path: Path) -> None:
    line = client(external_id="SN-1", name="Größe Насос")
    shown = printed(made(write_secrets(tmp_path / "secrets.csv", [line]), tmp_path / "out.pdf"))
    assert shown.split("\r\n") == ["SN-1", "Größe Насос"]


def test_the_id_is_the_serial_of_a_client_without_one(tmp_path: Path) -> None:
    """All of it can be read, on as many lines as it needs."""
    line = client(name="boiler")
    secrets = write_secrets(tmp_path / "secrets.csv", [line])
    for name in SHEETS:
        shown = printed(made(secrets, tmp_path / f"{name}.pdf", "--sheet", name)).replace("\ufffe", "-").split()
        assert ("".join(shown[:-1]), shown[-1]) == (line["id"], "boiler"), name


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("מד לחץ (7) abc", id="hebrew"),
        pytest.param("مقياس الضغط 12", id="arabic"),
        pytest.param("a\u202eb\u2066c\u2069", id="marks of direction"),
        pytest.param("👩‍🔧 ⚙️ 🇩🇪 😀", id="emoji"),
        pytest.param("温度计 温度計 온도계", id="cjk"),
        pytest.param("e\u0301" + "\u0300" * 200, id="combining"),
        pytest.param("\x01\x7f\x9f\u2028 \u00ad\ufeff", id="controls"),
        pytest.param("\U0010ffff\ue000\ufffe", id="no characters"),
        pytest.param("<b>&amp;**x**</b>\\n\r\n\t%s", id="marks"),
        pytest.param("x" * 1024, id="long"),
        pytest.param("ﷺ" * 300, id="wide"),
    ],
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_name_in_any_script(tmp_path: Path, name: str, suffix: str) -> None:
    """It also goes through the code, where a template asks for it and there is room."""
    line = client(external_id=name[:9], name=name)
    secrets = write_secrets(tmp_path / "secrets.csv", [line])
    template = ("--template", '{"id":"{id}","n":"{name}"}', "--sheet", "herma-4457")
    for options in ((), ("--sheet", "avery-l7651"), template if len(name) < 100 else ()):
        out = tmp_path / f"out-{len(options)}{suffix}"
        out.unlink(missing_ok=True)
        ended = labels(secrets, out, *options)
        assert ended.code == 0, ended
        (text,) = texts(out)
        assert json.loads(text)["id"] == line["id"]
        if options is template:
            assert json.loads(text)["n"] == name


def test_what_a_font_lacks_is_told(tmp_path: Path) -> None:
    secrets = write_secrets(tmp_path / "secrets.csv", [client(name="温度计"), client(name="boiler")])
    ended = labels(secrets, tmp_path / "out.pdf")
    assert ended.code == 0
    assert ended.line == "edgeclients: the font lacks characters of 1 label, shown as another sign: choose one with --font"
    assert "\ufffd\ufffd\ufffd" in printed(tmp_path / "out.pdf")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("value", [HARD, "plain", "ü" * 20, "'\"{id}\"'"])
def test_json_says_the_value(tmp_path: Path, value: str, suffix: str) -> None:
    line = client(external_id=value)
    secrets = write_secrets(tmp_path / "secrets.csv", [line])
    template = '{"i":"{id}","both":["{external_id}/{secret}"],"d":"{domain_id}","{name}":1}'
    (text,) = texts(made(secrets, tmp_path / f"out{suffix}", "--template", template, "--sheet", "herma-4457"))
    assert json.loads(text) == {"i": line["id"], "both": [f"{value}/{line['secret']}"], "d": "plant-7", "": 1}
    (text,) = texts(made(secrets, tmp_path / f"plain{suffix}", "--sheet", "herma-4457"))
    assert json.loads(text) == {name: line[name] for name in ("id", "secret", "domain_id", "external_id")}


def test_a_url_says_the_value(tmp_path: Path) -> None:
    line = client(external_id=HARD)
    secrets = write_secrets(tmp_path / "secrets.csv", [line])
    template = "https://example.com/{external_id}/?id={id}&s={external_id}#x"
    (text,) = texts(made(secrets, tmp_path / "out.pdf", "--template", template))
    assert text.isascii()
    parts = urlsplit(text)
    assert parse_qs(parts.query) == {"id": [line["id"]], "s": [HARD]}
    assert parts.path.count("/") == 2
    assert parts.fragment == "x"


def test_text_for_wifi_says_the_value(tmp_path: Path) -> None:
    line = client(external_id=HARD)
    secrets = write_secrets(tmp_path / "secrets.csv", [line])
    (text,) = texts(made(secrets, tmp_path / "out.pdf", "--template", "WIFI:T:WPA;S:{external_id};P:{secret};;"))
    hard = r"a\"b\\c\;d\,e\:f/g?h=i&j {x} ü"
    assert text == f"WIFI:T:WPA;S:{hard};P:{line['secret']};;"


@pytest.mark.parametrize(
    "template", ["{external_id}", "SN:{external_id}", "[{external_id}] {{secret}}", "{id} {external_id}\n"]
)
def test_other_text_has_the_value_as_it_is(tmp_path: Path, template: str) -> None:
    line = client(external_id=HARD)
    secrets = write_secrets(tmp_path / "secrets.csv", [line])
    (text,) = texts(made(secrets, tmp_path / "out.pdf", "--template", template))
    for name in ("external_id", "secret", "id"):
        template = template.replace(f"{{{name}}}", line[name])
    assert text == template


def test_the_file_may_come_from_a_spreadsheet(tmp_path: Path) -> None:
    """With a byte order mark, other ends of lines, columns in another order and of somebody else, blank lines, and quotes."""
    path = tmp_path / "secrets.csv"
    head = '\ufeffroom,secret,"external_id",id,name\r\n'
    path.write_bytes(f'{head}b1,s-1,SN-1,id-1,"a, ""b""\r\nc"\r\n\r\n,s-2,,id-2,\r\n'.encode())
    assert list(map(json.loads, texts(made(path, tmp_path / "out.pdf")))) == [
        {"id": "id-1", "secret": "s-1", "external_id": "SN-1"},
        {"id": "id-2", "secret": "s-2"},
    ]
    assert 'SN-1\r\na, "b" c' in printed(tmp_path / "out.pdf")


def without(package: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """The command where a package is not installed."""
    (folder / "sitecustomize.py").write_text(f"import sys; sys.modules['{package}'] = None")
    secrets = write_secrets(folder / "secrets.csv", clients(1))
    return subprocess.run(
        [sys.executable, "-m", "edgeclients", "labels", str(secrets), "--out", str(folder / "out.pdf")],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )


@pytest.mark.source_only("a package is hidden from the program")
@pytest.mark.parametrize("missing", ["segno", "fpdf", "fontTools"])
def test_what_is_not_installed_is_named(tmp_path: Path, missing: str) -> None:
    done = without(missing, tmp_path)
    assert done.returncode == 1
    assert done.stderr == 'edgeclients: labels need additional packages: pip install "edgeclients[labels]"\n'


@pytest.mark.source_only("a package is hidden from the program")
def test_no_library_for_pictures_is_needed(tmp_path: Path) -> None:
    """The executables have none."""
    done = without("PIL", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(texts(tmp_path / "out.pdf")) == 1


def test_both_formats_show_the_same(tmp_path: Path) -> None:
    """Whatever is dark in one is dark in the other, at most one dot away."""
    names = ("Größe", "Насос", "מד לחץ (7)", "مقياس", "温度", "😀 é", "abcdefghijklmnopqrstuvwxyz @&%", "0123456789 WMQ ß…")
    lines = [client(external_id=f"SN-{place}", name=names[place % len(names)]) for place in range(SHEETS[DEFAULT].places)]
    secrets = write_secrets(tmp_path / "secrets.csv", lines)
    shown = []
    for suffix in SUFFIXES:
        assert labels(secrets, tmp_path / f"out{suffix}").code == 0
        (page,) = pages(tmp_path / f"out{suffix}")
        shown.append(page.crop((0, 0, 2480, 3508)).point(lambda grey: 255 if grey > 127 else 0))
    for one, other in (shown, reversed(shown)):
        widened = other.filter(ImageFilter.MinFilter(3))
        alone = ImageChops.subtract(widened, one).histogram()[255]
        assert alone < 0.0005 * one.histogram()[0]
