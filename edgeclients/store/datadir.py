"""The data directory: created by the one process that serves it, and locked until that process ends."""

import contextlib
import fcntl
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from edgeclients.errors import StartError
from edgeclients.files import remedy, sync_directory

DATABASE = "clients.db"
LOCK = "lock"
RESTORED = ".restored"
"""The folder with all files of a restore that is complete and durable; they only have to be put in place."""

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
        try:
            put_in_place(path)
        except OSError as error:
            os.close(self._lock)
            raise StartError(
                f"the restore into {path} cannot be completed ({error.strerror}): {remedy(error, 'make it writable')}"
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


def put_in_place(path: Path) -> None:
    """Complete a restore into the locked directory `path` that was killed while it put files in place, if there was one.

    Raises:
        OSError: the directory cannot be written.
    """
    restored = path / RESTORED
    if not restored.is_dir():
        return
    for file in restored.iterdir():
        file.rename(path / file.name)
    sync_directory(path)
    restored.rmdir()


def is_locked(path: Path) -> bool:
    """Whether a service uses the directory `path`, as far as this user may know."""
    try:
        lock = os.open(path / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, and for a moment: two that ask at once do not see each other.
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


@contextlib.contextmanager
def acting_as_owner(path: Path) -> Iterator[None]:
    """Act as the owner of the directory `path` meanwhile, if this process runs as root and the directory exists.

    Raises:
        StartError: the operating system refuses.
    """
    try:
        owner = _other_owner(path)
    except OSError as error:
        raise _refused(path, error) from error
    if owner is None:
        yield
        return
    groups = os.getgroups()
    try:
        os.setgroups([owner.st_gid])
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
    except OSError as error:
        raise _refused(path, error) from error
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def become_owner(path: Path) -> None:
    """Switch to the owner of the directory `path` if this process runs as root: files there must be the service's.

    Raises:
        StartError: the operating system refuses.
    """
    try:
        owner = _other_owner(path)
        if owner is None:
            return
        try:
            os.initgroups(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
        except KeyError:  # a user without a name, as in containers
            os.setgroups([owner.st_gid])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
    except OSError as error:
        raise _refused(path, error) from error


def _other_owner(path: Path) -> os.stat_result | None:
    """The owner of the directory `path`; None if that is this user, or this user is not root, or there is no directory."""
    if os.geteuid() != 0:
        return None
    try:
        owner = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return owner if owner.st_uid else None


def _refused(path: Path, error: OSError) -> StartError:
    return StartError(f"this process cannot become the owner of {path} ({error.strerror}): run this as that user")
