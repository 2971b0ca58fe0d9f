"""Every command of the README, as a newcomer runs them: in a copy of the sources, in an environment of its own."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
INSTALL, *USE, TEST = BLOCKS
PATIENCE = 240  # seconds for an installation over a slow network


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the sources, in which the README's first command has been run and serves."""
    folder = tmp_path_factory.mktemp("newcomer") / "edgeclients"
    ours = shutil.ignore_patterns(".venv", ".git", ".*_cache", ".hypothesis", "data", "build", "dist", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=ours)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MG_")}
    log = (folder / "serve.log").open("w")
    process = subprocess.Popen(
        ["bash", "-c", INSTALL], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
    )
    try:
        _wait_until_it_answers(process, folder / "serve.log")
        yield folder
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)
        log.close()


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get("http://localhost:9006/health").status_code == 200:
                return
        except httpx.TransportError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
    raise AssertionError(log.read_text())


def test_every_command_works_as_printed(newcomer: Path) -> None:
    script = "set -euo pipefail\n" + "\n".join(USE)
    done = subprocess.run(["bash", "-c", script], cwd=newcomer, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
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
        assert expected in done.stdout, expected


def test_an_installed_program_has_what_it_needs_inside(newcomer: Path) -> None:
    """The wheel carries the schema: nothing is read from the sources it was built from."""
    program = "from edgeclients.files import schema_path; print(schema_path('sqlite'))"
    python = newcomer / ".venv" / "bin" / "python"
    done = subprocess.run([python, "-c", program], cwd="/", capture_output=True, text=True, check=True)
    assert "site-packages/edgeclients/schema" in done.stdout
    assert list(Path(done.stdout.strip()).glob("*.sql"))


def test_the_test_command_is_what_ci_runs() -> None:
    assert TEST.strip() in (ROOT / ".ci" / "run").read_text()
