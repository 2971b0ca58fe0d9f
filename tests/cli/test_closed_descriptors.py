"""Every command with standard input, output or error closed, in every combination, as `cron` and some supervisors have it."""

import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from edgeclients import __version__
from tests.support.on_postgres import Cloud
from tests.support.program import EXECUTABLE, LAUNCHER, PROGRAM
from tests.support.service import START_SECONDS, environment, started
from tests.support.waiting import wait_until

COMBINATIONS = [closed for count in (1, 2, 3) for closed in itertools.combinations((0, 1, 2), count)]
SCRIPT = (str(Path(sys.executable).with_name("edgeclients")),)
BEGINNINGS = {"program": PROGRAM} if EXECUTABLE else {"module": PROGRAM, "script": SCRIPT, "launcher": LAUNCHER}


class Ended(NamedTuple):
    closed: tuple[int, ...]
    code: int
    out: str
    err: str


def closing(closed: Sequence[int], command: Sequence[str]) -> list[str]:
    """`command` as the shell starts it with these descriptors closed."""
    return ["sh", "-c", 'exec "$@" ' + " ".join(f"{number}>&-" for number in closed), "sh", *command]


def in_every_combination(command: Sequence[str], env: Mapping[str, str]) -> list[Ended]:
    """How it ends; never by a signal, never with a traceback."""

    def run(closed: tuple[int, ...]) -> Ended:
        done = subprocess.run(
            closing(closed, command),
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        return Ended(closed, done.returncode, done.stdout, done.stderr)

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(run, COMBINATIONS))
    for ended in ends:
        assert ended.code >= 0, ended
        assert "Traceback" not in ended.err, ended
        assert "Exception ignored" not in ended.err, ended
        assert len(ended.err.splitlines()) <= 1, ended
        assert not ended.out or 1 not in ended.closed, ended
    return ends


@pytest.mark.parametrize("program", BEGINNINGS.values(), ids=BEGINNINGS.keys())
def test_version(program: tuple[str, ...], tmp_path: Path) -> None:
    for ended in in_every_combination([*program, "version"], environment(tmp_path)):
        assert 1 in ended.closed or (ended.code, ended.out) == (0, f"{__version__}\n"), ended


def test_commands_beside_the_service(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with started(data) as service:
        env = environment(data, {"MG_CLIENTS_HTTP_PORT": service.http.rsplit(":", 1)[1]})
        for command, said in (
            (["config", "check"], f"MG_CLIENTS_DATA_DIR={data}"),
            (["health"], "healthy"),
            (["operators", "list"], "ID"),
            (["events", "status"], "waiting:"),
        ):
            for ended in in_every_combination([*PROGRAM, *command], env):
                assert 1 in ended.closed or (ended.code == 0 and said in ended.out), (command, ended)
        # A token that nobody sees is of no use: with standard output closed it may be refused.
        for number, closed in enumerate([(0,), (2,), (0, 2)]):
            add = [*PROGRAM, "operators", "add", f"o{number}", "--output", "json"]
            done = subprocess.run(closing(closed, add), env=env, capture_output=True, text=True, check=True)
            assert json.loads(done.stdout)["id"] == f"o{number}"


def test_commands_that_fail(tmp_path: Path) -> None:
    """What they have to say is lost with standard error, their exit codes are not."""
    env = environment(tmp_path / "data", {"MG_CLIENTS_HTTP_PORT": "1"})
    pepper = str(tmp_path / "pepper")
    for command in (["health"], ["operators", "list"], ["move", "--to", "postgres://u@localhost:1/d", "--pepper", pepper]):
        for ended in in_every_combination([*PROGRAM, *command], env):
            assert ended.code == 1, (command, ended)
            assert 2 in ended.closed or ended.err.startswith("edgeclients: "), (command, ended)


def listens(process: psutil.Process) -> bool:
    """Whether a service has opened its ports, the second of them being gRPC's."""
    ports = {one.laddr.port for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
    return len(ports) > 1


def check_descriptors(process: psutil.Process, closed: Sequence[int]) -> None:
    for number in closed:
        assert Path(f"/proc/{process.pid}/fd/{number}").readlink() == Path("/dev/null"), (process, closed)


@pytest.mark.parametrize("closed", COMBINATIONS, ids=lambda closed: "".join(map(str, closed)))
def test_serve(closed: tuple[int, ...], tmp_path: Path) -> None:
    with subprocess.Popen(
        closing(closed, [*PROGRAM, "serve"]),
        env=environment(tmp_path / "data"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            service = psutil.Process(process.pid)
            wait_until(lambda: process.poll() is not None or listens(service), "its ports")
            check_descriptors(service, closed)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=START_SECONDS)
        finally:
            process.kill()
    assert (process.returncode, err) == (0, "")
    assert [json.loads(line)["msg"] for line in out.splitlines()][-1:] == ([] if 1 in closed else ["stopped"])


def test_workers(cloud: Cloud, tmp_path: Path) -> None:
    closed = (0, 1, 2)
    env = {**cloud.env, "MG_CLIENTS_WORKERS": "2", "MG_CLIENTS_DB_MAX_CONNECTIONS": "3"}
    with subprocess.Popen(closing(closed, [*PROGRAM, "serve"]), env=environment(tmp_path / "data", env)) as process:
        try:
            supervisor = psutil.Process(process.pid)

            def serve() -> bool:
                workers = supervisor.children()
                return len(workers) == 2 and all(map(listens, workers))

            wait_until(lambda: process.poll() is not None or serve(), "the workers' ports")
            for one in (supervisor, *supervisor.children()):
                check_descriptors(one, closed)
            process.send_signal(signal.SIGTERM)
            assert process.wait(START_SECONDS) == 0
        finally:
            process.kill()
