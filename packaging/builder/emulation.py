"""The kernel runs programs of another architecture by qemu, as long as it is needed."""

import contextlib
import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from builder.architecture import Architecture
from builder.commands import need_program, run
from builder.problem import Problem

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_LOCK = Path(tempfile.gettempdir()) / "edgeclients-emulation.lock"
_PREFIX = _MOUNTED_HERE = "edgeclients-"


@contextlib.contextmanager
def emulating(architecture: Architecture) -> Iterator[None]:
    """Programs of `architecture` run on this machine, also in containers and other roots.

    What was registered by others stays. What is registered here is taken back by the last process that uses it.

    Raises:
        Problem: qemu or the kernel's binfmt_misc is not there.
    """
    program = need_program(f"qemu-{architecture.qemu}-static", "qemu-user-static")
    with _LOCK.open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        _mount()
        if not _is_registered(architecture):
            _register(architecture, program)
        try:
            yield
        finally:
            if _is_last(users):
                _unregister()


def _is_last(users: TextIO) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _mount() -> None:
    if (_BINFMT / "register").exists():
        return
    try:
        run(["mount", "-t", "binfmt_misc", _MOUNTED_HERE, _BINFMT], "mount binfmt_misc")
    except Problem as problem:
        raise Problem(f"programs of another architecture cannot run here: {problem}") from None


def _is_registered(architecture: Architecture) -> bool:
    """Whether programs of `architecture` run, and go on doing so in another root (flag F)."""
    magic = architecture.magic[0].replace("\\x", "").replace("ELF", "454c46")
    entries = [entry.read_text() for entry in _BINFMT.iterdir() if entry.name not in {"register", "status"}]
    return any(
        entry.startswith("enabled") and f"magic {magic}" in entry and "F" in entry.partition("flags:")[2].split("\n")[0]
        for entry in entries
    )


def _register(architecture: Architecture, program: str) -> None:
    magic, mask = architecture.magic
    with contextlib.suppress(FileExistsError):  # another process was faster
        (_BINFMT / "register").write_text(f":{_PREFIX}{architecture.qemu}:M::{magic}:{mask}:{program}:OCF")


def _unregister() -> None:
    for entry in _BINFMT.glob(f"{_PREFIX}*"):
        entry.write_text("-1")
    if any(line.split()[:2] == [_MOUNTED_HERE, str(_BINFMT)] for line in Path("/proc/mounts").read_text().splitlines()):
        run(["umount", _BINFMT], "umount binfmt_misc")
