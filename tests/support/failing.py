"""Starts a service over and over, in processes forked from this one, each time with something else that fails.

    python -m tests.support.failing KIND FOLDER ENV [SIGNAL]

`descriptors` gives it another number of file descriptors each time. The other kinds let every step fail once, or with a signal
let it come then: a step is what is asked of the system, told apart by where in our code it is. Each start is a JSON line on
standard output.
"""

import errno
import gc
import json
import os
import resource
import signal
import sqlite3
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import edgeclients.cli.serve
from edgeclients.cli.main import main
from tests.support.service import START_SECONDS, environment

_OURS = str(Path(edgeclients.__file__).parent)
_LOOK = 0.005

Step = tuple[str, ...]
Act = Callable[[Step, str], None]

STEPS = {
    "files": ("open", "os.mkdir", "os.rename", "os.listdir", "os.scandir", "os.utime", "os.fsync", "fcntl.flock"),
    "sockets": ("socket.__new__", "socket.bind", "socket.getaddrinfo"),
    "threads": ("thread.start",),
    "database": ("sqlite3.connect", "sqlite3.execute"),
}
LIMITS = range(10, 65)


def error_of(event: str) -> Exception:
    """What the system says when it fails."""
    if event == "thread.start":
        return RuntimeError("can't start new thread")
    if event.startswith("sqlite3."):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        return error
    number = errno.EMFILE if event.startswith("socket.") else errno.EIO
    return OSError(number, os.strerror(number))


class FailingConnection(sqlite3.Connection):
    """Tells of each statement."""

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        sys.audit("sqlite3.execute")
        return super().execute(*arguments)

    def executescript(self, script: str, /) -> sqlite3.Cursor:
        sys.audit("sqlite3.execute")
        return super().executescript(script)


def at_each_step(kind: str, act: Act) -> None:
    """From here on `act` is called before whatever the program asks of the system; what it raises comes of that."""
    events = STEPS[kind]
    connect, fsync, start_thread = sqlite3.connect, os.fsync, threading.Thread.start

    def look(event: str, _: tuple[object, ...]) -> None:
        if event in events:
            act((event, *_places(sys._getframe(1))), event)

    def failing_connect(*arguments: Any, **more: Any) -> Any:
        return connect(*arguments, **{"factory": FailingConnection, **more})

    def failing_fsync(fd: Any) -> None:
        sys.audit("os.fsync")
        fsync(fd)

    def failing_start(thread: threading.Thread) -> None:
        sys.audit("thread.start")
        start_thread(thread)

    sqlite3.connect = failing_connect
    os.fsync = failing_fsync
    threading.Thread.start = failing_start  # type: ignore[method-assign, assignment]
    sys.addaudithook(look)


def _places(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        name = frame.f_code.co_filename
        # What a function imports is one step, however many modules import others.
        if name.startswith(_OURS) and frame.f_code.co_name != "<module>":
            yield f"{name.removeprefix(_OURS)}:{frame.f_lineno}"
        frame = frame.f_back


def start(folder: Path, env: Mapping[str, str], prepare: Callable[[], None]) -> dict[str, Any]:
    """How a start ends that `prepare` came before in its process; one that serves is stopped."""
    folder.mkdir(parents=True)
    out, err = folder / "out", folder / "err"
    out.touch()
    child = os.fork()
    if not child:
        become_service(folder, env, prepare)
    served, ended, status = False, 0, 0
    while not ended:
        ended, status = os.waitpid(child, os.WNOHANG)
        if not served and not ended and b'"msg":"ready"' in out.read_bytes():
            os.kill(child, signal.SIGTERM)
            served = True
        time.sleep(_LOOK)
    return {"code": os.waitstatus_to_exitcode(status), "served": served, "out": out.read_text(), "err": err.read_text()}


def become_service(folder: Path, env: Mapping[str, str], prepare: Callable[[], None]) -> NoReturn:
    """As the interpreter would run it, to the end of its threads."""
    signal.alarm(START_SECONDS)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.closerange(3, 256)
    os.environ.clear()
    os.environ.update(environment(folder / "data", env))
    try:
        prepare()
        sys.exit(main(["serve"]))
    except Exception:  # noqa: BLE001 - told as the interpreter would
        traceback.print_exc()
        sys.exit(1)


def with_few_descriptors(folder: Path, env: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Starts with each number of them."""
    for limit in LIMITS:

        def prepare(limit: int = limit) -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

        yield {"limit": limit, **start(folder / str(limit), env, prepare)}


def with_each_step(kind: str, folder: Path, env: Mapping[str, str], number: int) -> Iterator[dict[str, Any]]:
    """A start that succeeds, and one for each of its steps that fails, or has this signal come if it is not 0."""
    record = folder / "steps"

    def prepare_record() -> None:
        seen: set[Step] = set()
        file = record.open("w", buffering=1)

        def note(step: Step, _: str) -> None:
            if step not in seen:
                seen.add(step)
                file.write(json.dumps(step) + "\n")

        at_each_step(kind, note)

    yield {"step": None, **start(folder / "whole", env, prepare_record)}
    for place, line in enumerate(record.read_text().splitlines()):
        wanted = tuple(json.loads(line))

        def fail(step: Step, event: str, wanted: Step = wanted) -> None:
            if step == wanted and not number:
                raise error_of(event)
            if step == wanted:
                os.kill(os.getpid(), number)

        def prepare(act: Act = fail) -> None:
            at_each_step(kind, act)

        yield {"step": wanted, **start(folder / str(place), env, prepare)}


if __name__ == "__main__":
    gc.freeze()  # what a start does not change it need not copy
    kind, folder, env = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    number = signal.Signals[sys.argv[4]] if sys.argv[4:] else 0
    for end in with_each_step(kind, folder, env, number) if kind in STEPS else with_few_descriptors(folder, env):
        print(json.dumps(end), flush=True)
