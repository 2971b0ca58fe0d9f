"""What the checks of a release share: the release itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def checkout(folder: Path) -> Path:
    """A clean checkout of the last commit."""
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    return folder


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `EDGECLIENTS_ARTEFACTS` names, made by `packaging/release`; else one made now for this machine alone."""
    named = os.environ.get("EDGECLIENTS_ARTEFACTS")
    if named:
        return Path(named)
    folder = tmp_path_factory.mktemp("artefacts")
    subprocess.run([sys.executable, ROOT / "packaging" / "build", "--output", folder], check=True)
    return folder
