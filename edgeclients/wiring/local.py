"""The data directory's socket, for a command: that of the running service, or else of a process that serves the command only.

That process becomes the owner of the directory, as new files must be the service's; the command keeps its user, who may read
and write files that the owner may not.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from edgeclients.errors import StartError
from edgeclients.settings import Settings
from edgeclients.wiring.administration import require_database
from edgeclients.wiring.control import SOCKET
from edgeclients.wiring.owner import become_owner

_READY = b"ready"
_LONGEST_REASON = 4096


@contextlib.contextmanager
def service_at_hand(settings: Settings) -> Iterator[Path]:
    """The path of the socket, on which the use cases are served until the context is left.

    Call it while no other thread runs.

    Raises:
        StartError: there is no data, or another process has it in use without serving commands.
    """
    require_database(settings.data_dir)
    path = settings.data_dir / SOCKET
    if _answers(path):
        yield path
        return
    with _served(settings):
        yield path


@contextlib.contextmanager
def _served(settings: Settings) -> Iterator[None]:
    """A process that serves until the context is left, or until this process ends in whatever way."""
    said, saying = os.pipe()
    lifeline, held = os.pipe()
    child = os.fork()
    if not child:
        os.close(said)
        os.close(held)
        _serve_and_exit(settings, saying, lifeline)
    os.close(saying)
    os.close(lifeline)
    try:
        with os.fdopen(said, "rb") as answers:
            answer = answers.read(_LONGEST_REASON)
        if answer != _READY:
            raise StartError(answer.decode(errors="replace") or "the data directory cannot be served: start the service once")
        yield
    finally:
        os.close(held)
        os.waitpid(child, 0)


def _serve_and_exit(settings: Settings, saying: int, lifeline: int) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both; the command ends the lifeline
    code = 1
    try:
        become_owner(settings.data_dir)
        asyncio.run(_serve(settings, saying, lifeline))
        code = 0
    except StartError as error:
        with contextlib.suppress(OSError):
            os.write(saying, str(error).encode()[:_LONGEST_REASON])
    finally:
        os._exit(code)


async def _serve(settings: Settings, saying: int, lifeline: int) -> None:
    from edgeclients.wiring.service import build  # its imports take most of the start time

    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(lifeline, over.set)
    async with build(settings, for_a_command=True):
        os.write(saying, _READY)
        os.close(saying)
        await over.wait()


def _answers(path: Path) -> bool:
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
