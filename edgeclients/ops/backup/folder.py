"""The folder that a backup is written into: nothing in it has the backup's name before the backup is complete."""

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from edgeclients.errors import StartError
from edgeclients.files import remedy, sync_directory

SCRATCH: Final = ".edgeclients-backup"
"""The folder for what is not complete. A backup that was killed leaves it, and the next one in the same place removes it."""

_ARCHIVE = "archive"
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}  # FAT and some network file systems


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """An empty directory in `folder`, of this process alone, which is removed at the end.

    Raises:
        StartError: it cannot be made, or another backup is being written there.
    """
    path = folder / SCRATCH
    try:
        lock = _locked(path)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def write(folder: Path, target: Path, content: Callable[[BinaryIO], None]) -> int:
    """Make the file `target` with what `content` writes, mode 0600, durable when this returns; its size.

    Args:
        folder: of `scratch`, on the same disk.
        target: must not exist.
        content: writes to the file it gets.

    Raises:
        StartError: `target` exists.
        OSError: it cannot be written.
    """
    path = folder / _ARCHIVE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        content(file)
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    _publish(path, target)
    sync_directory(target.parent)
    return size


def taken(target: Path) -> StartError:
    """The error for a backup's file that exists already."""
    return StartError(f"{target} exists: name another file")


def unwritable(folder: Path, error: OSError) -> StartError:
    """The error for a folder that a backup cannot be written into."""
    advice = remedy(error, "name a folder that this user can write")
    return StartError(f"the backup cannot be written into {folder} ({error.strerror}): {advice}")


def _locked(path: Path) -> int:
    """A descriptor of the directory `path`, which is new, or emptied and locked."""
    while True:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise StartError(f"{path} is somebody else's: remove it")
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise StartError(f"another backup is being written into {path.parent}: wait for its end") from error
        except OSError:  # a file system without locks
            pass
        if _is(path, lock):
            _empty(path)
            return lock
        os.close(lock)  # another backup has ended, and removed it


def _is(path: Path, descriptor: int) -> bool:
    """Whether `path` is still what was opened."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _empty(path: Path) -> None:
    for left in path.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()


def _publish(path: Path, target: Path) -> None:
    """Give the file its name, which no other file has."""
    try:
        os.link(path, target)
    except FileExistsError as error:
        raise taken(target) from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():
            raise taken(target) from error
        path.rename(target)
