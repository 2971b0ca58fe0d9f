"""The files of systemd/, as systemd's own programs see them: .ci/check_systemd runs this."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.pages import in_language

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "systemd"
UNIT = "edgeclients.service"
HOST_UNITS = Path("/usr/lib/systemd/system")
MOST_EXPOSURE = 15  # tenths, of 10.0
PAGE = (FOLDER / "README.md").read_text()
DROP_INS = in_language("systemd/README.md", "ini")
NEWER = {"RestartSteps": 254}  # a key, and the version that knows it first


def _run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _version() -> int:
    return int(_run("systemd-analyze", "--version").stdout.split()[1])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root directory in which the unit is installed, as systemd/README.md says."""
    shutil.copytree(HOST_UNITS, tmp_path / "usr/lib/systemd/system", symlinks=True)
    shutil.copy(FOLDER / UNIT, tmp_path / "usr/lib/systemd/system")
    for program in ("usr/bin/edgeclients", "bin/sh"):
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return tmp_path


def _assert_verified(root: Path) -> None:
    done = _run("systemd-analyze", "verify", "--man=no", f"--root={root}", UNIT)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_unit_has_no_fault(root: Path) -> None:
    _assert_verified(root)


@pytest.mark.parametrize("drop_in", DROP_INS, ids=lambda text: text.splitlines()[-1])
def test_a_drop_in_of_the_page_has_no_fault(root: Path, drop_in: str) -> None:
    folder = root / f"etc/systemd/system/{UNIT}.d"
    folder.mkdir(parents=True)
    (folder / "override.conf").write_text(drop_in)
    if all(_version() >= version for key, version in NEWER.items() if key in drop_in):
        _assert_verified(root)
    else:
        assert "Unknown key" in _run("systemd-analyze", "verify", "--man=no", f"--root={root}", UNIT).stderr


def test_a_fault_would_be_found(root: Path) -> None:
    (root / "usr/bin/edgeclients").unlink()
    assert _run("systemd-analyze", "verify", "--man=no", f"--root={root}", UNIT).returncode != 0


def test_little_is_exposed() -> None:
    command = ("systemd-analyze", "security", "--no-pager", "--offline=true")
    done = _run(*command, f"--threshold={MOST_EXPOSURE}", FOLDER / UNIT)
    assert done.returncode == 0, done.stdout[-500:]
    (exposure,) = re.findall(r"exposure level for \S+: (\d+\.\d)", done.stdout)
    assert f"its result is {exposure} " in PAGE
    assert _run(*command, "--threshold=5", FOLDER / UNIT).returncode != 0, "it is judged"


def test_the_user_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done = _run("systemd-sysusers", f"--root={tmp_path}", FOLDER / "edgeclients.sysusers")
    assert done.returncode == 0, done.stderr
    (line,) = (tmp_path / "etc/passwd").read_text().splitlines()
    name, _, user, _, _, home, shell = line.split(":")
    assert (name, home, Path(shell).name) == ("edgeclients", "/var/lib/edgeclients", "nologin")
    assert 0 < int(user) < 1000
