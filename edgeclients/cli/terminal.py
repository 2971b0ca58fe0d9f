"""The output of a command: the result on standard output, or one line on standard error if it failed."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from edgeclients.errors import StartError

USAGE = 2  # argparse's exit code for wrong arguments
INTERRUPTED = 130  # the exit code that shells use for SIGINT
_OUTPUT = 1
_closed: set[int] = set()


def note_closed(descriptors: Iterable[int]) -> None:
    """Record which standard streams were closed at the start of the process; they are `/dev/null` now."""
    _closed.update(descriptors)


def check_output() -> None:
    """Return if standard output was open at the start of the process.

    Raises:
        OSError: it was closed.
    """
    if _OUTPUT in _closed:
        raise OSError(errno.EBADF, "standard output is closed")


def write_out(text: str) -> None:
    """Print `text` and flush it.

    Raises:
        OSError: it cannot be written.
    """
    check_output()
    try:
        print(text, flush=True)
    except OSError:
        _drop(sys.stdout)
        raise


def print_result(text: str) -> int:
    """Print `text` and return the exit code: 0, or 1 if it cannot be written."""
    try:
        write_out(text)
    except OSError as error:
        return fail(f"the command has succeeded, but its output cannot be written ({error.strerror})")
    return 0


def flush_streams() -> None:
    """Flush the streams, or drop their output: else the interpreter would report it and change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _drop(stream)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows below their heads, in aligned columns."""
    return Widths(len(head)).aligned((head, *rows))


class Widths:
    """Aligns the rows of a table that come some at a time: a column grows with its longest cell so far.

    Args:
        columns: how many the table has.
    """

    def __init__(self, columns: int) -> None:
        self._widths = [0] * columns

    def aligned(self, rows: Sequence[Sequence[str]]) -> str:
        """The next rows, at least one."""
        columns = zip(self._widths, *(map(len, row) for row in rows), strict=True)
        self._widths = [max(column) for column in columns]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, self._widths, strict=True)) for row in rows)
        return "\n".join(line.rstrip() for line in lines)


class UsageError(StartError):
    """The arguments are wrong, which shows only where the command works."""


def fail(line: str, code: int = 1) -> int:
    """Print the reason of a failure and return the exit code."""
    warn(f"edgeclients: {line}")
    return code


def warn(line: str) -> None:
    """Print `line` on standard error if possible."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def _drop(stream: TextIO) -> None:
    """Discard the buffer of `stream`, which would be written again, and all later output."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
    with contextlib.suppress(OSError):
        stream.flush()
