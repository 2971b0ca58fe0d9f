"""What `edgeclients labels` refuses: by one line that says what to do, and with nothing written."""

import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from edgeclients.labels.sheets import SHEETS
from edgeclients.labels.source import MOST
from tests.support.commands import Ended, run
from tests.support.elsewhere import Elsewhere
from tests.support.labels import client, clients, texts, write_secrets
from tests.support.users import NOBODY

HEAD: Final = b"id,external_id,name,domain_id,secret\n"


def labels(secrets: Path, out: Path, *options: str) -> Ended:
    return run("labels", str(secrets), "--out", str(out), *options, data=out.parent / "none")


def refused(secrets: Path, out: Path, *options: str) -> str:
    """Why it makes no labels; everything beside `out` is as it was."""
    before = content(out.parent)
    ended = labels(secrets, out, *options)
    assert (ended.code, ended.out) == (1, ""), ended
    assert content(out.parent) == before
    assert ended.line.startswith("edgeclients: ")
    return ended.line.removeprefix("edgeclients: ").removeprefix(f"{secrets}: ")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() if path.is_file() else b"" for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("written", "line"),
    [
        pytest.param(b"", r"it is empty: name the CSV file that .import --secrets-out. has written", id="empty"),
        pytest.param(HEAD, r"it has no clients below its first line", id="no clients"),
        pytest.param(HEAD + b"\n\n", r"it has no clients below its first line", id="blank lines"),
        pytest.param(
            b"id,name\n1,n\n", r"it has no column `secret` in its first line: columns are `id`, `secret`", id="no secret"
        ),
        pytest.param(b"secret\ns\n", r"it has no column `id` in its first line: columns are", id="no id"),
        pytest.param(b"ID,Secret\n1,s\n", r"it has no column `id` in its first line", id="capitals"),
        pytest.param(
            b"id;secret\n1;s\n", r"it has no column `id` in its first line: separate columns by commas", id="semicolons"
        ),
        pytest.param(b"id\tsecret\n1\ts\n", r"it has no column `id` .*: separate columns by commas", id="tabulators"),
        pytest.param(b"1,s\n2,t\n", r"it has no column `id` in its first line", id="no header"),
        pytest.param(b"id,secret,id\n1,s,2\n", r"line 1: the column `id` is there twice", id="twice"),
        pytest.param(HEAD + b"1,,,,s\n2,,,,\n", r"line 3: there is no secret", id="line without secret"),
        pytest.param(HEAD + b',,"a\nb",,s\n', r"line 2: there is no id", id="line without id"),
        pytest.param(HEAD + b'1,,"a\nb",,s\n2,,,,\n', r"line 4: there is no secret", id="line after one on two lines"),
        pytest.param(HEAD + b"1,,a,b,c,s\n", r"line 2: it has 6 columns, and the first line 5: quote values", id="comma"),
        pytest.param(HEAD + b"1,s\n", r"line 2: it has 2 columns, and the first line 5", id="too few"),
        pytest.param(HEAD + b'1,,"a,,s\n2,,,,s\n', r"line 2: this is not CSV \(unexpected end of data\)", id="open quote"),
        pytest.param(HEAD + b'1,,"a"b,,s\n', r"line 2: this is not CSV", id="quote inside"),
        pytest.param(b"id,secret\r1,s\r", r"line 1: this is not CSV", id="carriage returns"),
        pytest.param(b"\x7fELF\x02\x01\x01\x00\x00", r"line 1: it is binary: name the CSV file", id="program"),
        pytest.param(b"\x89PNG\r\n\x1a\n", r"line 1: it is not UTF-8 \(byte 1\)", id="image"),
        pytest.param(b"%PDF-1.4\n", r"it has no column `id` in its first line", id="pdf"),
        pytest.param(HEAD + b"1,,\x00,,s\n", r"line 2: it is binary", id="nul"),
        pytest.param("id,secret\n1,s\n".encode("utf-16"), r"line 1: it is UTF-16: save it as UTF-8", id="utf-16"),
        pytest.param("id,secret\n1,s\n".encode("utf-16-be"), r"line 1: it is UTF-16: save it as UTF-8", id="utf-16 unmarked"),
        pytest.param(
            HEAD + "1,,Größe,,s\n".encode("latin-1"), r"line 2: it is not UTF-8 \(byte 6\), perhaps Latin-1", id="latin-1"
        ),
        pytest.param(HEAD + b"1,," + b"n" * 20_000 + b",,s\n", r"line 2: it is longer than 16 KiB", id="long line"),
        pytest.param(HEAD + b'1,,"' + b"name\n" * 5_000 + b'",,s\n', r"line 2: it is longer than 16 KiB", id="long client"),
        pytest.param(HEAD + b'1,,"' + b"name\n" * 50_000, r"line 2: this is not CSV \(field larger", id="endless client"),
        pytest.param(
            HEAD + b"1,,,," + b"s" * 3_000 + b"\n", r"line 2: the code holds 3022 bytes.*0\.34 mm.*larger", id="too much"
        ),
        pytest.param(HEAD + b"1,,,,s\n2,,,," + b"s" * 800 + b"\n", r"line 3: the code holds 822 bytes", id="too much for it"),
    ],
)
def test_a_file_that_is_none_of_secrets(tmp_path: Path, written: bytes, line: str) -> None:
    secrets = tmp_path / "secrets.csv"
    secrets.write_bytes(written)
    assert re.match(line, refused(secrets, tmp_path / "out.pdf"))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(Path.exists, "No such file or directory", id="missing"),
        pytest.param(Path.mkdir, "Is a directory", id="folder"),
        pytest.param(lambda path: path.symlink_to(path), "Too many levels of symbolic links", id="circle"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, make: Callable[[Path], object], reason: str) -> None:
    make(tmp_path / "secrets.csv")
    before = sorted(tmp_path.iterdir())
    ended = labels(tmp_path / "secrets.csv", tmp_path / "out.pdf")
    assert (ended.code, ended.line) == (1, f"edgeclients: {tmp_path / 'secrets.csv'} cannot be read ({reason})")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("template", "line"),
    [
        (
            "{serial}-{id}",
            "the template has the unknown placeholder {serial}: use {id}, {secret}, {external_id}, {name}, {domain_id}",
        ),
        ("hello", "the template has no placeholder, so all codes would be the same: use {id}, "),
        ("", "the template has no placeholder"),
        ("{ID}", "the template has no placeholder"),
        ('{"id":{id}}', "the template begins like JSON and is none: put placeholders into strings"),
        ('{"id":"{id}"', "the template begins like JSON and is none"),
        ("{name}", "the template has {name}, and the file no column `name`"),
        ("\udcff{id}", "the template is not UTF-8: check the locale of the terminal"),
    ],
)
def test_a_template_that_makes_no_sense(tmp_path: Path, template: str, line: str) -> None:
    secrets = write_secrets(tmp_path / "secrets.csv", clients(1), ("id", "secret", "external_id"))
    assert refused(secrets, tmp_path / "out.pdf", "--template", template).startswith(line)


