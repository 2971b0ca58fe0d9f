"""Every command of the README, as a newcomer runs them: in a copy of the sources, in an environment of its own."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.support import asking
from tests.support.database import rows
from tests.support.on_postgres import Cloud
from tests.support.postgres import Server
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
INSTALL, *USE, TEST = BLOCKS
MOVE = next(block for block in USE if "edgeclients move" in block)  # the service is stopped then, and there is a server
USE.remove(MOVE)
MOVED_TO = "postgres://edgeclients@db.example/clients"
PATIENCE = 240  # seconds for an installation over a slow network


class Newcomer(NamedTuple):
    """A folder with the sources, and the service that was started there."""

    folder: Path
    process: "subprocess.Popen[bytes]"

    def run(self, script: str, seconds: float = PATIENCE) -> str:
        """What commands print, of which none fails."""
        done = subprocess.run(
            ["bash", "-c", f"set -euo pipefail\n{script}"],
            cwd=self.folder,
            env=_outside(),
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stop(self) -> None:
        """Stop the service, if it runs."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=PATIENCE)


def _outside() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MG_")}


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """A folder with the sources, in which the README's first command has been run and serves."""
    folder = tmp_path_factory.mktemp("newcomer") / "edgeclients"
    ours = shutil.ignore_patterns(".venv", ".git", ".*_cache", ".hypothesis", "data", "build", "dist", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=ours)
    wait_until(lambda: not _answers(), "the README's ports: somebody else is there")
    log = (folder / "serve.log").open("w")
    process = subprocess.Popen(
        ["bash", "-c", INSTALL], cwd=folder, env=_outside(), stdout=log, stderr=log, start_new_session=True
    )
    found = Newcomer(folder, process)
    try:
        _wait_until_it_answers(process, folder / "serve.log")
        yield found
    finally:
        found.stop()
        log.close()


def _answers() -> bool:
    try:
        return asking.get("http://localhost:9006/health").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        if _answers():
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
    raise AssertionError(log.read_text())


def test_every_command_works_as_printed(newcomer: Newcomer) -> None:
    printed = newcomer.run("\n".join(USE))
    for expected in (
        '"name":"boiler","tags":["floor-1"]',
        '"total":1,"clients":[{',
        '"name":"boiler 2"',
        '"status":"pass"',
        "authenticated: true",
        '"status":"disabled"',
        "bob    bob            plant-7=member",
        '"role_name":"technician","actions":["update","read"],"access_type":"direct"',
        "bob is removed, with 1 role memberships",
        "last sent:    nothing yet",
        "MG_CLIENTS_HTTP_PORT=9006",
        "healthy",
        "usage: edgeclients serve",
    ):
        assert expected in printed, expected


def test_an_installed_program_has_what_it_needs_inside(newcomer: Newcomer) -> None:
    """The wheel carries schema, licence and the marker of types: nothing is read from the sources it was built from."""
    program = "from edgeclients.files import schema_path; print(schema_path('sqlite'))"
    python = newcomer.folder / ".venv" / "bin" / "python"
    done = subprocess.run([python, "-c", program], cwd="/", capture_output=True, text=True, check=True)
    assert "site-packages/edgeclients/schema" in done.stdout
    schema = Path(done.stdout.strip())
    assert list(schema.glob("*.sql"))
    site = schema.parents[2]
    assert (site / "edgeclients" / "py.typed").is_file()
    assert list(site.glob("edgeclients-*.dist-info/licenses/packaging/LICENSE"))


def test_moving_house_works_as_printed(newcomer: Newcomer, postgres: Server, cloud: Cloud) -> None:
    newcomer.stop()
    ours = f"postgres://{postgres.user}@{postgres.host}:{postgres.port}/{cloud.name}"
    printed = newcomer.run(
        f"export MG_CLIENTS_DB_PASS={shlex.quote(postgres.password)}\n" + MOVE.replace(MOVED_TO, ours), PATIENCE
    )
    assert printed.count("Every row was compared.") == 2
    gateway = newcomer.folder / "gateway"
    assert (gateway / "pepper").read_bytes() == (newcomer.folder / "data" / "pepper").read_bytes()
    assert rows(gateway, "SELECT * FROM clients") == rows(newcomer.folder / "data", "SELECT * FROM clients") != []


def test_the_test_command_is_what_ci_runs() -> None:
    """To its end, with other checks beside the last part; by the task of that name, which runs it in the same environment."""
    run = (ROOT / ".ci" / "run").read_text()
    install, _, test = TEST.strip().rpartition(" && ")
    before, called, _ = run.partition("\n.venv/bin/just test ")
    assert called
    assert install in before.splitlines()
    assert test == ".venv/bin/pytest"
    tasks = (ROOT / ".justfile").read_text()
    assert '\ntest *arguments:\n    pytest "$@"\n' in tasks
    assert '\nexport PATH := justfile_directory() / ".venv/bin" + ":" + env("PATH")\n' in tasks
