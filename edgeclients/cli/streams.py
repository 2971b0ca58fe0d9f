"""Standard input, output and error: each is open, whatever was closed where the program was started."""

import errno
import os
import sys

_STANDARD = (0, 1, 2)


def open_standard_streams() -> frozenset[int]:
    """Open `/dev/null` on what is closed among the descriptors 0 to 2, and give `sys` a stream for each.

    To be called before anything else is opened: a file or socket that got such a number would be read and written as if
    it were the terminal, and by every child process.

    Returns:
        The descriptors that were closed.

    Raises:
        OSError: there is no `/dev/null`.
    """
    closed = frozenset(number for number in _STANDARD if not _is_open(number))
    for _ in closed:
        opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, thus each of these in turn
        os.set_inheritable(opened, True)  # noqa: FBT003 - it has no other name
    # Python has None where it found a closed descriptor.
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