def test_a_code_without_text(tmp_path: Path) -> None:
    secrets = write_secrets(tmp_path / "secrets.csv", [client(external_id="SN-1"), client()])
    line = refused(secrets, tmp_path / "out.png", "--template", "{external_id}")
    assert line == "line 3: the code would be empty: this client has nothing of what the template names"


@pytest.mark.parametrize(
    ("sheet", "first", "last"), [("avery-l7160", "0", 21), ("avery-l7160", "22", 21), ("label-62x29", "2", 1)]
)
def test_a_first_label_that_is_not_there(tmp_path: Path, sheet: str, first: str, last: int) -> None:
    secrets = write_secrets(tmp_path / "secrets.csv", clients(1))
    line = refused(secrets, tmp_path / "out.pdf", "--sheet", sheet, "--start", first)
    assert line == f"--start {first}: a page of this sheet has the labels 1 to {last}"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ("--sheet", "avery-l9999"),
            f"argument --sheet: invalid choice: 'avery-l9999' (choose from {', '.join(map(repr, SHEETS))})",
        ),
        (("--start", "one"), "argument --start: invalid int value: 'one'"),
        (("--out", "labels.doc"), "argument --out: 'labels.doc' ends neither in .pdf nor in .png"),
        (("--out", "pdf"), "argument --out: 'pdf' ends neither in .pdf nor in .png"),
        (("--out", ".pdf"), "argument --out: '.pdf' ends neither in .pdf nor in .png"),
        (("--out", ""), "argument --out: '' ends neither in .pdf nor in .png"),
    ],
)
def test_wrong_arguments(tmp_path: Path, options: tuple[str, ...], line: str) -> None:
    secrets = write_secrets(tmp_path / "secrets.csv", clients(1))
    ended = labels(secrets, tmp_path / "out.pdf", *options)
    assert ended.code == 2
    assert ended.err.splitlines()[-1] == f"edgeclients labels: error: {line}"
    assert list(tmp_path.iterdir()) == [secrets]


