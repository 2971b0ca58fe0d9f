"""The data directory: made by the one process that serves it, and held by it for as long as it lives."""

import fcntl
import os
import pwd
from pathlib import Path

from edgeclients.errors import StartError
from edgeclients.files import remedy, sync_directory

DATABASE = "clients.db"
LOCK = "lock"
_SERVED = b"served\n"
_MADE_LAST = "operator.token"
_MADE_TO_SERVE = ("pepper", _MADE_LAST)


class DataDirectory:
    """A directory nobody else serves. Close it to let go."""

    def __init__(self, path: Path) -> None:
        """Make `path` (mode 0700) if it is missing, and lock it.

        Raises:
            StartError: it cannot be made or written, or another process holds it.
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
                    f"data directory {path} cannot be locked ({error.strerror}): use a file system that can"
                ) from error
            raise StartError(
                f"data directory {path} is in use by another edgeclients: stop that one, or set MG_CLIENTS_DATA_DIR"
            ) from error

        # Not what a first start has left that never served: only then there is a lock, and nothing in it.
        made = [name for name in _MADE_TO_SERVE if (path / name).exists()]
        if os.pread(self._lock, 1, 0):
            made.append(LOCK)
        self.left = tuple(made) if is_first or LOCK in made or _MADE_LAST in made else ()
        """Files of a service that has served from here, or of another directory."""

    def served(self) -> None:
        """Note that a service serves from here."""
        os.pwrite(self._lock, _SERVED, 0)

    def close(self) -> None:
        """Let others have the directory."""
        os.close(self._lock)


def become_owner(path: Path) -> None:
    """Go on as the owner of the directory `path` if this process is root's: what it writes there must be the service's.

    Raises:
        StartError: that cannot be done.
    """
    if os.geteuid() != 0:
        return
    try:
        owner = path.stat()
        if owner.st_uid == 0:
            return
        try:
            os.initgroups(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
        except KeyError:  # a user without a name, as containers have them
            os.setgroups([owner.st_gid])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
    except OSError as error:
        raise StartError(f"the owner of {path} cannot be acted for ({error.strerror}): run this as that user") from error
