"""The files of systemd/, as systemd's own programs see them: .ci/check_systemd runs this."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.pages import in_language

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "systemd"
UNIT, BACKUP, TIMER = "edgeclients.service", "edgeclients-backup.service", "edgeclients-backup.timer"
UNITS = (UNIT, BACKUP, TIMER)
HOST_UNITS = Path("/usr/lib/systemd/system")
MOST_EXPOSURE = {UNIT: 15, BACKUP: 5}  # tenths, of 10.0
PAGE = (FOLDER / "README.md").read_text()
OF_BACKUPS = in_language("systemd/README.md", "ini", "Daily backups")
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
    for unit in UNITS:
        shutil.copy(FOLDER / unit, tmp_path / "usr/lib/systemd/system")
    for program in ("usr/bin/edgeclients", "bin/sh"):
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return tmp_path


def _assert_verified(root: Path, *units: str) -> None:
    done = _run("systemd-analyze", "verify", "--man=no", f"--root={root}", *units)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_units_have_no_fault(root: Path) -> None:
    _assert_verified(root, *UNITS)


@pytest.mark.parametrize("drop_in", DROP_INS, ids=lambda text: text.splitlines()[-1])
def test_a_drop_in_of_the_page_has_no_fault(root: Path, drop_in: str) -> None:
    unit = BACKUP if drop_in in OF_BACKUPS else UNIT
    folder = root / f"etc/systemd/system/{unit}.d"
    folder.mkdir(parents=True)
    (folder / "override.conf").write_text(drop_in)
    if all(_version() >= version for key, version in NEWER.items() if key in drop_in):
        _assert_verified(root, unit)
    else:
        assert "Unknown key" in _run("systemd-analyze", "verify", "--man=no", f"--root={root}", unit).stderr


def test_a_fault_would_be_found(root: Path) -> None:
    (root / "usr/bin/edgeclients").unlink()
    for unit in (UNIT, BACKUP):
        assert _run("systemd-analyze", "verify", "--man=no", f"--root={root}", unit).returncode != 0


@pytest.mark.parametrize(("unit", "most"), MOST_EXPOSURE.items())
def test_little_is_exposed(unit: str, most: int) -> None:
    command = ("systemd-analyze", "security", "--no-pager", "--offline=true")
    done = _run(*command, f"--threshold={most}", FOLDER / unit)
    assert done.returncode == 0, done.stdout[-500:]
    (exposure,) = re.findall(r"exposure level for \S+: (\d+\.\d)", done.stdout)
    assert re.search(rf"[Ii]ts result is {exposure}[ .]", PAGE)
    assert _run(*command, f"--threshold={most // 3}", FOLDER / unit).returncode != 0, "it is judged"


def test_a_night_is_not_left_out() -> None:
    times = re.findall(r"^OnCalendar=(.+)$", (FOLDER / TIMER).read_text(), re.MULTILINE)
    done = _run("systemd-analyze", "calendar", "--iterations=2", *times)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"(?:Next elapse|Iter. #2): \w+ (\S+) 03:30:00", done.stdout)
    assert len(found) == 2


def test_both_units_have_the_same_data_directory_user_and_settings() -> None:
    keys = r"^(User|Group|StateDirectory\w*|UMask|EnvironmentFile|LoadCredential)=.*$"
    service, backup = (
        [line[0] for line in re.finditer(keys, (FOLDER / unit).read_text(), re.MULTILINE)] for unit in (UNIT, BACKUP)
    )
    assert service == backup != []


def test_the_folder_of_the_backups_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    assert _run("systemd-sysusers", f"--root={tmp_path}", FOLDER / "edgeclients.sysusers").returncode == 0
    done = _run("systemd-tmpfiles", "--create", f"--root={tmp_path}", FOLDER / "edgeclients.tmpfiles")
    assert done.returncode == 0, done.stderr
    folder = (tmp_path / "var/backups/edgeclients").stat()
    (line,) = (tmp_path / "etc/passwd").read_text().splitlines()
    assert (folder.st_mode & 0o7777, str(folder.st_uid)) == (0o700, line.split(":")[2])
    unit = (FOLDER / BACKUP).read_text()
    assert "\nReadWritePaths=/var/backups/edgeclients\n" in unit
    assert " backup /var/backups/edgeclients " in unit


def test_the_user_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done = _run("systemd-sysusers", f"--root={tmp_path}", FOLDER / "edgeclients.sysusers")
    assert done.returncode == 0, done.stderr
    (line,) = (tmp_path / "etc/passwd").read_text().splitlines()
    name, _, user, _, _, home, shell = line.split(":")
    assert (name, home, Path(shell).name) == ("edgeclients", "/var/lib/edgeclients", "nologin")
    assert 0 < int(user) < 1000
