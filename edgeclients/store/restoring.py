"""A restore into the data directory: files are gathered in a folder in it, and put in place when all are complete.

Whatever ends the process, the directory is then empty but for that folder, or everything is in place: `datadir.put_in_place`
finishes what had begun.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from edgeclients.errors import StartError
from edgeclients.files import remedy, sync_directory, write_private
from edgeclients.store.datadir import LOCK, RESTORED, put_in_place

GATHERED: Final = ".restore"
"""The folder of files that are not complete. A restore that was killed leaves it, and the next one removes it."""

_NO_DATA = frozenset({LOCK, GATHERED, "lost+found"})  # the last one is that of a disk


def check_empty(data: Path) -> None:
    """Return if the data directory holds nothing, or does not exist.

    Raises:
        StartError: it holds something.
    """
    with _errors(data):
        found = sorted(set(os.listdir(data)) - _NO_DATA) if data.exists() else []  # noqa: PTH208 - names
    if RESTORED in found:
        raise StartError(f"a restore into {data} lacks only its last step: start the service, which does it")
    if found:
        raise StartError(f"data directory {data} is not empty ({found[0]}): restore into an empty one")


def begin(data: Path) -> Path:
    """An empty folder in the locked data directory, for the files.

    Raises:
        StartError: it cannot be made.
    """
    path = data / GATHERED
    with _errors(data):
        _remove(path)
        path.mkdir(mode=0o700)
    return path


def add(data: Path, name: str, content: bytes) -> None:
    """Add a small file to the folder.

    Raises:
        StartError: it cannot be written.
    """
    with _errors(data):
        write_private(data / GATHERED / name, content)


def abandon(data: Path) -> None:
    """Remove that folder, if it is still there."""
    with contextlib.suppress(OSError):  # else the next restore does
        _remove(data / GATHERED)


def finish(data: Path, names: Iterable[str]) -> None:
    """Put the gathered files `names`, which are durable, in place, and nothing else.

    Raises:
        StartError: the disk refuses.
    """
    gathered, wanted = data / GATHERED, set(names)
    with _errors(data):
        for path in gathered.iterdir():
            if path.name not in wanted:
                path.unlink()
        sync_directory(gathered)
        gathered.rename(data / RESTORED)
        sync_directory(data)
        put_in_place(data)


@contextlib.contextmanager
def _errors(data: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        advice = remedy(error, "make it writable for this user")
        raise StartError(f"data directory {data} cannot be used ({error.strerror}): {advice}") from error


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)
