"""Opens those of standard input, output and error that were closed at the start of the process."""

import errno
import os
import sys

_STANDARD = (0, 1, 2)


def open_standard_streams() -> frozenset[int]:
    """Open `/dev/null` on each closed descriptor of 0 to 2, and set the streams of `sys`.

    Call it before opening anything else: a file or socket with such a number would be used as the terminal, here and in every
    child process.

    Returns:
        The descriptors that were closed.

    Raises:
        OSError: `/dev/null` cannot be opened.
    """
    closed = frozenset(number for number in _STANDARD if not _is_open(number))
    for _ in closed:
        opened = os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, so each closed one in turn
        os.set_inheritable(opened, True)  # noqa: FBT003 - a positional-only parameter
    # Python sets a stream to None if its descriptor was closed.
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, "r", encoding="utf-8", closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    return closed


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError as error:
        return error.errno != errno.EBADF
    return True
