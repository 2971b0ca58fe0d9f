"""What a step can do in the machine: run commands, change the service's settings and unit, read its state and its log."""

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.waiting import wait_until

UNIT = "edgeclients.service"
BACKUP_UNIT, BACKUP_TIMER = "edgeclients-backup.service", "edgeclients-backup.timer"
SETTINGS = Path("/etc/default/edgeclients")
STATE = Path("/var/lib/edgeclients")
BACKUPS = Path("/var/backups/edgeclients")
SOURCES = "sources"  # a folder as the page's commands expect it

_DROP_IN = Path(f"/etc/systemd/system/{UNIT}.d/check.conf")
_SECONDS = 300  # for one command
_STATE = ("ActiveState", "SubState", "Result", "MainPID", "NRestarts", "ExecMainCode", "ExecMainStatus", "StatusText")


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    output: str


class Plan:
    """What is to be done in this boot.

    Args:
        folder: what the machine shares with the test outside.
        document: the phase, the script that installs (empty: the page's), and the page's commands and drop-ins.
    """

    def __init__(self, folder: Path, document: Mapping[str, Any]) -> None:
        self.folder = folder
        self.phase: str = document["phase"]
        self.install: str = document["install"]
        self.drop_ins: list[str] = document["drop_ins"]
        self.backup_drop_in: str = document.get("backup_drop_in", "")
        self._blocks: dict[str, list[str]] = document["blocks"]

    def block(self, heading: str, number: int = 0) -> Ended:
        """Run the commands of the page below a heading, and note that they were run."""
        text = self._blocks[heading][number]
        with (self.folder / "ran").open("a") as ran:
            ran.write(f"{heading} {number}\n")
        return self.script(text)

    def script(self, text: str) -> Ended:
        """Run shell commands until one fails, in the folder that has the sources."""
        return run("bash", "-euo", "pipefail", "-c", text, folder=self.folder / SOURCES)


def run(*command: str, folder: Path | None = None) -> Ended:
    """Run a command."""
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_SECONDS, check=False
    )
    return Ended(done.returncode, done.stdout)


def require(*command: str) -> str:
    """Run a command that must succeed; its output."""
    ended = run(*command)
    assert ended.code == 0, f"{command} ended with {ended.code}: {ended.output}"
    return ended.output


def state(*names: str, unit: str = UNIT) -> dict[str, str]:
    """Properties of the unit; by default those that say how it is."""
    lines = require("systemctl", "show", unit, f"--property={','.join(names or _STATE)}").splitlines()
    return dict(line.split("=", 1) for line in lines)


def pid() -> int:
    """The service's main process."""
    return int(state("MainPID")["MainPID"])


def is_active() -> bool:
    """Whether systemd has heard READY."""
    return state("ActiveState")["ActiveState"] == "active"


def wait_for_restart(before: Mapping[str, str]) -> None:
    """Wait until systemd has restarted the service, of which `before` was the state."""

    def restarted() -> bool:
        now = state("ActiveState", "NRestarts", "MainPID")
        return (
            now["ActiveState"] == "active" and now["NRestarts"] != before["NRestarts"] and now["MainPID"] != before["MainPID"]
        )

    wait_until(restarted, "the restart of the service")


class Log:
    """What the journal has of the unit from now on."""

    def __init__(self) -> None:
        require("journalctl", "--sync")
        # Of this unit, too: what comes next after an entry of another one would be left out.
        last = require("journalctl", "--quiet", f"--unit={UNIT}", "--lines=1", "--show-cursor")
        self._cursor = last.rpartition("-- cursor: ")[2].strip()

    def text(self) -> str:
        """All of it, of systemd and of the service."""
        return require("journalctl", "--quiet", f"--unit={UNIT}", "--output=cat", f"--after-cursor={self._cursor}")

    def wait_for(self, text: str) -> str:
        """Wait until this is in it; all of it."""
        wait_until(lambda: text in self.text(), f"{text!r} in the journal")
        return self.text()


@contextlib.contextmanager
def talkative() -> Iterator[None]:
    """The journal has the messages that systemd gets, too."""
    require("systemctl", "log-level", "debug")
    try:
        yield
    finally:
        require("systemctl", "log-level", "info")


@contextlib.contextmanager
def drop_in(text: str) -> Iterator[None]:
    """The service, restarted with a drop-in."""
    _DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    _DROP_IN.write_text(text)
    try:
        _reread()
        yield
    finally:
        _DROP_IN.unlink()
        _reread()


@contextlib.contextmanager
def settings(values: Mapping[str, str]) -> Iterator[None]:
    """More lines in the service's settings; it is not restarted."""
    before = SETTINGS.read_text() if SETTINGS.exists() else ""
    SETTINGS.write_text(before + "".join(f"\n{name}={value}" for name, value in values.items()) + "\n")
    try:
        yield
    finally:
        SETTINGS.write_text(before)


def _reread() -> None:
    require("systemctl", "daemon-reload")
    require("systemctl", "restart", UNIT)
