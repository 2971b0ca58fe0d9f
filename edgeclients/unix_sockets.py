"""Addresses of Unix sockets, which are short, for files whose paths may be long."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_LONGEST = 107  # bytes that the operating system takes


@contextlib.contextmanager
def address_of(path: Path) -> Iterator[str]:
    """The address of the socket at `path`, to be bound or connected to within the context.

    Raises:
        OSError: the path is long, and its folder cannot be opened.
    """
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
