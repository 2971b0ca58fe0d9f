"""How much memory a command takes, at most."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

# A small process of its own starts the command: until a child runs its program, the memory of its parent counts as its own.
_PROGRAM: Final = """
import os, subprocess, sys
_, status, used = os.wait4(subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL).pid, 0)
print(os.waitstatus_to_exitcode(status), used.ru_maxrss * 1024)
"""


class Measured(NamedTuple):
    """How a command ended, what it said, and the most bytes it had in memory."""

    code: int
    err: str
    most: int


def measured(command: Sequence[str], env: Mapping[str, str]) -> Measured:
    """Run a command to its end."""
    ended = subprocess.run([sys.executable, "-c", _PROGRAM, *command], env=env, capture_output=True, text=True, check=False)
    code, most = map(int, ended.stdout.split())
    return Measured(code, ended.stderr, most)
