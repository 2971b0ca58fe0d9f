"""Labels are files with secrets: complete or not there, wherever the command ends, and however large what it is given."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from edgeclients.labels.source import MOST
from tests.support import disks
from tests.support.labels import client, clients, files, texts, write_secrets
from tests.support.memory import measured
from tests.support.program import PROGRAM
from tests.support.service import AS_INSTALLED, environment
from tests.support.waiting import PATIENCE, wait_until

MANY: Final = 3_000  # labels: they take so long that the command is in the middle of it when it is looked at
SMALL: Final = ("--sheet", "label-62x29")  # many pages of few labels

# At each renaming, of which there is one for each file, the process ends as by a power cut.
_KILLED_AT: Final = """
import os, signal, sys
from edgeclients.cli.main import main

left = int(sys.argv.pop(1))
def at(event, _):
    global left
    if event == "os.rename":
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(at)
sys.exit(main())
"""


@pytest.fixture(autouse=True)
def _signals_end_commands() -> Iterator[None]:
    """A program that is started in the background inherits that these signals are ignored."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGHUP, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def command(secrets: Path, out: Path, *options: str) -> list[str]:
    return [*PROGRAM, "labels", str(secrets), "--out", str(out), *options]


def begun(folder: Path) -> bool:
    """Whether the command has begun to draw, beside its output."""
    return any(path.is_dir() for path in folder.iterdir())


def first_page(folder: Path) -> bool:
    """Whether it has written a page."""
    return any(path.is_file() for path in folder.glob(".labels.*/*"))


@pytest.mark.parametrize(("name", "is_far"), [("out.pdf", begun), ("out.png", first_page)])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_command_that_is_ended_leaves_no_part(
    tmp_path: Path, name: str, is_far: Callable[[Path], bool], number: signal.Signals
) -> None:
    """One that can notice it leaves nothing at all; after any, the command works."""
    secrets = write_secrets(tmp_path / "secrets.csv", clients(MANY))
    out = tmp_path / "sheets" / name
    out.parent.mkdir()
    with subprocess.Popen(command(secrets, out, *SMALL), stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: is_far(out.parent), "the command to draw")
        process.send_signal(number)
        assert process.wait(PATIENCE) == (-number if number == signal.SIGKILL else 130)
        assert process.stderr
        assert process.stderr.read() == ("" if number == signal.SIGKILL else "edgeclients: interrupted\n")
    left = list(out.parent.iterdir())
    assert all(path.is_dir() and path.name.startswith(".labels.") for path in left)
    assert {path.stat().st_mode & 0o777 for path in left} <= {0o700}
    assert left == [] or number == signal.SIGKILL
    write_secrets(secrets, clients(2))
    subprocess.run(command(secrets, out, *SMALL), check=True, capture_output=True)
    assert len(texts(out)) == 2


@pytest.mark.source_only("it looks into the program while that runs")
def test_the_first_page_is_there_when_all_are(tmp_path: Path) -> None:
    """A process that is killed between two pages leaves whole ones, and never the one whose name was asked for."""
    lines = clients(3)
    secrets = write_secrets(tmp_path / "secrets.csv", lines)
    for renamed in range(len(lines)):
        out = tmp_path / str(renamed) / "out.png"
        out.parent.mkdir()
        program = [sys.executable, "-c", _KILLED_AT, str(renamed), "labels", str(secrets), "--out", str(out), *SMALL]
        assert subprocess.run(program, check=False, capture_output=True).returncode == -signal.SIGKILL
        assert {path.name for path in out.parent.glob("*.png")} == {f"out-{3 - number}.png" for number in range(renamed)}
        for page in out.parent.glob("*.png"):
            assert json.loads(texts(page)[0])["id"] in {line["id"] for line in lines}
    whole = tmp_path / "whole.png"
    subprocess.run(command(secrets, whole, *SMALL), check=True, capture_output=True)
    assert len(files(whole)) == 3


@pytest.mark.skipif(disks.WAY is None, reason="this machine lets nobody mount a disk for himself")
@pytest.mark.parametrize("name", ["out.pdf", "out.png"])
@pytest.mark.parametrize(
    ("options", "line"),
    [
        pytest.param("size=64k", "(No space left on device): free space on its disk", id="full"),
        pytest.param("size=64k,nr_inodes=2", "(No space left on device): free space on its disk", id="no more files"),
        pytest.param("ro", "(Read-only file system): mount its disk for writing", id="read-only"),
    ],
)
def test_a_disk_that_takes_nothing(tmp_path: Path, name: str, options: str, line: str) -> None:
    secrets = write_secrets(tmp_path / "secrets.csv", clients(100))
    out = tmp_path / "disk" / name
    ended = disks.run_on_disk(out.parent, options, command(secrets, out))
    assert (ended.returncode, ended.stdout) == (1, ""), ended
    assert ended.stderr == f"edgeclients: {out} cannot be written {line}\n"


def many_lines(path: Path) -> None:
    write_secrets(path, clients(100_000))


def a_long_line(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"id,secret\n")
        file.truncate(2**30)  # takes no space on the disk


def large_clients(path: Path) -> None:
    """The largest that are read."""
    write_secrets(path, [client(name="n" * 16_000) for _ in range(MOST + 1)])


@pytest.mark.parametrize(
    ("write", "line"),
    [
        (many_lines, "it has more than 10,000 clients"),
        (a_long_line, "line 2: it is longer than 16 KiB"),
        (large_clients, "it has more than 10,000 clients"),
    ],
)
def test_a_large_file_takes_no_more_memory(tmp_path: Path, write: Callable[[Path], None], line: str) -> None:
    """160 MB for the largest clients, and what the libraries of drawing take."""
    secrets = tmp_path / "secrets.csv"
    write(secrets)
    env = environment(tmp_path / "none", AS_INSTALLED)
    ended = measured(command(secrets, tmp_path / "out.pdf"), env)
    assert ended.code == 1
    assert line in ended.err
    assert ended.most < 350_000_000
