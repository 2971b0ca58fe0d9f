"""`edgeclients` that kills itself before one of its steps: `python -m tests.support.killing 7 backup FILE`.

A step is what it asks of the file system or of SQLite, counted from where the command begins to work.
"""

import os
import signal
import sqlite3
import sys
from typing import Any

from edgeclients.cli.main import main

_STEPS = {
    *("os.link", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "fcntl.flock", "sqlite3.connect"),
    *("sqlite3.execute", "os.fsync", "open"),
}


class Connection(sqlite3.Connection):
    """One whose statements are steps."""

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        sys.audit("sqlite3.execute")
        return super().execute(*arguments)


def kill_at(step: int) -> None:
    """From here on, count steps, and be killed before this one."""
    left, connect, fsync = step, sqlite3.connect, os.fsync

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        # What is opened to be read changes nothing; modules are opened that way.
        if event not in _STEPS or (event == "open" and not _writes(arguments)):
            return
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted_connect(*arguments: Any, **more: Any) -> Any:
        return connect(*arguments, **{"factory": Connection, **more})

    def counted_fsync(descriptor: Any) -> None:
        sys.audit("os.fsync")
        fsync(descriptor)

    sqlite3.connect = counted_connect
    os.fsync = counted_fsync  # type: ignore[assignment]
    sys.addaudithook(look)


def _writes(arguments: tuple[Any, ...]) -> bool:
    path, _, flags = arguments
    if str(path).startswith("/dev/"):
        return False
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


if __name__ == "__main__":
    kill_at(int(sys.argv.pop(1)))
    sys.exit(main())
