"""`edgeclients import` and `edgeclients export`, with the service running and stopped."""

import contextlib
import fcntl
import json
import signal
import stat
import subprocess
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import openpyxl
import pytest

from tests.support.api import Api
from tests.support.commands import run
from tests.support.database import rows
from tests.support.elsewhere import Elsewhere
from tests.support.importing import D, imported, secrets_in, written
from tests.support.on_postgres import secret_works
from tests.support.program import PROGRAM
from tests.support.service import environment, started
from tests.support.waiting import wait_until

TABLE = "external_id,name,tags,metadata.room\nSN-1,boiler,a,b1\nSN-2,pump,,\n"


@contextlib.contextmanager
def works(data: Path, secrets: list[dict[str, str]]) -> Iterator[Api]:
    """A service that takes these secrets: that which runs, or one started now."""
    with started(data) as service, Api(service, "plant") as api:
        for one in secrets:
            assert secret_works(service, {"id": one["id"], "credentials": {"secret": one["secret"]}})
        yield api


def test_an_import_with_its_secrets_and_once_more(data: Path, tmp_path: Path) -> None:
    file, secrets = written(tmp_path / "t.csv", TABLE), tmp_path / "secrets.csv"
    ended = imported(file, "--secrets-out", str(secrets), data=data)
    assert (ended.code, ended.out) == (0, "created 2, updated 0, unchanged 0, failed 0\n")
    assert f"the secrets of 2 new clients are in {secrets}" in ended.err
    made = secrets_in(secrets)
    assert [(one["external_id"], one["name"], one["domain_id"]) for one in made] == [
        ("SN-1", "boiler", "plant"),
        ("SN-2", "pump", "plant"),
    ]
    assert {one["id"] for one in made} == {client_id for (client_id,) in rows(data, "SELECT id FROM clients")}
    before = secrets.read_bytes()
    for _ in range(2):
        ended = imported(file, "--secrets-out", str(secrets), data=data)
        assert (ended.code, ended.out) == (0, "created 0, updated 0, unchanged 2, failed 0\n")
    assert secrets.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "secrets.csv", "t.csv"]
    exported = run("export", *D, data=data)
    assert exported.code == 0
    assert imported(written(tmp_path / "x.csv", exported.out), data=data).out == "created 0, updated 0, unchanged 2, failed 0\n"


