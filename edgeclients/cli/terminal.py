"""What a command says to whoever ran it: what was asked for on standard output, one line on standard error if it failed."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

INTERRUPTED = 130  # the exit code, as a shell has it
_OUTPUT = 1
_closed: set[int] = set()


def note_closed(descriptors: Iterable[int]) -> None:
    """Remember which of the standard streams were closed where the program was started: `/dev/null` is there now."""
    _closed.update(descriptors)


def check_output() -> None:
    """Return if there is somebody to say something to.

    Raises:
        OSError: standard output was closed when the program was started.
    """
    if _OUTPUT in _closed:
        raise OSError(errno.EBADF, "standard output is closed")


def say(text: str) -> None:
    """Print `text`, which is written when this returns.

    Raises:
        OSError: it cannot be.
    """
    check_output()
    try:
        print(text, flush=True)
    except OSError:
        _drop(sys.stdout)
        raise


def tell(text: str) -> int:
    """Print `text` and return the exit code: 0, or 1 if it cannot be written."""
    try:
        say(text)
    except OSError as error:
        return fail(f"it is done, but what there is to say cannot be written ({error.strerror})")
    return 0


def let_go() -> None:
    """Write what is left, or drop it: the interpreter would complain about it, and end with a code of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _drop(stream)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their heads, in columns as wide as they have to be."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows))
    return "\n".join(lines)


def fail(line: str) -> int:
    """Print why it failed and return the exit code."""
    warn(f"edgeclients: {line}")
    return 1


def warn(line: str) -> None:
    """Print `line` on standard error, if it can be written there."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def _drop(stream: TextIO) -> None:
    """Forget what is in the buffer of `stream`, which would be tried again, and all that comes behind it."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)
    with contextlib.suppress(OSError):
        stream.flush()
