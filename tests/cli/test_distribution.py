"""What is built and published: the wheel with what an installation needs, and the sources, which make the same wheel."""

import os
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from edgeclients import __version__

pytestmark = pytest.mark.source_only("it installs or builds the sources")

ROOT = Path(__file__).resolve().parents[2]
METADATA = f"edgeclients-{__version__}.dist-info"
LICENCE = f"{METADATA}/licenses/packaging/LICENSE"


def build(source: Path, folder: Path, kind: str) -> Path:
    """A distribution of the sources, built without the network."""
    program = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
    done = subprocess.run(program, cwd=source, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.iterdir()
    return built


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What is in the wheel, by path."""
    return contents(build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel"))


def test_the_wheel_has_its_licence(wheel: dict[str, bytes]) -> None:
    metadata = message_from_bytes(wheel[f"{METADATA}/METADATA"])
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["packaging/LICENSE"]
    assert wheel[LICENCE] == (ROOT / "packaging" / "LICENSE").read_bytes()


def test_the_wheel_says_that_it_is_typed(wheel: dict[str, bytes]) -> None:
    assert wheel["edgeclients/py.typed"] == b""


def test_the_wheel_has_what_the_program_reads(wheel: dict[str, bytes]) -> None:
    read = [*(ROOT / "schema").rglob("*.sql"), ROOT / "schema" / "openapi.json"]
    assert {f"edgeclients/{path.relative_to(ROOT)}" for path in read} <= wheel.keys()
    assets = {str(path.relative_to(ROOT)) for path in (ROOT / "edgeclients" / "http" / "assets").iterdir()}
    assert assets
    assert assets <= wheel.keys()


def test_the_wheel_has_nothing_else(wheel: dict[str, bytes]) -> None:
    assert {name.partition("/")[0] for name in wheel} == {"edgeclients", METADATA}
    assert not [name for name in wheel if "__pycache__" in name]


def test_the_sources_make_the_same_wheel(wheel: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "sdist").mkdir()
    with tarfile.open(build(ROOT, tmp_path / "sdist", "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("edgeclients-*")
    (tmp_path / "wheel").mkdir()
    assert contents(build(source, tmp_path / "wheel", "wheel")) == wheel
    assert (source / "packaging" / "LICENSE").is_file()
    assert (source / ".justfile").is_file()
