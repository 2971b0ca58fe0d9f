"""The suites against what packaging/build has made: the bundle that is a folder, and the one file."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edgeclients import __version__
from tests.ship.conftest import ROOT
from tests.support.program import run_tests, unpacked

sys.path.insert(0, str(ROOT / "packaging"))

from builder.architecture import native

SUITES = [f"tests/{name}" for name in ("http", "rpc", "auth", "cloud", "events", "tracing", "cli", "faults")]
SUITES.append("tests/cli/executable.py")

# Each start of the one file unpacks it, and what is started only waits for the service: tests that look into the process they
# have started, or kill it, are about the folder.
ONE_FILE = ["tests/http", "tests/rpc", "tests/cli/test_commands.py", "tests/cli/executable.py::test_it_serves_wherever_it_is"]

pytestmark = pytest.mark.timeout(0)  # each test of the suites has its own


@pytest.fixture(scope="module")
def one_file(artefacts: Path) -> Path:
    """The executable that is one file."""
    return artefacts / f"edgeclients-{__version__}-linux-{native().name}"


@pytest.fixture(scope="module")
def one_folder(one_file: Path) -> Iterator[Path]:
    """The executable in the bundle, unpacked where every user can run it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield unpacked(one_file.with_name(f"{one_file.name}.tar.xz"), Path(folder)) / "edgeclients"


def run_suites(program: Path, arguments: Sequence[str]) -> str:
    """The last line of pytest, when all has passed."""
    done = run_tests(program, arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()[-1]


def test_the_folder(one_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    last = run_suites(one_folder, SUITES)
    with capfd.disabled():
        print(f"\n{one_folder.parent.name}/: {last}")


def test_the_one_file(one_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    last = run_suites(one_file, ONE_FILE)
    with capfd.disabled():
        print(f"\n{one_file.name}: {last}")
