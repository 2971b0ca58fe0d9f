"""`edgeclients` on a host whose clock is as many seconds ahead as a file says: `python -m tests.support.shifted FILE serve`."""

import os
import sys
import time

_TEXT_BYTES = 32


def shift(path: str) -> None:
    """Have `time.time_ns` show another time from now on; the file is read each time."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    right = time.time_ns
    time.time_ns = lambda: right() + int(os.pread(file, _TEXT_BYTES, 0)) * 1_000_000_000


if __name__ == "__main__":
    shift(sys.argv.pop(1))
    from edgeclients.cli.main import main

    sys.exit(main())
