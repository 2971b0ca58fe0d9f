"""Lines that `edgeclients import` sends on: with their own numbers, and nothing in them passes for what the program adds."""

import json
from pathlib import Path

import openpyxl
import pytest

from tests.cli.test_import import works
from tests.support.commands import Ended, run
from tests.support.database import rows
from tests.support.importing import D, imported, secrets_in, written
from tests.support.service import started

THEIRS = "bb7edb32-2eac-4aad-aebe-ed96fe073879"


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    with started(tmp_path / "data") as service:
        pass
    return service.data


def with_report(file: Path, data: Path) -> tuple[Ended, list[dict[str, object]]]:
    """What an import says, and its report."""
    report = file.with_name("report.jsonl")
    ended = imported(file, "--secrets-out", str(file.with_name("s.csv")), "--report", str(report), data=data)
    return ended, [json.loads(line) for line in report.read_text().splitlines()]


@pytest.mark.parametrize(
    "theirs",
    [
        {"_id": THEIRS, "_secret": "s"},
        {"_secret": "s"},
        {"_line": 1},
        {"_line": -1, "_id": "", "_secret": ""},
    ],
)
def test_keys_of_the_program_in_a_line(stopped: Path, tmp_path: Path, theirs: dict[str, object]) -> None:
    lines = [{"external_id": "SN-1"}, {"external_id": "SN-2", **theirs}, {**theirs, "external_id": "SN-3"}]
    ended, found = with_report(written(tmp_path / "t.jsonl", "\n".join(map(json.dumps, lines))), stopped)
    assert (ended.code, ended.out) == (3, "created 1, updated 0, unchanged 0, failed 2\n"), ended
    first = next(iter(theirs))
    assert [(one["line"], one["column"], one["reason"]) for one in found] == [
        (2, first, "is an unknown field"),
        (3, first, "is an unknown field"),
    ]
    made = secrets_in(tmp_path / "s.csv")
    assert [one["external_id"] for one in made] == ["SN-1"]
    with works(stopped, made):
        pass


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f'[{{"external_id":"SN-9"}},"{THEIRS}","s"]', "Expected `object`"),
        (f'{{"external_id":"SN-9"}},"{THEIRS}","s"', "is not a JSON object"),
        (f'{{"external_id":"SN-9"}},"{THEIRS}","s"]', "is not a JSON object"),
        ('{"external_id":"SN-9"', "is not a JSON object"),
        ("[" * 100_000, "is not a JSON object"),
        ('{"metadata":{"a":' + "[" * 100_000 + "]" * 100_000 + "}}", "is not a JSON object"),
        ("null", "Expected `object`"),
    ],
)
def test_what_is_no_object(stopped: Path, tmp_path: Path, line: str, reason: str) -> None:
    ended, found = with_report(written(tmp_path / "t.jsonl", f'{{"external_id":"SN-1"}}\n\n{line}\n'), stopped)
    assert (ended.code, ended.out) == (3, "created 1, updated 0, unchanged 0, failed 1\n"), ended
    assert found[0]["line"] == 3
    assert reason in str(found[0]["reason"])
    assert rows(stopped, "SELECT external_id FROM clients") == [("SN-1",)]


@pytest.mark.parametrize("name", ["t.csv", "t.xlsx"])
def test_the_number_of_a_line_behind_empty_ones(stopped: Path, tmp_path: Path, name: str) -> None:
    table = [["external_id", "name", "status"], [], [], ["S2", "b", "foo"], [], ["S3", "c", ""]]
    if name == "t.csv":
        written(tmp_path / name, "\n".join(map(",".join, table)))
    else:
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        for row in table:
            sheet.append(row)
        book.save(tmp_path / name)
    ended, found = with_report(tmp_path / name, stopped)
    assert ended.code == 3, ended
    assert [(one["line"], one["column"]) for one in found] == [(4, "status")]
    assert "line 4: status 'foo'" in ended.err


def test_a_table_as_wide_as_an_export_may_be(stopped: Path, tmp_path: Path) -> None:
    metadata = {f"k{number}": number for number in range(900)}
    lines = [{"external_id": f"SN-{part}", "metadata": {f"p{part}": metadata}} for part in range(2)]
    assert with_report(written(tmp_path / "t.jsonl", "\n".join(map(json.dumps, lines))), stopped)[0].code == 0
    content = run("export", *D, data=stopped).out
    ended = imported(written(tmp_path / "x.csv", content), data=stopped)
    assert ended.out == "created 0, updated 0, unchanged 2, failed 0\n", ended
