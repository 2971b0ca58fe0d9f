"""`edgeclients serve` that hangs while a file exists, and sends marks from a thread all the time.

Run it as `python -m tests.support.hanging HOW FILE`. What hangs is

- `loop`: the event loop, from SIGWINCH on;
- `writer`: SQLite's writer, in a commit; with `slow` it runs an endless statement there;
- `migration`: one more migration, in a function; with `slow_migration` it is an endless statement;
- `postgres_migration`: one more migration there, as long as somebody holds the advisory lock `LOCK`;
- `nothing`.

What is long in the service is short here.
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from edgeclients.cli.main import main
from edgeclients.files import schema_path
from edgeclients.progress import Progress
from edgeclients.store.postgres import answers
from edgeclients.store.postgres import store as postgres
from edgeclients.store.sqlite import connect, database, migration
from edgeclients.store.sqlite.writer import SqliteWriter
from edgeclients.wiring import notify
from tests.support.notified import send_mark

LOCK = 77

_PAUSE = 0.05
_ENDLESS = "WITH RECURSIVE rows(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM rows WHERE hangs()) SELECT max(n) FROM rows"
_MIGRATIONS = {"migration": "SELECT waits();", "slow_migration": f"{_ENDLESS};"}


class Hang:
    """A fault that lasts while a file exists."""

    def __init__(self, how: str, file: Path) -> None:
        self._how = how
        self._file = file

    def exists(self) -> bool:
        return self._file.exists()

    def wait(self, *_: object) -> None:
        while self.exists():
            time.sleep(_PAUSE)

    def install(self) -> None:
        """Have the service meet it."""
        if self._how == "loop":
            signal.signal(signal.SIGWINCH, self._block)
        if self._how in {"writer", "slow"}:
            self._in_commits()
        if self._how in _MIGRATIONS:
            self._in_migration(_MIGRATIONS[self._how])
        if self._how == "postgres_migration":
            folder = _with_migration("postgres", f"SELECT pg_advisory_xact_lock({LOCK});")
            setattr(postgres, "schema_path", lambda _: folder)  # noqa: B010 # it is of another module

    def _block(self, _: int, __: FrameType | None) -> None:
        self.wait()

    def _in_commits(self) -> None:
        finish = SqliteWriter._finish

        def slow(writer: SqliteWriter, done: Any) -> None:
            if self._how == "writer":
                self.wait()
            else:
                writer._connection.create_function("hangs", 0, self.exists)
                writer._connection.execute(_ENDLESS).fetchall()
            finish(writer, done)

        setattr(SqliteWriter, "_finish", slow)  # noqa: B010 # it is a method

    def _in_migration(self, sql: str) -> None:
        folder = _with_migration("sqlite", f"CREATE TABLE slow AS {sql}")

        def open_writer(path: Path, progress: Progress) -> sqlite3.Connection:
            connection = connect.open_writer(path, progress)
            connection.create_function("hangs", 0, self.exists)
            connection.create_function("waits", 0, self.wait)
            return connection

        for module in (database, migration):
            setattr(module, "open_writer", open_writer)  # noqa: B010 # it is of another module
        setattr(database, "schema_path", lambda _: folder)  # noqa: B010 # likewise


def _with_migration(engine: str, sql: str) -> Path:
    """A folder with the migrations of an engine and one more."""
    folder = Path(tempfile.mkdtemp()) / engine
    shutil.copytree(schema_path(engine), folder)
    number = len(list(folder.glob("*.sql"))) + 1
    (folder / f"{number:04}_slow.sql").write_text(sql)
    return folder


def _keep_marking(address: str) -> None:
    while True:
        with contextlib.suppress(OSError):  # nobody listens any more
            send_mark(address)
        time.sleep(_PAUSE)


def run(how: str, file: str, address: str) -> int:
    """Serve, and return the exit code."""
    connect._STEP_OPERATIONS = 10_000
    notify.STUCK_SECONDS = 1.0
    notify._EXTEND_EVERY = 0.1
    answers._ASK_EVERY = 0.2
    threading.Thread(target=_keep_marking, args=(address,), daemon=True).start()
    Hang(how, Path(file)).install()
    return main(["serve"])


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2], os.environ["NOTIFY_SOCKET"]))
