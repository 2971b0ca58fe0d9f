"""`edgeclients …` run to its end."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.program import EXECUTABLE, PROGRAM
from tests.support.service import START_SECONDS, environment

_running: "list[subprocess.Popen[str]]" = []


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


@contextlib.contextmanager
def ready_to_run() -> Iterator[None]:
    """Commands can be run meanwhile: those of the sources by `tests.support.forking`, an executable by itself."""
    if EXECUTABLE:
        yield
        return
    command = [sys.executable, "-m", "tests.support.forking"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        _running.append(process)
        try:
            yield
        finally:
            _running.remove(process)


def run(*arguments: str, data: Path, env: Mapping[str, str] = {}) -> Ended:
    """`edgeclients` with these arguments; an empty value in `env` takes a variable away."""
    wanted = {name: value for name, value in environment(data, env).items() if value}
    return _executed(arguments, wanted) if EXECUTABLE else _forked(arguments, wanted)


def _executed(arguments: Sequence[str], env: Mapping[str, str]) -> Ended:
    ended = subprocess.run(
        [*PROGRAM, *arguments],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=START_SECONDS,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def _forked(arguments: Sequence[str], env: Mapping[str, str]) -> Ended:
    process = _running[-1]
    assert process.stdin
    assert process.stdout
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        job = {"arguments": arguments, "env": dict(env), "out": str(out), "err": str(err)}
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        code = int(process.stdout.readline())
        return Ended(code, out.read_text(), err.read_text())


def refused(data: Path, env: Mapping[str, str] = {}) -> Ended:
    """A `serve` that must not start."""
    ended = run("serve", data=data, env=env)
    assert ended.code != 0, ended
    return ended
