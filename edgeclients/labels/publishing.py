"""Puts files with secrets in their place: complete, or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from edgeclients.files import sync_directory
from edgeclients.labels.problem import LabelProblem


def names(out: Path, count: int) -> list[Path]:
    """The names of `count` files: `FILE.png`, then `FILE-2.png` and so on."""
    return [out, *(out.with_name(f"{out.stem}-{number}{out.suffix}") for number in range(2, count + 1))]


def check_free(paths: Sequence[Path]) -> None:
    """Check that there is nothing at `paths`.

    Raises:
        LabelProblem: there is something.
    """
    for path in paths:
        if os.path.lexists(path):
            raise LabelProblem(f"{path} exists: remove it, or choose another name")


@contextlib.contextmanager
def scratch(out: Path) -> Iterator[Path]:
    """A folder beside `out` that only this user can open, and that is removed at the end.

    Raises:
        OSError: it cannot be made.
    """
    with tempfile.TemporaryDirectory(prefix=".labels.", dir=out.parent) as folder:
        yield Path(folder)


@contextlib.contextmanager
def create(path: Path) -> Iterator[BinaryIO]:
    """A new file with mode 0600 to write to; durable at the end.

    Raises:
        OSError: it cannot be written.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def publish(made: Sequence[Path], paths: Sequence[Path]) -> None:
    """Give files their names. The first name comes last: where it is, all others are.

    Raises:
        LabelProblem: something has one of the names.
        OSError: a file cannot be renamed.
    """
    check_free(paths)
    for source, path in reversed(list(zip(made, paths, strict=True))):
        source.rename(path)
    sync_directory(paths[0].parent)
