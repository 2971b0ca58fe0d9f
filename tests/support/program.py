"""The program that the tests start: the sources', or the executable that EDGECLIENTS_BIN names."""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

VARIABLE: Final = "EDGECLIENTS_BIN"
EXECUTABLE: Final = Path(os.environ[VARIABLE]).absolute() if os.environ.get(VARIABLE) else None
"""What was built, if that is tested."""

PROGRAM: Final[tuple[str, ...]] = (str(EXECUTABLE),) if EXECUTABLE else (sys.executable, "-m", "edgeclients")
"""`edgeclients`; arguments follow."""

LAUNCHER: Final = PROGRAM if EXECUTABLE else (sys.executable, str(Path(__file__).parents[2] / "packaging" / "launcher.py"))
"""The same, as it begins in an executable."""

LIBRARIES: Final = "_internal"
"""The folder beside an executable that is not one file."""


def fault() -> str:
    """Why the executable cannot be tested; empty if it can."""
    if not EXECUTABLE or (os.access(EXECUTABLE, os.X_OK) and EXECUTABLE.is_file()):
        return ""
    return f"{VARIABLE}: {EXECUTABLE} is no file that can be run: name what packaging/build has made"


def is_one_file() -> bool:
    """Whether the executable unpacks itself at each start."""
    return EXECUTABLE is not None and not (EXECUTABLE.parent / LIBRARIES).is_dir()


def unpacked(archive: Path, folder: Path) -> Path:
    """The bundle in `archive`, in `folder`, where every user can run it."""
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="tar")
    return folder / archive.name.removesuffix(".tar.xz")


def run_tests(program: Path, arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """How pytest with `arguments` ended for an executable, with all that it printed."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=Path(__file__).parents[2],
        env={**os.environ, VARIABLE: str(program)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def copied(folder: Path) -> Path:
    """The executable in a copy of its bundle; the files are the same where the disk is."""
    assert EXECUTABLE
    if is_one_file():
        folder.mkdir()
        return Path(_link(str(EXECUTABLE), str(folder / EXECUTABLE.name)))
    shutil.copytree(EXECUTABLE.parent, folder, symlinks=True, copy_function=_link)
    return folder / EXECUTABLE.name


def _link(original: str, copy: str) -> str:
    try:
        os.link(original, copy)
    except OSError:  # another disk
        shutil.copy2(original, copy)
    return copy
