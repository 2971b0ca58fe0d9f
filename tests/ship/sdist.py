"""The sources as they are published: the suite runs from them, in an environment of its own."""

import os
import re
import subprocess
import tarfile
import venv
from pathlib import Path

from edgeclients import __version__

NAME = f"edgeclients-{__version__}"


def test_the_suite_passes(artefacts: Path, tmp_path: Path) -> None:
    with tarfile.open(artefacts / f"{NAME}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    sources = tmp_path / NAME
    venv.create(sources / ".venv", with_pip=True, symlinks=True)
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "EDGECLIENTS", "MG_"))}
    test = '.venv/bin/pip install --quiet -e ".[test]" && .venv/bin/pytest -q'
    done = subprocess.run(["bash", "-c", test], cwd=sources, env=outside, capture_output=True, text=True, check=False)
    print(done.stdout[-2000:])
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+ passed", done.stdout)
