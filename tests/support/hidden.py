"""A program that only root can read: what is imported from it after root's rights are given up cannot be."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.commands import Ended
from tests.support.elsewhere import ROOT
from tests.support.program import EXECUTABLE, copied
from tests.support.service import START_SECONDS, environment
from tests.support.users import NOBODY


class Hidden(NamedTuple):
    """A data directory that belongs to a user without rights, and a folder through which root alone finds the program."""

    data: Path
    folder: Path
    program: Sequence[str]
    env: Mapping[str, str]

    @classmethod
    def made(cls, folder: Path, data: Path) -> "Hidden":
        """For `data`, which is that user's from here on, with everything in it."""
        for path in (data, *data.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        folder.mkdir(mode=0o700)
        if EXECUTABLE:
            return cls(data, folder, (str(copied(folder / "program")),), {})
        return cls(data, folder, *_python_through(folder))

    def run(self, *arguments: str, env: Mapping[str, str] = {}) -> Ended:
        """`edgeclients` with these arguments, as root."""
        ended = subprocess.run(
            [*self.program, *arguments],
            env={**environment(self.data, env), **self.env},
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            timeout=START_SECONDS,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)


def _python_through(folder: Path) -> tuple[Sequence[str], Mapping[str, str]]:
    """The program of the sources, and what it is told: everything is imported through the folder."""
    packages = [entry for entry in sys.path if entry.endswith("site-packages")]
    links = {"home": sys.base_prefix, "source": str(ROOT)} | {f"packages{n}": entry for n, entry in enumerate(packages)}
    for name, target in links.items():
        (folder / name).symlink_to(target)
    python = folder / "home" / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    env = {
        "PYTHONHOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join(str(folder / name) for name in links if name != "home"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return (str(python), "-m", "edgeclients"), env