def test_the_secrets_work(stopped: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.csv"
    assert imported(written(tmp_path / "t.csv", TABLE), "--secrets-out", str(secrets), data=stopped).code == 0
    with works(stopped, secrets_in(secrets)) as api:
        assert len(api.listed()) == 2


def test_nothing_is_made_without_a_place_for_it(data: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "t.csv", TABLE + "SN-3,x,,\n")
    ended = imported(file, data=data)
    assert (ended.code, ended.line) == (1, "edgeclients: line 2 needs a new secret: name a file for it with --secrets-out")
    there = written(tmp_path / "there.csv", "mine")
    assert "exists: choose another --secrets-out" in imported(file, "--secrets-out", str(there), data=data).line
    assert there.read_text() == "mine"
    assert rows(data, "SELECT count(*) FROM clients") == [(0,)]
    given = written(tmp_path / "given.csv", "external_id,secret\nSN-1,chosen by somebody\n")
    assert imported(given, data=data).code == 0


def test_bad_lines_are_told_and_reported(data: Path, tmp_path: Path) -> None:
    text = 'external_id,name,status\nSN-1,a,\nSN-1,b,\n"SN\n2",c,weird\n,,\nSN-3,d,,x\n'
    report = tmp_path / "report.jsonl"
    ended = imported(
        written(tmp_path / "t.csv", text), "--secrets-out", str(tmp_path / "s.csv"), "--report", str(report), data=data
    )
    assert (ended.code, ended.out) == (3, "created 1, updated 0, unchanged 0, failed 3\n")
    found = [json.loads(line) for line in report.read_text().splitlines()]
    assert [(one["line"], one["column"], one["value"]) for one in found] == [
        (3, "external_id", "SN-1"),
        (4, "status", "weird"),
        (7, "", ""),
    ]
    assert "line 4: status 'weird' is neither enabled nor disabled" in ended.err
    assert "line 7: has 4 cells, where the header has 3" in ended.err


def test_a_dry_run_and_an_atomic_one(data: Path, tmp_path: Path) -> None:
    file, secrets = written(tmp_path / "t.csv", TABLE + "SN-3,,,\nSN-3,,,\n"), tmp_path / "s.csv"
    ended = imported(file, "--dry-run", data=data)
    assert (ended.code, ended.out) == (3, "created 3, updated 0, unchanged 0, failed 1\n")
    ended = imported(file, "--atomic", "--secrets-out", str(secrets), data=data)
    assert (ended.code, ended.out) == (3, "created 0, updated 0, unchanged 0, failed 1\n")
    assert rows(data, "SELECT count(*) FROM clients") == [(0,)]
    assert not secrets.exists()
    file.write_text(TABLE)
    assert imported(file, "--atomic", "--secrets-out", str(secrets), data=data).code == 0
    assert len(secrets_in(secrets)) == 2


def test_lines_that_are_all_new_are_imported_once(data: Path, tmp_path: Path) -> None:
    file, secrets = written(tmp_path / "t.csv", "name\na\na\n"), tmp_path / "s.csv"
    assert "name the key" in imported(file, data=data).line
    assert imported(file, "--all-new", "--secrets-out", str(secrets), data=data).code == 0
    assert [one["name"] for one in secrets_in(secrets)] == ["a", "a"]
    again = imported(file, "--all-new", "--secrets-out", str(tmp_path / "s2.csv"), data=data)
    assert (again.code, again.line) == (1, "edgeclients: file was already imported")
    assert rows(data, "SELECT count(*) FROM clients") == [(2,)]


def test_a_sheet_of_excel(data: Path, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    first = book.active
    assert first is not None
    first.append(["external_id", "name", "metadata.n", "metadata.ok", "metadata.text", "tags"])
    first.append([17, "boiler", 7.5, True, "7", "a,b"])
    first.append(["0018", "'=x", 8, None, "=y", 9])
    second = book.create_sheet("Second")
    second.append(["external_id"])
    second.append(["other"])
    book.save(tmp_path / "t.xlsx")
    file, secrets = tmp_path / "t.xlsx", tmp_path / "s.csv"
    ended = imported(file, "--secrets-out", str(secrets), data=data)
    assert ended.code == 0, ended
    found = run("export", *D, "--format", "jsonl", data=data).out.splitlines()
    clients = {one["external_id"]: one for one in map(json.loads, found)}
    assert clients["17"]["metadata"] == {"n": 7.5, "ok": True, "text": "7"}
    assert clients["17"]["tags"] == ["a", "b"]
    assert clients["0018"]["metadata"]["n"] == 8
    assert clients["0018"]["tags"] == ["9"]
    assert "has no sheet 'Third': it has 'Sheet', 'Second'" in imported(file, "--sheet", "Third", data=data).line
    assert imported(file, "--sheet", "Second", "--secrets-out", str(tmp_path / "s2.csv"), data=data).code == 0


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("t.doc", b"", "must end with .csv, .jsonl or .xlsx"),
        ("t.xlsx", b"nothing of the kind", "is it an XLSX file"),
        ("t.csv", b"\x7fELF\0", "not a text file"),
        ("t.csv", b"external_id\n" + b"x" * 2_000_000, "line 2 is longer than 1024 KiB"),
        ("t.csv", "größe\n1\n".encode("latin-1"), "the header is not UTF-8"),
    ],
)
def test_what_is_no_file_to_import(stopped: Path, tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    ended = imported(tmp_path / name, data=stopped)
    assert ended.code == 1
    assert reason in ended.line
    assert "cannot be read (No such file or directory)" in imported(tmp_path / "gone.csv", data=stopped).line


def test_a_sheet_that_unpacks_to_gigabytes(stopped: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/x.xml", "w") as entry:
        for _ in range(300):
            entry.write(bytes(1024 * 1024))
    assert "save the sheet as CSV UTF-8" in imported(tmp_path / "t.xlsx", data=stopped).line


def test_two_imports_with_the_same_secrets_file(stopped: Path, tmp_path: Path) -> None:
    file, part = written(tmp_path / "t.csv", TABLE), tmp_path / "s.csv.part"
    with part.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "in use by another import" in imported(file, "--secrets-out", str(tmp_path / "s.csv"), data=stopped).line
    part.write_text('{"domain":"other","sha256":""}\n')
    assert "of another import" in imported(file, "--secrets-out", str(tmp_path / "s.csv"), data=stopped).line
    assert part.read_text() == '{"domain":"other","sha256":""}\n'
    assert rows(stopped, "SELECT count(*) FROM clients") == [(0,)]


def test_an_output_that_takes_nothing(stopped: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "t.csv", TABLE)
    assert "cannot be written" in imported(file, "--secrets-out", str(tmp_path / "no" / "s.csv"), data=stopped).line
    assert "cannot be written" in imported(file, "--dry-run", "--report", str(tmp_path / "no" / "r"), data=stopped).line
    out = tmp_path / "x.csv"
    assert run("export", *D, "--out", str(out), data=stopped).code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "cannot be written (File exists)" in run("export", *D, "--out", str(out), data=stopped).line


def test_a_directory_without_data(tmp_path: Path) -> None:
    ended = imported(written(tmp_path / "t.csv", TABLE), data=tmp_path / "none")
    assert "start the service once" in ended.line
    assert not (tmp_path / "none").exists()


def test_hashes_are_moved_with_the_pepper(stopped: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "s.csv"
    text = "external_id,secret\nSN-1,\nSN-2,chosen by somebody\n"
    assert imported(written(tmp_path / "t.csv", text), "--secrets-out", str(secrets), data=stopped).code == 0
    content = run("export", *D, "--with-hashes", data=stopped).out
    assert "chosen by" not in content
    with started(tmp_path / "other") as service:
        pass
    assert imported(written(tmp_path / "x.csv", content), data=service.data).code == 3, "it has another pepper"
    (tmp_path / "third").mkdir(mode=0o700)
    (tmp_path / "third" / "pepper").write_bytes((stopped / "pepper").read_bytes())
    (tmp_path / "third" / "pepper").chmod(0o600)
    with started(tmp_path / "third") as service:
        pass
    assert imported(tmp_path / "x.csv", data=service.data).out == "created 2, updated 0, unchanged 0, failed 0\n"
    (chosen,) = rows(service.data, "SELECT id FROM clients WHERE external_id = 'SN-2'")
    with works(service.data, [*secrets_in(secrets), {"id": chosen[0], "secret": "chosen by somebody"}]):
        pass


class TestKilled:
    """kill -9 at any moment: the same command finishes, and every secret is there that counts, and no other."""

    ROWS = 3000

    @pytest.mark.parametrize("atomic", [(), ("--atomic",)])
    def test_it_is_finished_by_the_same_command(self, data: Path, tmp_path: Path, atomic: tuple[str, ...]) -> None:
        text = "external_id,name\n" + "".join(f"SN-{number},n{number}\n" for number in range(self.ROWS))
        file, secrets = written(tmp_path / "t.csv", text), tmp_path / "s.csv"
        part = tmp_path / "s.csv.part"
        command = [*PROGRAM, "import", str(file), *D, "--secrets-out", str(secrets), *atomic]
        for lines in (1, 400, 1200):
            with subprocess.Popen(command, env=environment(data, {}), stdout=subprocess.DEVNULL) as process:
                wait_until(partial(self.has_come, process, part, lines), "secrets on disk")
                process.send_signal(signal.SIGKILL)
            self.check(data, part, secrets)
        assert imported(file, "--secrets-out", str(secrets), *atomic, data=data).code == 0
        made = secrets_in(secrets)
        assert len(made) == self.ROWS
        assert {one["id"] for one in made} == {client_id for (client_id,) in rows(data, "SELECT id FROM clients")}
        assert len(rows(data, "SELECT id FROM clients")) == self.ROWS

    @staticmethod
    def has_come(process: "subprocess.Popen[bytes]", part: Path, lines: int) -> bool:
        return process.poll() is not None or (part.exists() and part.read_bytes().count(b"\n") > lines)

    @staticmethod
    def check(data: Path, part: Path, secrets: Path) -> None:
        """What is in the database has its secret on disk."""
        kept = part if part.exists() else secrets
        ids = kept.read_text() if kept.exists() else ""
        for (client_id,) in rows(data, "SELECT id FROM clients"):
            assert client_id in ids


def test_root_imports_and_exports_for_a_gateway_that_does_not_run(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Files of root's are read and written by root, those of the data directory by its owner."""
    with elsewhere.started():
        pass
    folder = tmp_path / "root"
    folder.mkdir(mode=0o700)
    file, secrets, exported = folder / "t.csv", folder / "secrets.csv", folder / "x.csv"
    file.write_text("external_id,name\nSN-1,a\nSN-2,b\n")
    arguments = ("--domain", "d", "--secrets-out", str(secrets))
    ended = elsewhere.run("import", str(file), *arguments)
    assert (ended.code, ended.out) == (0, "created 2, updated 0, unchanged 0, failed 0\n"), ended
    assert elsewhere.run("export", "--domain", "d", "--out", str(exported)).code == 0
    assert [path.stat().st_uid for path in (secrets, exported)] == [0, 0]
    assert elsewhere.run("clients", "get", "SN-1", "--domain", "d").code == 0
    elsewhere.assert_all_theirs()
