"""`edgeclients …` run to its end."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.support.service import START_SECONDS, environment


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line it gave as its reason."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self
        assert "Traceback" not in self.out, self
        return lines[0]


def run(*arguments: str, data: Path, env: Mapping[str, str] = {}) -> Ended:
    """`edgeclients` with these arguments; an empty value in `env` takes a variable away."""
    wanted = {name: value for name, value in environment(data, env).items() if value}
    ended = subprocess.run(
        [sys.executable, "-m", "edgeclients", *arguments],
        env=wanted,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def refused(data: Path, env: Mapping[str, str] = {}) -> Ended:
    """A `serve` that must not start."""
    ended = run("serve", data=data, env=env)
    assert ended.code != 0, ended
    return ended


AS_ROOT = os.geteuid() == 0
