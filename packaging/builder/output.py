"""Results appear in their folder complete or not at all."""

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from builder.problem import Problem


@contextlib.contextmanager
def all_or_nothing(output: Path) -> Iterator[Path]:
    """A folder to write results to. What is in it moves to `output` at the end, and nothing does after an error.

    SIGTERM counts as an error, too.

    Raises:
        Problem: `output` is not a folder.
    """
    if output.exists() and not output.is_dir():
        raise Problem(f"{output} is not a folder: choose another one with --output")
    made = [folder for folder in (output, *output.parents) if not folder.exists()]
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".edgeclients-", dir=output) as half_made:
            yield Path(half_made)
            for result in sorted(Path(half_made).iterdir()):
                _replace(result, output / result.name)
    except BaseException:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def need_space(folder: Path, megabytes: int) -> None:
    """Raise before the work begins rather than in its middle.

    Raises:
        Problem: `folder`'s disk has less than `megabytes` left.
    """
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(nearest).free // 1_000_000
    if free < megabytes:
        raise Problem(f"{nearest} has {free} MB left, and {megabytes} MB are needed: make room, or set --output and TMPDIR")


def _replace(result: Path, place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    result.replace(place)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
