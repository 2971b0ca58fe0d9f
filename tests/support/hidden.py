"""A Python that only root can read: what is imported from it after root's rights are given up cannot be."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.support.commands import Ended
from tests.support.elsewhere import NOBODY, ROOT
from tests.support.service import START_SECONDS, environment


class Hidden(NamedTuple):
    """A data directory that belongs to a user without rights, and a folder through which root alone finds Python."""

    data: Path
    folder: Path

    @classmethod
    def made(cls, folder: Path, data: Path) -> "Hidden":
        """For `data`, which is that user's from here on, with everything in it."""
        for path in (data, *data.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        folder.mkdir(mode=0o700)
        (folder / "home").symlink_to(sys.base_prefix)
        (folder / "source").symlink_to(ROOT)
        for number, packages in enumerate(entry for entry in sys.path if entry.endswith("site-packages")):
            (folder / f"packages{number}").symlink_to(packages)
        return cls(data, folder)

    def run(self, *arguments: str, env: Mapping[str, str] = {}) -> Ended:
        """`edgeclients` with these arguments, as root."""
        path = [self.folder / "source", *sorted(self.folder.glob("packages*"))]
        python = self.folder / "home" / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
        told = {
            **environment(self.data, env),
            "PYTHONHOME": str(self.folder / "home"),
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        ended = subprocess.run(
            [python, "-m", "edgeclients", *arguments],
            env=told,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            timeout=START_SECONDS,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)
