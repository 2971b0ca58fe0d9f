"""`edgeclients import`, ended before its end: no secret that counts is lost, and none is kept that does not."""

import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.commands import run
from tests.support.importing import D, clients_of, ids_in, imported, secrets_in, written
from tests.support.program import PROGRAM
from tests.support.service import environment, started
from tests.support.waiting import wait_until


def of_import(tmp_path: Path) -> list[str]:
    """What an import leaves beside its input and the data."""
    return sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("s.csv"))


MANY = 20_000  # lines: more than fit into what lies between the program and the service


def test_lines_that_are_all_new_after_kills(data: Path, tmp_path: Path) -> None:
    """A rerun goes on behind what was committed, and has the secrets of that, too, but none of a bad line."""
    lines, bad = MANY, MANY // 100
    text = "name\n" + "".join(f"{'n' * 2000 if number % 100 == 50 else number}\n" for number in range(lines))
    file, secrets = written(tmp_path / "t.csv", text), tmp_path / "s.csv"
    command = [*PROGRAM, "import", str(file), *D, "--all-new", "--secrets-out", str(secrets)]
    for more in (1, 2000):
        committed = len(clients_of(data)) + more
        with subprocess.Popen(command, env=environment(data, {}), stdout=subprocess.DEVNULL) as process:
            wait_until(partial(has_committed, process, data, committed), "clients")
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL, "it was killed before its end"
    ended = imported(file, "--all-new", "--secrets-out", str(secrets), data=data)
    assert (ended.code, ended.out.startswith("created 0")) == (3, False), ended
    assert len(clients_of(data)) == lines - bad
    assert ids_in(secrets) == clients_of(data)
    assert of_import(tmp_path) == ["s.csv"]


def has_committed(process: "subprocess.Popen[bytes]", data: Path, clients: int) -> bool:
    return process.poll() is not None or len(clients_of(data)) >= clients


def kept_part(tmp_path: Path) -> Path:
    """A further name of `s.csv.part`, which outlasts the import."""
    (tmp_path / "s.csv.part").touch()
    kept = tmp_path / "kept"
    kept.hardlink_to(tmp_path / "s.csv.part")
    return kept


def without_a_name(tmp_path: Path, kept: Path) -> None:
    """As a kill leaves it before the file of secrets has its name."""
    (tmp_path / "s.csv").unlink()
    kept.rename(tmp_path / "s.csv.part")


def with_three_names(tmp_path: Path, kept: Path) -> None:
    """As a kill leaves it when the file just has its name."""
    (tmp_path / "s.csv.new").hardlink_to(tmp_path / "s.csv")
    kept.rename(tmp_path / "s.csv.part")


@pytest.mark.parametrize("killed", [without_a_name, with_three_names])
@pytest.mark.parametrize("options", [(), ("--all-new",), ("--all-new", "--atomic")])
def test_a_kill_at_the_end(
    stopped: Path, tmp_path: Path, killed: Callable[[Path, Path], None], options: tuple[str, ...]
) -> None:
    file = written(tmp_path / "t.csv", "external_id,name\nSN-1,a\nSN-2,b\n")
    secrets = tmp_path / "s.csv"
    kept = kept_part(tmp_path)
    assert imported(file, *options, "--secrets-out", str(secrets), data=stopped).code == 0
    before = secrets.read_text()
    killed(tmp_path, kept)
    ended = imported(file, *options, "--secrets-out", str(secrets), data=stopped)
    assert ended.code == 0, ended
    assert f"in {secrets}" in ended.err or not options
    assert secrets.read_text() == before
    assert of_import(tmp_path) == ["s.csv"]
    assert len(clients_of(stopped)) == 2


