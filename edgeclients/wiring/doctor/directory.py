"""The data directory from outside: whether it is there, who can read it, and how much room there is."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from edgeclients.ops.disk import free_bytes
from edgeclients.store.datadir import DATABASE, RESTORED
from edgeclients.wiring.doctor.check import Check

_LEAST_FREE = 256 * 1024 * 1024  # as packaging/alerts.yaml warns
_AS_OWNER = "run this as root, or as the owner of the data directory"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def exists(data: Path) -> Check:
    """Whether there is a database in it."""
    name, shown = "data_directory", data.absolute()
    try:
        if (data / RESTORED).is_dir():
            return Check.broken(name, f"a restore into {shown} lacks its last step", "start the service, which does it")
        (data / DATABASE).stat()
    except PermissionError as error:
        return Check.broken(name, f"{shown} cannot be read ({error.strerror})", _AS_OWNER)
    except OSError as error:
        return Check.broken(
            name, f"there is no data in {shown} ({error.strerror})", "start the service once, or set MG_CLIENTS_DATA_DIR"
        )
    return Check.ok(name, f"the data are in {shown}")


def permissions(data: Path) -> Check:
    """Whether its files are its owner's, and for nobody else to read."""
    try:
        faults = list(_faults(data))
    except OSError as error:
        return Check.warning("permissions", f"{data} cannot be read ({error.strerror})", _AS_OWNER)
    if not faults:
        return Check.ok("permissions", "only the owner can use the files")
    message, advice = faults[0]
    more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
    return Check.warning("permissions", message + more, advice)


def _faults(data: Path) -> Iterator[tuple[str, str]]:
    """What is wrong with a file, and what to do."""
    home = data.stat()
    if home.st_mode & _OTHERS:
        yield f"other users can use {data} (mode {stat.S_IMODE(home.st_mode):o})", f"chmod 700 {data}"
    for path in sorted(data.iterdir()):
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            continue  # a disk brings folders of root
        if (found.st_uid, found.st_gid) != (home.st_uid, home.st_gid):
            yield f"{path} does not belong to the owner of its folder", f"chown --reference {data} {path}"
        elif found.st_mode & _OTHERS:
            yield f"other users can use {path} (mode {stat.S_IMODE(found.st_mode):o})", f"chmod 600 {path}"
    if os.geteuid() not in {0, home.st_uid} and not os.access(data, os.W_OK):
        yield f"this user cannot write {data}", _AS_OWNER


def space(data: Path) -> Check:
    """Whether its disk has room, also for the copy that a migration makes."""
    free, needed = free_bytes(data), max(_LEAST_FREE, _size(data / DATABASE))
    message = f"{free / 1e6:.0f} MB are free"
    if free < needed:
        return Check.warning("space", message, f"free space on the disk with {data}: {needed / 1e6:.0f} MB should be free")
    return Check.ok("space", message)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