def test_a_file_that_exists_is_kept(tmp_path: Path) -> None:
    """Whatever it is, and also if it would be a further page."""
    secrets = write_secrets(tmp_path / "secrets.csv", clients(30))
    for taken, out in (("out.pdf", "out.pdf"), ("out.png", "out.png"), ("two-2.png", "two.png")):
        (tmp_path / taken).write_text("mine")
        assert refused(secrets, tmp_path / out) == f"{tmp_path / taken} exists: remove it, or choose another name"
    (tmp_path / "link.pdf").symlink_to("nowhere")
    assert "link.pdf exists" in refused(secrets, tmp_path / "link.pdf")
    assert "secrets.csv" in content(tmp_path)


def test_the_file_of_secrets_is_kept(tmp_path: Path) -> None:
    secrets = write_secrets(tmp_path / "secrets.pdf", clients(1))
    assert "exists" in refused(secrets, secrets)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    secrets = write_secrets(tmp_path / "secrets.csv", clients(1))
    ended = labels(secrets, tmp_path / "none" / "out.pdf")
    reason = "cannot be written (No such file or directory): choose a folder that you can write to"
    assert (ended.code, ended.line) == (1, f"edgeclients: {tmp_path / 'none' / 'out.pdf'} {reason}")


def test_a_folder_of_somebody_else(elsewhere: Elsewhere) -> None:
    """Nothing is drawn before that is noticed."""
    secrets = write_secrets(elsewhere.data / "secrets.csv", clients(1))
    elsewhere.data.chmod(0o500)
    out = elsewhere.data / "out.pdf"
    os.chown(secrets, NOBODY, NOBODY)
    ended = elsewhere.run("labels", str(secrets), "--out", str(out), user=NOBODY)
    reason = "cannot be written (Permission denied): choose a folder that you can write to"
    assert (ended.code, ended.line) == (1, f"edgeclients: {out} {reason}")
    elsewhere.data.chmod(0o700)
    assert elsewhere.run("labels", str(secrets), "--out", str(out), user=NOBODY).code == 0
    assert out.stat().st_uid == NOBODY


@pytest.mark.parametrize(
    ("name", "written", "line"),
    [
        ("none.ttf", None, "none.ttf cannot be read (No such file or directory)"),
        ("text.ttf", b"text", "text.ttf is no font that can be used: choose a TrueType or OpenType font"),
        ("empty.otf", b"", "empty.otf is no font that can be used: choose a TrueType or OpenType font"),
        ("font.woff", b"wOFF", "font.woff is no font that can be used: its name ends in none of .ttf, .otf, .ttc, .otc"),
    ],
)
def test_a_font_that_is_none(tmp_path: Path, name: str, written: bytes | None, line: str) -> None:
    secrets = write_secrets(tmp_path / "secrets.csv", clients(1))
    if written is not None:
        (tmp_path / name).write_bytes(written)
    assert refused(secrets, tmp_path / "out.pdf", "--font", str(tmp_path / name)) == f"{tmp_path}/{line}"


def test_more_clients_than_a_run_prints(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.csv"
    lines = itertools.chain([HEAD], (b"%d,,,,s\n" % number for number in range(MOST + 1)))
    secrets.write_bytes(b"".join(lines))
    line = refused(secrets, tmp_path / "out.pdf")
    assert line == "it has more than 10,000 clients: split it, and begin each part with its first line"


@pytest.mark.parametrize("suffix", [".pdf", ".png"])
def test_the_largest_code_that_fits(tmp_path: Path, suffix: str) -> None:
    """A label of 30 mm has room for 69 modules and their border, which are 425 bytes (ISO/IEC 18004, version 13-L)."""
    secrets, out = tmp_path / "secrets.csv", tmp_path / f"out{suffix}"
    options = ("--template", "{secret}", "--sheet", "label-50x30")
    write_secrets(secrets, [client(secret="s" * 426)])
    assert refused(secrets, out, *options).startswith("line 2: the code holds 426 bytes, and its modules would be smaller")
    write_secrets(secrets, [client(secret="s" * 425)])
    assert labels(secrets, out, *options).code == 0
    assert texts(out) == ["s" * 425]
