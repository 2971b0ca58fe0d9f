"""Every command with standard input, output or error closed, in every combination, as supervisors and `cron` have it."""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from edgeclients import __version__
from tests.support.service import START_SECONDS, Service, environment, started
from tests.support.waiting import wait_until

COMBINATIONS = [closed for count in (1, 2, 3) for closed in itertools.combinations((0, 1, 2), count)]
AS_MODULE = (sys.executable, "-m", "edgeclients")
AS_SCRIPT = (str(Path(sys.executable).with_name("edgeclients")),)


class Ended(NamedTuple):
    closed: tuple[int, ...]
    code: int
    out: str
    err: str


def closing(closed: Sequence[int], command: Sequence[str]) -> list[str]:
    """`command` as the shell starts it with these descriptors closed."""
    return ["sh", "-c", 'exec "$@" ' + " ".join(f"{number}>&-" for number in closed), "sh", *command]


def run_closed(closed: tuple[int, ...], command: Sequence[str], env: Mapping[str, str]) -> Ended:
    done = subprocess.run(
        closing(closed, command), env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_SECONDS
    )
    return Ended(closed, done.returncode, done.stdout, done.stderr)


def in_every_combination(command: Sequence[str], env: Mapping[str, str]) -> list[Ended]:
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(lambda closed: run_closed(closed, command, env), COMBINATIONS))


@pytest.mark.parametrize("program", [AS_MODULE, AS_SCRIPT], ids=["module", "script"])
def test_version(program: tuple[str, ...], tmp_path: Path) -> None:
    for ended in in_every_combination([*program, "version"], environment(tmp_path)):
        assert ended.err == "", ended
        assert ended.out == ("" if 1 in ended.closed else f"{__version__}\n"), ended
