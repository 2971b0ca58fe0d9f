"""The environment with the programs that build: hatchling, PyInstaller, CycloneDX."""

import sys
import venv
from pathlib import Path

from builder import pip
from builder.freeze import TOOLS
from builder.problem import Problem

_OLDEST_PYTHON = (3, 11)


def environment(folder: Path) -> Path:
    """The Python of a new environment in `folder`, with exactly what the lock file of the tools names.

    Raises:
        Problem: this Python is too old, cannot make environments, or pip fails.
    """
    if sys.version_info < _OLDEST_PYTHON:
        raise Problem(f"this is Python {sys.version.split()[0]}: run the script with Python 3.11 or newer")
    try:
        venv.create(folder, with_pip=True, symlinks=True)
    except Exception as error:  # noqa: BLE001 - ensurepip raises what it likes
        raise Problem(f"a virtual environment cannot be made ({error}): install Debian's package python3-venv") from None
    python = folder / "bin" / "python"
    pip.install(python, ["--require-hashes", "--only-binary=:all:", "--requirement", TOOLS])
    return python
