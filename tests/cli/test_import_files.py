"""The files of `edgeclients import`: what it reads, what it writes, and that it takes none for another."""

import json
import os
import subprocess
import threading
from pathlib import Path

import openpyxl
import pytest

from tests.support.importing import D, clients_of, ids_in, imported, written
from tests.support.program import PROGRAM
from tests.support.service import environment

TABLE = "external_id,status\nSN-1,\nSN-2,weird\n"
LINES = '{"external_id":"SN-1"}\n{"external_id":"SN-2","status":"weird"}\n'


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


class TestOneFileForTwoThings:
    """It is refused before anything is written, whatever it is called."""

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (("--report", "t.csv"), "--report"),
            (("--report", "./sub/../t.csv"), "--report"),
            (("--report", "hard.csv"), "--report"),
            (("--report", "soft.csv"), "--report"),
            (("--report", "t"), "--report"),
            (("--secrets-out", "t.csv"), "--secrets-out"),
            (("--report", "s.csv", "--secrets-out", "s.csv"), "--report"),
            (("--report", "s.csv.part", "--secrets-out", "s.csv"), "--report"),
            (("--report", "s.csv.new", "--secrets-out", "s.csv"), "--report"),
            (("--report", "s.csv", "--secrets-out", "s.csv.part"), "--report"),
        ],
    )
    def test_it_is_refused(
        self, stopped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], named: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "sub").mkdir()
        file = written(tmp_path / "t.csv", TABLE)
        (tmp_path / "t.part").symlink_to(file)
        (tmp_path / "hard.csv").hardlink_to(file)
        (tmp_path / "soft.csv").symlink_to(file)
        before = files(tmp_path)
        ended = imported(file, *(str(tmp_path / one) if "." in one or one == "t" else one for one in arguments), data=stopped)
        assert ended.code == 1
        assert f"are the same file, or become it: choose another {named}" in ended.line
        assert files(tmp_path) == before
        assert clients_of(stopped) == set()


class TestReports:
    def test_it_takes_the_place_of_an_earlier_one_only(self, stopped: Path, tmp_path: Path) -> None:
        file, report = written(tmp_path / "t.csv", TABLE), tmp_path / "r.jsonl"
        secrets = tmp_path / "s.csv"
        assert imported(file, "--secrets-out", str(secrets), "--report", str(report), data=stopped).code == 3
        told = report.read_text()
        assert [json.loads(line)["line"] for line in told.splitlines()] == [3]
        made = secrets.read_bytes()
        for other in (secrets, written(tmp_path / "notes.txt", "mine\n"), written(tmp_path / "x.jsonl", LINES)):
            before = other.read_bytes()
            ended = imported(file, "--dry-run", "--report", str(other), data=stopped)
            assert (ended.code, f"{other} exists, and is no report" in ended.line) == (1, True)
            assert other.read_bytes() == before
        assert secrets.read_bytes() == made
        written(file, "external_id\nSN-1\n")
        assert imported(file, "--report", str(report), data=stopped).code == 0
        assert report.read_text() == ""
        assert imported(file, "--report", str(report), data=stopped).code == 0

    def test_one_that_a_kill_has_left(self, stopped: Path, tmp_path: Path) -> None:
        file, report = written(tmp_path / "t.csv", TABLE), tmp_path / "r.jsonl"
        assert imported(file, "--dry-run", "--report", str(report), data=stopped).code == 3
        told = report.read_text()
        written(tmp_path / "r.jsonl.part", told + told[:20])
        assert imported(file, "--dry-run", "--report", str(report), data=stopped).code == 3
        assert report.read_text() == told
        assert not (tmp_path / "r.jsonl.part").exists()
        written(tmp_path / "r.jsonl.part", "mine")
        assert "is no report" in imported(file, "--dry-run", "--report", str(report), data=stopped).line
        assert (tmp_path / "r.jsonl.part").read_text() == "mine"

    def test_it_goes_into_a_pipe(self, stopped: Path, tmp_path: Path) -> None:
        file = written(tmp_path / "t.csv", TABLE)
        ended = subprocess.run(
            [*PROGRAM, "import", str(file), *D, "--dry-run", "--report", "/dev/stdout"],
            env=environment(stopped, {}),
            capture_output=True,
            text=True,
            check=False,
        )
        line, summary = ended.stdout.splitlines()
        assert (json.loads(line)["line"], summary) == (3, "created 1, updated 0, unchanged 0, failed 1")

    def test_it_is_kept_where_the_next_run_fails(self, stopped: Path, tmp_path: Path) -> None:
        file, report = written(tmp_path / "t.csv", TABLE), tmp_path / "r.jsonl"
        assert imported(file, "--dry-run", "--report", str(report), data=stopped).code == 3
        told = report.read_text()
        written(file, "nmae\nx\n")
        assert imported(file, "--dry-run", "--report", str(report), data=stopped).code == 1
        assert report.read_text() == told
        assert sorted(files(tmp_path)) == ["r.jsonl", "t.csv"]


