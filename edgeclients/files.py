"""Private files that survive a power cut, files that settings name, and files installed with the program."""

import errno
import os
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final

_REMEDIES = {
    errno.ENOSPC: "free space on its disk",
    errno.EDQUOT: "free space on its disk, or raise the quota",
    errno.EMFILE: "allow this program more open files",
    errno.ENFILE: "allow the system more open files",
    errno.EROFS: "mount its disk for writing",
    errno.EIO: "check its disk",
    errno.ENAMETOOLONG: "choose a shorter name",
}

LARGEST_SMALL: Final = 1024 * 1024
"""The most bytes of a file that somebody names; a chain of certificates has some thousands."""


def remedy(error: OSError, otherwise: str) -> str:
    """What to do about `error` when writing a file; `otherwise` for errors without a known remedy."""
    return _REMEDIES.get(error.errno or 0, otherwise)


@lru_cache
def schema_path(*parts: str) -> Path:
    """The path of `parts` below schema/: inside the installed package or bundle, else next to the source tree."""
    installed = Path(str(resources.files("edgeclients"))) / "schema"
    root = installed if installed.is_dir() else Path(__file__).resolve().parent.parent / "schema"
    return root.joinpath(*parts)


def read_small(path: Path) -> bytes:
    """The content of a file that somebody named: a secret, a certificate.

    Raises:
        OSError: it cannot be read, or is larger than 1 MiB.
        ValueError: `path` cannot be one.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST_SMALL + 1)
    if len(content) > LARGEST_SMALL:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return content


def write_private(path: Path, content: bytes) -> None:
    """Create `path` with mode 0600 and `content`; durable when this returns.

    Raises:
        OSError: the directory cannot be written.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the entries of the directory `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
