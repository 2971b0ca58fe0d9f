"""Machines that boot: a root directory with systemd, run by systemd-nspawn."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.booted import recording

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ("systemd", "systemd-sysv", "dbus", "python3", "xz-utils")  # packages that a machine needs

_BOOT_SECONDS = 1200
_END_SECONDS = 60
_WITH_US = ("setpriv", "--pdeathsig", "TERM")  # the machine is powered off when the test ends, however it ends
_OPTIONS = ("--boot", "--private-network", "--register=no", "--keep-unit")
_CHECKS = "/checks"  # where the machine sees the shared folder
_PACKAGES = ("systemd-container", "libsystemd-shared")
_GROUPS = ("payload", "supervisor")
_CODE = ("__init__.py", "support/__init__.py", "support/waiting.py", "support/http2.py", "support/booted")
_HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
_UNIT = f"""[Unit]
Description=the checks of this boot
After=dbus.service
SuccessAction=poweroff
FailureAction=poweroff

[Service]
Type=oneshot
WorkingDirectory={_CHECKS}
Environment=PYTHONDONTWRITEBYTECODE=1
ExecStart=/usr/bin/python3 -m tests.support.booted {_CHECKS}
"""


@dataclass(frozen=True)
class Boot:
    """What was seen in a boot."""

    steps: Mapping[str, Mapping[str, Any]]
    journal: str
    console: str

    def __getitem__(self, step: str) -> Any:
        """The facts that a step saw.

        Raises:
            AssertionError: the step failed, or was not reached.
        """
        assert step in self.steps, f"the boot did not get to {step!r}; the console says:\n{self.console}"
        found = self.steps[step]
        assert "facts" in found, f"{step!r} failed in the machine:\n{found['error']}"
        return found["facts"]


class Program(NamedTuple):
    """systemd-nspawn, and the environment that it needs."""

    path: str
    env: Mapping[str, str]


class Machine:
    """A machine that can be booted several times.

    Args:
        program: systemd-nspawn.
        root: its root directory, with Debian and `INCLUDE`.
        shared: a folder that it shares with the test.
    """

    def __init__(self, program: Program, root: Path, shared: Path) -> None:
        self._program = program
        self._root = root
        self.shared = shared
        _copy_code(shared)
        _prepare(root)

    def boot(self, plan: Mapping[str, Any], *options: str) -> Boot:
        """Boot it, take the steps of the plan's phase, and power it off.

        Args:
            plan: the arguments of `booted.machine.Plan`.
            options: more options of systemd-nspawn.
        """
        for name in (recording.RECORD, "journal"):
            (self.shared / name).unlink(missing_ok=True)
        (self.shared / "plan.json").write_text(json.dumps(plan))
        console = self._run(options)
        journal = self.shared / "journal"
        return Boot(recording.read(self.shared / recording.RECORD), journal.read_text() if journal.exists() else "", console)

    def ran(self) -> list[str]:
        """The page's blocks that were run so far: heading and number."""
        return (self.shared / "ran").read_text().splitlines()

    def _run(self, options: Sequence[str]) -> str:
        """What the console shows from the boot until the machine is off."""
        command = [
            *_WITH_US,
            self._program.path,
            f"--directory={self._root}",
            f"--bind={self.shared}:{_CHECKS}",
            *_OPTIONS,
            *options,
        ]
        console = self.shared / "console"
        with (
            console.open("wb") as output,
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=self._program.env
            ) as process,
        ):
            try:
                process.wait(timeout=_BOOT_SECONDS)
            except subprocess.TimeoutExpired:
                pass  # the record shows how far it got
            finally:
                _end(process)
                _remove_groups()
        return console.read_text(errors="replace")


def program(folder: Path) -> Program:
    """systemd-nspawn: the installed one, or that of Debian's packages, unpacked in `folder`."""
    installed = shutil.which("systemd-nspawn")
    if installed:
        return Program(installed, dict(os.environ))
    download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *_PACKAGES]
    subprocess.run(download, cwd=folder, check=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "--extract", package, folder], check=True)
    (library,) = folder.glob("usr/lib/*/systemd/libsystemd-shared-*.so")
    return Program(str(folder / "usr/bin/systemd-nspawn"), {**os.environ, "LD_LIBRARY_PATH": str(library.parent)})


def _copy_code(shared: Path) -> None:
    """What the machine runs, in the packages from which it imports."""
    for name in _CODE:
        source, target = ROOT / "tests" / name, shared / "tests" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def _prepare(root: Path) -> None:
    """Make a machine of a root directory: it knows itself, and takes the steps at each boot."""
    (root / _CHECKS.lstrip("/")).mkdir()
    (root / "etc/hosts").write_text(_HOSTS)
    units = root / "etc/systemd/system"
    (units / "checks.service").write_text(_UNIT)
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    (units / "multi-user.target.wants/checks.service").symlink_to("../checks.service")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a machine that did not power off by itself."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _remove_groups() -> None:
    """Remove the control groups that systemd-nspawn leaves behind where no systemd manages this machine."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, name, path = line.split(":", 2)
        hierarchy = {"name=systemd": "systemd", "": "unified"}.get(name)
        if hierarchy is None:
            continue
        for group in _GROUPS:
            top = Path("/sys/fs/cgroup", hierarchy, path.lstrip("/"), group)
            for folder in sorted((found for found in top.rglob("*") if found.is_dir()), reverse=True):
                _remove(folder)
            _remove(top)


def _remove(group: Path) -> None:
    with contextlib.suppress(OSError):  # it is not there, or somebody else's machine is in it
        group.rmdir()