def test_a_rerun_with_another_file_of_secrets(data: Path, tmp_path: Path) -> None:
    """What the first run has made stays in its own file, and one is told."""
    file, first, second = written(tmp_path / "t.csv", "name\n" + "a\n" * MANY), tmp_path / "s.csv", tmp_path / "s2.csv"
    command = [*PROGRAM, "import", str(file), *D, "--all-new", "--secrets-out"]
    with subprocess.Popen([*command, str(first)], env=environment(data, {}), stdout=subprocess.DEVNULL) as process:
        wait_until(partial(has_committed, process, data, 1), "clients")
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it was killed before its end"
    ended = imported(file, "--all-new", "--secrets-out", str(second), data=data)
    assert (ended.code, "were imported by a run before this" in ended.err) == (0, True), ended
    assert imported(file, "--all-new", "--secrets-out", str(first), data=data).code == 0
    assert ids_in(first) | ids_in(second) == clients_of(data)
    assert not ids_in(first) & ids_in(second)


def test_secrets_that_changed_after_a_kill(stopped: Path, tmp_path: Path) -> None:
    """Those are dropped: no label is printed for them."""
    file, secrets = written(tmp_path / "t.csv", "name\na\nb\nc\n"), tmp_path / "s.csv"
    kept = kept_part(tmp_path)
    assert imported(file, "--all-new", "--secrets-out", str(secrets), data=stopped).code == 0
    a, b, c = secrets_in(secrets)
    assert run("clients", "rotate", b["id"], *D, data=stopped).code == 0
    assert run("clients", "delete", c["id"], *D, data=stopped).code == 0
    without_a_name(tmp_path, kept)
    assert imported(file, "--all-new", "--secrets-out", str(secrets), data=stopped).code == 0
    assert secrets_in(secrets) == [a]


def test_another_file_with_the_name_of_the_secrets(stopped: Path, tmp_path: Path) -> None:
    file, secrets = written(tmp_path / "t.csv", "external_id\nSN-1\n"), tmp_path / "s.csv"
    kept = kept_part(tmp_path)
    assert imported(file, "--secrets-out", str(secrets), data=stopped).code == 0
    made = secrets.read_text()
    without_a_name(tmp_path, kept)
    secrets.write_text("mine")
    ended = imported(file, "--secrets-out", str(secrets), data=stopped)
    assert (ended.code, "has secrets of this import" in ended.line) == (1, True)
    assert secrets.read_text() == "mine"
    secrets.unlink()
    assert imported(file, "--secrets-out", str(secrets), data=stopped).code == 0
    assert secrets.read_text() == made


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "id,name\n{},a\n"),
        ("t.jsonl", '{{"id":"{}","name":"a"}}\n'),
    ],
)
def test_ids_of_the_file_are_those_of_the_secrets(stopped: Path, tmp_path: Path, name: str, text: str) -> None:
    given = "0d4a7c1e-9a55-4c53-8d0e-3f6d4d3b9f10"
    file, secrets = written(tmp_path / name, text.format(given)), tmp_path / "s.csv"
    assert imported(file, "--secrets-out", str(secrets), data=stopped).code == 0
    assert ids_in(secrets) == clients_of(stopped) == {given}


def test_a_first_try_that_fails_is_not_in_the_way(stopped: Path, tmp_path: Path) -> None:
    file, secrets = written(tmp_path / "t.csv", "external_id,nmae\nSN-1,a\n"), tmp_path / "s.csv"
    assert "'nmae' is unknown" in imported(file, "--secrets-out", str(secrets), data=stopped).line
    assert of_import(tmp_path) == []
    file.write_text("external_id,name\nSN-1,a\n")
    assert imported(file, "--secrets-out", str(secrets), data=stopped).code == 0
    assert ids_in(secrets) == clients_of(stopped)


ROWS = 1500
GOOD = "external_id,name\n" + "".join(f"SN-{number},n\n" for number in range(ROWS))


