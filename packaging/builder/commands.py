"""Runs programs, and turns their failures into one line."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from builder.problem import Problem


def run(command: Sequence[str | Path], what: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """What `command` prints on both outputs.

    Raises:
        Problem: it ended with another code than 0. The line has `what` and the last line that looks like a reason.
    """
    done = subprocess.run(
        [*map(str, command)], env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise Problem(f"{what}: {reason(done.stdout)}")
    return done.stdout


def need_program(name: str, package: str) -> str:
    """The path of a program.

    Raises:
        Problem: it is not there. The line names Debian's `package`.
    """
    found = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if not found:
        raise Problem(f"the program {name} is needed: install Debian's package {package}")
    return found


def reason(output: str) -> str:
    """The line of `output` that says most likely why a program failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "e:", "fatal"))]
    return (errors or lines or ["it printed nothing"])[-1]
