"""Commands whose standard output is full, closed, or read by nobody: they say so in one line, and leave nothing unseen."""

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgeclients import __version__
from tests.support.commands import Ended, run
from tests.support.database import opened
from tests.support.program import PROGRAM
from tests.support.service import START_SECONDS, environment, started

READERS = ("full", "closed", "gone")
REDIRECTIONS = {"full": ">/dev/full", "closed": ">&-", "gone": ""}
REASONS = {"full": "No space left on device", "closed": "standard output is closed", "gone": "Broken pipe"}
COMMANDS: Sequence[Sequence[str]] = (
    ("version",),
    ("--version",),
    ("--help",),
    ("serve", "--help"),
    ("config", "check"),
    ("operators", "list"),
    ("operators", "token", "list", "ann"),
    ("events", "status"),
    ("doctor",),
    ("doctor", "--json"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with an operator."""
    data = tmp_path_factory.mktemp("output") / "data"
    with started(data):
        pass
    assert run("operators", "add", "ann", data=data).code == 0
    return data


def ran(*arguments: str, data: Path, output: str, buffered: bool = True) -> Ended:
    """How the command ends whose standard output is as `READERS` says."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        # By a shell: between fork and exec gRPC, which has threads in this process, would say something, too.
        ended = subprocess.run(
            ["/bin/sh", "-c", f'exec "$@" {REDIRECTIONS[output]}', "sh", *PROGRAM, *arguments],
            env={**environment(data), "PYTHONUNBUFFERED": "" if buffered else "1"},
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=START_SECONDS,
        )
    finally:
        os.close(writer)
    return Ended(ended.returncode, "", ended.stderr)


def tokens(data: Path) -> list[str]:
    """What Ann's are called."""
    return [token["name"] for token in json.loads(run("operators", "token", "list", "ann", "--output", "json", data=data).out)]


@pytest.mark.parametrize("output", READERS)
def test_what_cannot_be_said(data: Path, output: str) -> None:
    for command in COMMANDS:
        ended = ran(*command, data=data, output=output)
        assert (ended.code, REASONS[output] in ended.line) == (1, True), (command, ended)


@pytest.mark.parametrize("command", [("--help",), ("version",)])
def test_it_does_not_depend_on_a_buffer(data: Path, command: Sequence[str]) -> None:
    ended = ran(*command, data=data, output="full", buffered=False)
    assert (ended.code, REASONS["full"] in ended.line) == (1, True), ended


@pytest.mark.parametrize("shown", ["text", "json"])
@pytest.mark.parametrize("output", READERS)
def test_no_token_is_made_that_nobody_sees(data: Path, output: str, shown: str) -> None:
    ended = ran("operators", "token", "add", "ann", "unseen", "--output", shown, data=data, output=output)
    assert ended.code == 1
    assert f"no token is created, because it cannot be printed ({REASONS[output]})" in ended.line
    assert tokens(data) == []
    with opened(data / "clients.db") as file:
        assert file.execute("SELECT count(*) FROM operator_tokens").fetchall() == [(0,)]


@pytest.mark.parametrize("output", READERS)
def test_what_is_done_though_nobody_hears_of_it_is_told(data: Path, output: str) -> None:
    ended = ran("operators", "add", output, data=data, output=output)
    assert ended.code == 1
    assert "the command has succeeded, but" in ended.line
    assert output in run("operators", "list", data=data).out


@pytest.mark.parametrize("output", READERS)
def test_a_backup_that_nobody_hears_of_is_there(data: Path, tmp_path: Path, output: str) -> None:
    for command, home in (("backup", data), ("restore", tmp_path / "data")):
        ended = ran(command, str(tmp_path / "b"), data=home, output=output)
        assert (ended.code, "the command has succeeded, but" in ended.line) == (1, True)
    assert (tmp_path / "data" / "clients.db").exists()


@pytest.mark.parametrize("output", READERS)
def test_the_exit_code_of_health_is_about_the_service(tmp_path: Path, output: str) -> None:
    with started(tmp_path / "data") as service:
        port = service.http.rpartition(":")[2]
        env = {"MG_CLIENTS_HTTP_PORT": port}
        assert run("health", data=tmp_path, env=env).code == 0
        command = ["env", f"MG_CLIENTS_HTTP_PORT={port}", *PROGRAM, "health"]
        redirection = {"full": ">/dev/full", "closed": ">&-", "gone": "| :"}[output]
        ended = subprocess.run(
            ["bash", "-o", "pipefail", "-c", f'"$@" {redirection}', "sh", *command], capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, "")


def test_standard_error_may_be_full_too(data: Path) -> None:
    for command, code in ((("version",), 1), (("operators", "remove", "nobody"), 1), (("--no-such-option",), 2)):
        shell = ["sh", "-c", '"$@" >/dev/full 2>/dev/full', "sh", *PROGRAM, *command]
        assert subprocess.run(shell, env=environment(data), check=False, timeout=START_SECONDS).returncode == code


def test_a_service_goes_on_without_its_log(tmp_path: Path) -> None:
    """It says so once."""
    data = tmp_path / "data"
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(
            [*PROGRAM, "serve"],
            env=environment(data, {"MG_CLIENTS_LOG_LEVEL": "debug"}),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert process.stderr
    told = process.stderr.readline()
    assert told == "edgeclients: the log cannot be written (No space left on device)\n"
    process.send_signal(signal.SIGTERM)
    assert process.stderr.read() == ""
    assert process.wait(START_SECONDS) == 0
    process.stderr.close()


def test_what_can_be_said_is(data: Path) -> None:
    assert run("version", data=data).out == f"{__version__}\n"
    assert run("--help", data=data).out.startswith("usage: edgeclients")
    assert run("--version", data=data).out == f"{__version__}\n"
