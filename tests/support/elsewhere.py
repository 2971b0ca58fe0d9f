"""A data directory that is somebody else's, as root sees it."""

import contextlib
import functools
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.commands import Ended
from tests.support.program import EXECUTABLE, copied
from tests.support.service import Service, environment
from tests.support.users import NOBODY, as_user

ROOT = Path(__file__).resolve().parents[2]


class Elsewhere(NamedTuple):
    """A data directory that belongs to a user without rights, and an `edgeclients` that this user can run."""

    data: Path
    program: Sequence[str]

    def environment(self, env: Mapping[str, str] = {}) -> dict[str, str]:
        """What a process there is told."""
        path = os.pathsep.join([str(ROOT), *(entry for entry in sys.path if entry.endswith("site-packages"))])
        return {**environment(self.data, env), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, *arguments: str, env: Mapping[str, str] = {}, user: int = 0) -> Ended:
        """`edgeclients` with these arguments, as root or another user without rights."""
        command = [*self.program, *arguments]
        ended = subprocess.run(
            as_user(user, command) if user else command,
            env=self.environment(env),
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def done(self, *arguments: str, env: Mapping[str, str] = {}) -> str:
        """What it printed, when it did what it was told."""
        ended = self.run(*arguments, env=env)
        assert (ended.code, ended.err) == (0, ""), ended
        return ended.out.strip()

    @contextlib.contextmanager
    def started(self) -> Iterator[Service]:
        """The service, as that user."""
        process = subprocess.Popen(
            as_user(NOBODY, [*self.program, "serve"]),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
        )
        service = Service(process, self.data)
        try:
            yield service.wait_ready()
        finally:
            if process.poll() is None:
                service.stop()

    def assert_all_theirs(self) -> None:
        """Every file is that user's, and for nobody else to read."""
        found = {path.name: path.lstat() for path in self.data.iterdir()}
        assert {name: (one.st_uid, one.st_gid, stat.S_IMODE(one.st_mode)) for name, one in found.items()} == dict.fromkeys(
            found, (NOBODY, NOBODY, 0o600)
        )


@contextlib.contextmanager
def program_for_everybody() -> Iterator[Sequence[str]]:
    """What a user without rights can run; nothing if there is no such program."""
    if not EXECUTABLE:
        python = _python_for_everybody()
        yield (python, "-m", "edgeclients") if python else ()
        return
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield (str(copied(Path(folder) / "program")),)


@functools.cache
def _python_for_everybody() -> str:
    """An interpreter that a user without rights can run with what is installed here; "" if there is none."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, shutil.which(version, path="/usr/local/bin:/usr/bin")):
        if not python:
            continue
        probe = as_user(NOBODY, [python, "-c", "import edgeclients.cli.serve"])
        env = Elsewhere(Path("/"), ()).environment()
        if subprocess.run(probe, env=env, cwd="/", capture_output=True, check=False).returncode == 0:
            return python
    return ""
