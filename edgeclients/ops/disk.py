"""The bytes that the process writes to disk, because SD cards wear out, and those that are still free."""

import math
import os
from pathlib import Path

_IO = Path("/proc/self/io")
_WRITTEN = "write_bytes:"


def written_bytes() -> int:
    """The bytes written to storage by this process, as counted by the kernel; 0 if the kernel does not report them."""
    try:
        lines = _IO.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.removeprefix(_WRITTEN)) for line in lines if line.startswith(_WRITTEN)), 0)


def free_bytes(folder: Path) -> float:
    """The bytes that this process may still write to the disk with `folder`; NaN if the system does not report them."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return math.nan
    return float(disk.f_bavail * disk.f_frsize)
