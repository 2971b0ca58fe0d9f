"""The data directory: created by the one process that serves it, and locked until that process ends."""

import fcntl
import os
import pwd
from pathlib import Path

from edgeclients.errors import StartError
from edgeclients.files import remedy, sync_directory

DATABASE = "clients.db"
LOCK = "lock"
_SERVED = b"served\n"
_CREATED_LAST = "operator.token"
_CREATED_TO_SERVE = ("pepper", _CREATED_LAST)


class InUse(StartError):  # noqa: N818 - it tells of a directory
    """Another process has the directory."""


class DataDirectory:
    """A directory that is locked for this process until `close`."""

    def __init__(self, path: Path) -> None:
        """Create `path` (mode 0700) if it is missing, and lock it.

        Raises:
            StartError: it cannot be created or written, or another process has locked it.
        """
        self.path = path
        try:
            is_first = not (path / LOCK).exists()
            missing = [folder for folder in (path, *path.parents) if not folder.exists()]
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in missing:
                sync_directory(folder.parent)
            self._lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(
                f"data directory {path} cannot be used ({error.strerror}): "
                f"{remedy(error, 'make it writable for this user')}, or set MG_CLIENTS_DATA_DIR"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            if not isinstance(error, BlockingIOError):
                raise StartError(
                    f"data directory {path} cannot be locked ({error.strerror}): use a file system that supports locks"
                ) from error
            raise InUse(
                f"data directory {path} is in use by another edgeclients: stop that process, or set MG_CLIENTS_DATA_DIR"
            ) from error

        # Without the files of a first start that never served: only then the lock file exists and is empty.
        created = [name for name in _CREATED_TO_SERVE if (path / name).exists()]
        if os.pread(self._lock, 1, 0):
            created.append(LOCK)
        self.left = tuple(created) if is_first or LOCK in created or _CREATED_LAST in created else ()
        """Files of a service that has served from here, or from another directory."""

    def served(self) -> None:
        """Record that a service has served from here."""
        os.pwrite(self._lock, _SERVED, 0)

    def close(self) -> None:
        """Unlock the directory."""
        os.close(self._lock)


def become_owner(path: Path) -> None:
    """Switch to the owner of the directory `path` if this process runs as root: files there must be the service's.

    Raises:
        StartError: the operating system refuses.
    """
    if os.geteuid() != 0:
        return
    try:
        owner = path.stat()
        if owner.st_uid == 0:
            return
        try:
            os.initgroups(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
        except KeyError:  # a user without a name, as in containers
            os.setgroups([owner.st_gid])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
    except OSError as error:
        raise StartError(f"this process cannot become the owner of {path} ({error.strerror}): run this as that user") from error