class TestWhatCannotBeReadTwice:
    """Pipes and standard input are imported like files: with their form, where no name tells it."""

    @staticmethod
    def content(tmp_path: Path, form: str) -> bytes:
        if form == "xlsx":
            book = openpyxl.Workbook()
            assert book.active is not None
            book.active.append(["external_id", "status"])
            book.active.append(["SN-1", None])
            book.active.append(["SN-2", "weird"])
            book.save(tmp_path / "made.xlsx")
            return (tmp_path / "made.xlsx").read_bytes()
        return (TABLE if form == "csv" else LINES).encode()

    @pytest.mark.parametrize("form", ["csv", "jsonl", "xlsx"])
    @pytest.mark.parametrize("name", ["-", "/dev/stdin"])
    def test_standard_input(self, stopped: Path, tmp_path: Path, name: str, form: str) -> None:
        secrets = tmp_path / "s.csv"
        ended = subprocess.run(
            [*PROGRAM, "import", name, *D, "--secrets-out", str(secrets)],
            env=environment(stopped, {}),
            input=self.content(tmp_path, form),
            capture_output=True,
            check=False,
        )
        assert (ended.returncode, ended.stdout) == (3, b"created 1, updated 0, unchanged 0, failed 1\n"), ended
        assert ids_in(secrets) == clients_of(stopped)

    @pytest.mark.parametrize("name", ["pipe", "pipe.csv"])
    def test_a_named_pipe(self, stopped: Path, tmp_path: Path, name: str) -> None:
        pipe, secrets = tmp_path / name, tmp_path / "s.csv"
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(self.content(tmp_path, "csv"),))
        writer.start()
        ended = imported(pipe, "--secrets-out", str(secrets), data=stopped)
        writer.join()
        assert (ended.code, ended.out) == (3, "created 1, updated 0, unchanged 0, failed 1\n"), ended
        assert ids_in(secrets) == clients_of(stopped)

    def test_a_report_in_the_place_of_standard_input(self, stopped: Path, tmp_path: Path) -> None:
        file = written(tmp_path / "t.csv", TABLE)
        with file.open("rb") as opened:
            ended = subprocess.run(
                [*PROGRAM, "import", "-", *D, "--dry-run", "--report", str(file)],
                env=environment(stopped, {}),
                stdin=opened,
                capture_output=True,
                text=True,
                check=False,
            )
        assert (ended.returncode, "are the same file" in ended.stderr) == (1, True)
        assert file.read_text() == TABLE


@pytest.mark.parametrize(("redirection", "reason"), [("> /dev/full", "No space left on device"), ("| true", "Broken pipe")])
def test_an_export_that_nobody_takes(stopped: Path, tmp_path: Path, redirection: str, reason: str) -> None:
    many = "external_id\n" + "".join(f"N-{number}\n" for number in range(3000))
    assert imported(written(tmp_path / "t.csv", many), "--secrets-out", str(tmp_path / "s"), data=stopped).code == 0
    ended = subprocess.run(
        ["bash", "-c", f'set -o pipefail; "$@" {redirection}', "bash", *PROGRAM, "export", *D],
        env=environment(stopped, {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == f"edgeclients: standard output cannot be written ({reason}): the export is not complete\n"


def test_a_json_line_without_an_end_to_its_nesting(stopped: Path, tmp_path: Path) -> None:
    deep = '{"external_id":"SN-2","metadata":{"a":' + "[" * 100_000
    file, secrets = (
        written(tmp_path / "t.jsonl", f'{{"external_id":"SN-1"}}\n{deep}\n{{"external_id":"SN-3"}}\n'),
        tmp_path / "s",
    )
    ended = imported(file, "--secrets-out", str(secrets), data=stopped)
    assert (ended.code, ended.out) == (3, "created 2, updated 0, unchanged 0, failed 1\n"), ended
    assert "line 2: is not a JSON object" in ended.err
    assert ids_in(secrets) == clients_of(stopped)
