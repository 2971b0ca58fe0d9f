"""The file with the bad lines of an import: in the place of that of an earlier run, and of no other file."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from edgeclients.core.provisioning.record import BadLine
from edgeclients.errors import StartError

_LONGEST = 64 * 1024  # bytes of a line; values are cut


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    line: int
    column: str
    value: str
    reason: str


class Report:
    """Bad lines as they come.

    Args:
        path: how messages name the file.
        file: None: nothing is written.
    """

    def __init__(self, path: Path | None = None, file: BinaryIO | None = None) -> None:
        self._path = path
        self._file = file

    def add(self, bad: BadLine) -> None:
        """Write a line.

        Raises:
            StartError: the disk is full.
        """
        if self._file is not None:
            with _writing(self._path):
                self._file.write(msgspec.json.encode(bad) + b"\n")

    def close(self) -> None:
        """Write all of it to disk.

        Raises:
            StartError: the disk is full.
        """
        if self._file is not None:
            with _writing(self._path):
                self._file.close()


def part_of(path: Path) -> Path:
    """The name of a report while it is written."""
    return path.with_name(f"{path.name}.part")


@contextlib.contextmanager
def report_at(path: Path | None) -> Iterator[Report]:
    """A report that has its name when the context ends without an exception; without a path nothing is kept.

    Raises:
        StartError: the file cannot be written, or is no report.
    """
    if path is None:
        yield Report()
        return
    with _writing(path):
        device = path.open("wb") if path.exists() and not stat.S_ISREG(path.stat().st_mode) else None  # a terminal, a pipe
    if device is not None:
        with contextlib.closing(Report(path, device)) as report:
            yield report
        return
    at = path.resolve()
    part = part_of(at)
    for one in (at, part):
        _check_report(one, path)
    with _writing(path):
        file = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb")
    try:
        report = Report(path, file)
        yield report
        report.close()
        with _writing(path):
            part.replace(at)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        with contextlib.suppress(OSError):
            file.close()


def _check_report(at: Path, path: Path) -> None:
    """Raise `StartError` if there is a file with anything else than bad lines; a kill may have cut the last one."""
    try:
        with at.open("rb") as file:
            while line := file.readline(_LONGEST):
                if line.endswith(b"\n") or len(line) == _LONGEST:
                    msgspec.json.decode(line, type=_Line)
                elif not line.startswith(b'{"line":'[: len(line)]):
                    raise msgspec.DecodeError
    except FileNotFoundError:
        return
    except OSError as error:
        raise StartError(f"{path} cannot be written ({error.strerror}): choose another --report") from error
    except msgspec.MsgspecError as error:
        raise StartError(f"{at} exists, and is no report of bad lines: choose another --report") from error


@contextlib.contextmanager
def _writing(path: Path | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartError(f"{path} cannot be written ({error.strerror}): choose another --report") from error
