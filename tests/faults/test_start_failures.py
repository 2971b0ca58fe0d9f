"""A start that fails, at whichever step: one line, an exit code, by itself."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import failing
from tests.support.on_postgres import Cloud
from tests.support.program import PROGRAM
from tests.support.service import START_SECONDS, environment


def check(start: dict[str, Any]) -> None:
    """It served and was stopped, or it told in one line why not."""
    told = start["err"].splitlines()
    assert "Traceback" not in start["err"] + start["out"], start
    if start["code"] == 0:
        assert start["served"], start
        assert not told, start
    else:
        assert start["code"] == 1, start
        assert len(told) == 1, start
        assert told[0].startswith("edgeclients: "), start


def check_stopped(start: dict[str, Any]) -> None:
    """As it is asked to; before it has anything to close the signal itself may end it."""
    assert "Traceback" not in start["err"] + start["out"], start
    assert start["code"] in {0, 130, -signal.SIGTERM}, start
    assert start["err"] == ("edgeclients: interrupted\n" if start["code"] == 130 else ""), start


def starts(
    kind: str, folder: Path, env: Mapping[str, str] = {}, number: signal.Signals | None = None
) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.support.failing", kind, str(folder), json.dumps(env)]
    if number is not None:
        command.append(number.name)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield from map(json.loads, process.stdout)
    assert process.returncode == 0


@pytest.mark.source_only("a fault is put into the program")
@pytest.mark.parametrize("kind", failing.STEPS)
def test_every_step_can_fail(kind: str, tmp_path: Path) -> None:
    steps = 0
    for start in starts(kind, tmp_path):
        check(start)
        steps += 1
    assert steps > 1


@pytest.mark.source_only("a fault is put into the program")
def test_any_number_of_descriptors(tmp_path: Path) -> None:
    ends = list(starts("descriptors", tmp_path))
    for end in ends:
        check(end)
    served = [end["served"] for end in ends]
    assert len(served) == len(failing.LIMITS)
    assert served == sorted(served), "enough is enough"
    assert served[-1]
    assert all("ulimit -n" in end["err"] for end in ends if not end["served"])


@pytest.mark.parametrize("limit", [10, 26, 35])
def test_few_descriptors_for_the_interpreter_too(limit: int, tmp_path: Path) -> None:
    done = subprocess.run(
        # Set by a shell: between fork and exec gRPC, which has threads in this process, would say something, too.
        ["/bin/sh", "-c", f'ulimit -n {limit} && exec "$@"', "sh", *PROGRAM, "serve"],
        env=environment(tmp_path / "data"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    check({"code": done.returncode, "served": False, "out": done.stdout, "err": done.stderr})
    assert done.returncode == 1


@pytest.mark.source_only("a fault is put into the program")
@pytest.mark.parametrize(
    ("kind", "workers"), [("files", "1"), ("sockets", "1"), ("threads", "1"), ("sockets", "2"), ("threads", "2")]
)
def test_every_step_can_fail_in_the_cloud(cloud: Cloud, kind: str, workers: str, tmp_path: Path) -> None:
    env = {**cloud.env, "MG_CLIENTS_DB_MAX_CONNECTIONS": "3", "MG_CLIENTS_WORKERS": workers}
    for start in starts(kind, tmp_path / "starts", env):
        check(start)


@pytest.mark.source_only("a fault is put into the program")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_is_heard_at_every_step(number: signal.Signals, tmp_path: Path) -> None:
    kind = "files" if number == signal.SIGTERM else "database"
    for start in starts(kind, tmp_path, number=number):
        check_stopped(start)


@pytest.mark.source_only("a fault is put into the program")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_is_heard_at_every_step_in_the_cloud(cloud: Cloud, workers: str, tmp_path: Path) -> None:
    env = {**cloud.env, "MG_CLIENTS_DB_MAX_CONNECTIONS": "3", "MG_CLIENTS_WORKERS": workers}
    for start in starts("sockets", tmp_path / "starts", env, signal.SIGTERM):
        check_stopped(start)