@pytest.mark.parametrize("options", [(), ("--all-new",), ("--atomic",)])
def test_a_file_that_cannot_be_read_to_its_end(data: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    """It is told why; the secrets of the clients that were created are there, in their file."""
    file, secrets = tmp_path / "t.csv", tmp_path / "s.csv"
    written(file, GOOD + '"unclosed,n\n' + "SN-x,n\n" * 200_000)
    ended = imported(file, *options, "--secrets-out", str(secrets), data=data)
    assert ended.code == 1
    assert f"line {ROWS + 2} is longer than 1024 KiB" in ended.line
    assert of_import(tmp_path) == (["s.csv"] if secrets.exists() else [])
    made = ids_in(secrets) if secrets.exists() else set()
    assert made == clients_of(data)
    assert bool(made) == ("--atomic" not in options)
    assert f"; {len(made):,} clients of the lines before are created" in ended.line or not made
    written(file, GOOD)
    again = imported(file, "--secrets-out", str(tmp_path / "s2.csv"), data=data)
    assert again.out == f"created {ROWS - len(made):,}, updated 0, unchanged {len(made):,}, failed 0\n"


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    file, secrets = written(tmp_path / "t.csv", GOOD), tmp_path / "s.csv"
    with started(tmp_path / "data") as service:
        ended = subprocess.run(
            ["sh", "-c", 'ulimit -f 200 && exec "$@"', "sh", *PROGRAM, "import", str(file), *D, "--secrets-out", str(secrets)],
            env=environment(service.data, {}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 1
        assert "s.csv.part cannot be written (File too large): free some space" in ended.stderr
        assert 0 < len(clients_of(service.data)) < ROWS
        assert imported(file, "--secrets-out", str(secrets), data=service.data).code == 0
        assert ids_in(secrets) == clients_of(service.data)
        assert len(clients_of(service.data)) == ROWS


def test_a_line_that_is_too_long_with_what_is_added(stopped: Path, tmp_path: Path) -> None:
    """The service finds that out, not the program."""
    file, secrets = tmp_path / "t.csv", tmp_path / "s.csv"
    written(file, GOOD + f"SN-x,{'n' * (1024 * 1024 - 6)}\n")
    ended = imported(file, "--secrets-out", str(secrets), data=stopped)
    assert (ended.code, f"line {ROWS + 2} is longer than 1024 KiB" in ended.line) == (1, True)
    assert "1,500 clients of the lines before are created" in ended.line
    assert ids_in(secrets) == clients_of(stopped)


LIMIT = 500_000


class TestMoreLinesThanOneImportTakes:
    """Most of them are bad: those are quick to judge."""

    BAD = ",x,?\n" * (LIMIT - 1)

    def test_the_rest_is_another_file(self, stopped: Path, tmp_path: Path) -> None:
        file, secrets = tmp_path / "t.csv", tmp_path / "s.csv"
        written(file, f"external_id,secret,status\nSN-1,,\n{self.BAD}SN-2,,\n")
        ended = imported(file, "--secrets-out", str(secrets), data=stopped)
        assert (ended.code, ended.out) == (3, f"created 1, updated 0, unchanged 0, failed {LIMIT - 1:,}\n")
        assert f"the lines from {LIMIT + 2:,} on are not imported" in ended.err
        assert [one["external_id"] for one in secrets_in(secrets)] == ["SN-1"]
        rest = written(tmp_path / "rest.csv", "external_id,secret,status\nSN-2,,\n")
        assert "choose another --secrets-out" in imported(rest, "--secrets-out", str(secrets), data=stopped).line
        assert imported(rest, "--secrets-out", str(tmp_path / "s2.csv"), data=stopped).code == 0

    def test_lines_that_are_all_new_have_no_limit(self, stopped: Path, tmp_path: Path) -> None:
        file, secrets = tmp_path / "t.csv", tmp_path / "s.csv"
        written(file, f"external_id,secret,status\nSN-1,,\n{self.BAD}SN-2,,\n")
        ended = imported(file, "--all-new", "--secrets-out", str(secrets), data=stopped)
        assert (ended.code, ended.out) == (3, f"created 2, updated 0, unchanged 0, failed {LIMIT - 1:,}\n")
        assert [one["external_id"] for one in secrets_in(secrets)] == ["SN-1", "SN-2"]
