"""Somebody who types the commands of a page: in a folder of their own, beside a service on the ports that the pages print."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from tests.support import asking
from tests.support.pages import ROOT, Block, script
from tests.support.program import EXECUTABLE
from tests.support.waiting import wait_until

PATIENCE: Final = 400  # seconds for an installation over a slow network, or until others are done with the ports
_HEALTH: Final = "http://localhost:9006/health"
_NOT_SOURCES = (".venv", ".git", ".*_cache", ".hypothesis", "data", "build", "dist", "__pycache__")
_NOT_INHERITED = ("MG_", "PYTEST_", "COVERAGE_", "PYTHONPATH", "VIRTUAL_ENV", "EDGECLIENTS_")


class Newcomer:
    """Somebody with a folder and two terminals: the service runs in one, commands are typed into the other.

    Args:
        folder: exists.
        env: the whole environment.
        prefix: a program with its arguments that runs the shell of either terminal.
    """

    def __init__(self, folder: Path, env: Mapping[str, str], prefix: Sequence[str] = ()) -> None:
        self.folder = folder
        self.env = env
        self._prefix = prefix
        self._process: subprocess.Popen[bytes] | None = None

    def serve(self, command: str) -> None:
        """Type a command that ends in the service, and wait until that answers."""
        with (self.folder / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._shell(command), cwd=self.folder, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE
        while not _answers():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.2)

    def run(self, *blocks: Block, env: Mapping[str, str] = {}, places: Mapping[str, str] = {}) -> str:
        """What commands print, typed into one terminal, of which none fails.

        Args:
            blocks: the commands.
            env: what is set beforehand.
            places: what the test has instead of servers that the page invents.
        """
        text = script(blocks)
        for printed, real in places.items():
            assert printed in text, f"{printed} is not in the page"
            text = text.replace(printed, real)
        return self.type(text, env)

    def type(self, text: str, env: Mapping[str, str] = {}) -> str:
        """What commands print, of which none fails."""
        done = subprocess.run(
            self._shell(text),
            cwd=self.folder,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        said = f"exit code {done.returncode}\n{done.stdout}{done.stderr}\nThe service says:\n{self.log}"
        assert done.returncode == 0, said
        return done.stdout

    @property
    def log(self) -> str:
        """What the service has said."""
        path = self.folder / "serve.log"
        return path.read_text() if path.exists() else ""

    def stop(self) -> None:
        """Stop the service, if it runs."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(timeout=PATIENCE)

    def _shell(self, text: str) -> list[str]:
        return [*self._prefix, "bash", "-c", f"set -euo pipefail\n{text}"]


def outside(**more: str) -> dict[str, str]:
    """The environment of somebody who has a shell, and no settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}


def sources(folder: Path) -> Path:
    """A copy of this repository, as one gets it."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*_NOT_SOURCES))
    subprocess.run(["git", "init", "--quiet", folder], check=True, capture_output=True)
    return folder


def programs(folder: Path) -> str:
    """A path on which `edgeclients` is found: the program under test, by way of `folder`, and what this test has."""
    folder.mkdir()
    if EXECUTABLE:
        (folder / "edgeclients").symlink_to(EXECUTABLE)
    return os.pathsep.join([str(folder), sysconfig.get_path("scripts"), os.environ["PATH"]])


def environment_in(folder: Path) -> None:
    """Make `folder` a virtual environment that has all of this one. What is installed there changes this one in nothing."""
    venv.create(folder, with_pip=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    (site / "outer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    for program in Path(sysconfig.get_path("scripts")).iterdir():
        copy = folder / "bin" / program.name
        if not copy.exists():
            _adopt(program, copy)


def _adopt(program: Path, copy: Path) -> None:
    """Have a program in another environment: a script runs there, and all else is the same file."""
    ours, text = f"#!{sys.executable}\n".encode(), program.read_bytes()
    if text.startswith(ours):
        copy.write_bytes(text.replace(ours, f"#!{copy.with_name('python')}\n".encode(), 1))
        copy.chmod(0o755)
    else:
        copy.symlink_to(program)


@contextlib.contextmanager
def serving(newcomer: Newcomer, command: str) -> Iterator[Newcomer]:
    """Somebody who has typed `command`, which serves until the end of the block, or until it is stopped."""
    with ports():
        try:
            newcomer.serve(command)
            yield newcomer
        finally:
            newcomer.stop()


@contextlib.contextmanager
def ports() -> Iterator[None]:
    """The ports that the pages print are ours meanwhile: other processes of this suite wait."""
    with Path(tempfile.gettempdir(), f"edgeclients-ports-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wait_until(lambda: not _answers(), "the ports of the pages: somebody else is there")
        yield


def _answers() -> bool:
    try:
        return asking.get(_HEALTH).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
