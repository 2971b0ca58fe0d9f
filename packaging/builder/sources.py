"""What the repository says of itself: version, and when it was last changed."""

import os
import re
import subprocess
from pathlib import Path

from builder.commands import run
from builder.problem import Problem

REPOSITORY = Path(__file__).resolve().parents[2]
_BEFORE_ZIP = 315532800  # 1980-01-01: archives of Python cannot hold anything older


def version() -> str:
    """The version in `edgeclients/__init__.py`.

    Raises:
        Problem: there is none.
    """
    file = REPOSITORY / "edgeclients" / "__init__.py"
    said = re.search(r'^__version__ = "([^"]+)"$', file.read_text(), re.MULTILINE)
    if not said:
        raise Problem(f"{file} names no version")
    return said[1]


def moment() -> int:
    """Seconds since 1970: when the last commit was made, which becomes the time of all files. Fixed where there is no git."""
    return int(_last_commit("%ct") or _BEFORE_ZIP)


def commit() -> str:
    """The first eight digits of the last commit's hash; `ffffffff` where there is no git."""
    return _last_commit("%H")[:8] or "ffffffff"


def _last_commit(what: str) -> str:
    try:
        asked = ["git", "-C", str(REPOSITORY), "log", "-1", f"--format={what}"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def wheel(python: Path, folder: Path) -> Path:
    """The wheel of the repository, built by `python`'s hatchling in `folder`."""
    return _built(python, "wheel", folder)


def sdist(python: Path, folder: Path) -> Path:
    """The sources of the repository as an archive, built by `python`'s hatchling in `folder`."""
    return _built(python, "sdist", folder)


def _built(python: Path, target: str, folder: Path) -> Path:
    hatchling: list[str | Path] = [python, "-m", "hatchling", "build", "--target", target, "--directory", folder]
    run(hatchling, f"the {target} cannot be built", {**os.environ, "SOURCE_DATE_EPOCH": str(moment())}, REPOSITORY)
    (built,) = folder.iterdir()
    return built
