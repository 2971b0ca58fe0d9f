"""The data directory's socket, for a command: that of the running service, or else of a process that serves the command only.

That process becomes the owner of the directory, as new files must be the service's; the command keeps its user, who may read
and write files that the owner may not.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from edgeclients.errors import StartError
from edgeclients.settings import Settings
from edgeclients.store.datadir import InUse
from edgeclients.unix_sockets import address_of
from edgeclients.wiring.administration import require_database
from edgeclients.wiring.control import COMMAND_SOCKET, SOCKET
from edgeclients.wiring.owner import become_owner

_READY, _IN_USE = b"ready", b"in use"
_LONGEST_REASON = 4096
_WAIT_SECONDS, _LOOK_SECONDS = 15.0, 0.1  # for a service that starts or ends, which takes up to ten


@contextlib.contextmanager
def service_at_hand(settings: Settings) -> Iterator[Path]:
    """The path of the socket, on which the use cases are served until the context is left.

    Call it while no other thread runs.

    Raises:
        StartError: there is no data, or another process has it in use without serving commands.
    """
    data = settings.data_dir
    require_database(data)
    deadline = time.monotonic() + _WAIT_SECONDS
    while not _answers(data / SOCKET):
        with _served(settings) as is_served:
            if is_served:
                yield data / COMMAND_SOCKET
                return
        if time.monotonic() > deadline:
            raise StartError(
                f"data directory {data} is in use by another edgeclients that serves no commands: stop that process"
            )
        time.sleep(_LOOK_SECONDS)
    yield data / SOCKET


@contextlib.contextmanager
def _served(settings: Settings) -> Iterator[bool]:
    """A process that serves until the context is left, or this process ends in whatever way; False if the data is in use.

    Raises:
        StartError: it cannot serve.
    """
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
        if answer not in {_READY, _IN_USE}:
            raise StartError(answer.decode(errors="replace") or "the data directory cannot be served: start the service once")
        yield answer == _READY
    finally:
        os.close(held)
        os.waitpid(child, 0)


def _serve_and_exit(settings: Settings, saying: int, lifeline: int) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both; the command ends the lifeline
    code = 1
    try:
        _become_owner(settings.data_dir)
        asyncio.run(_serve(settings, saying, lifeline))
        code = 0
    except StartError as error:
        with contextlib.suppress(OSError):
            os.write(saying, _IN_USE if isinstance(error, InUse) else str(error).encode()[:_LONGEST_REASON])
    finally:
        os._exit(code)


def _become_owner(data: Path) -> None:
    """Switch to the owner of `data`, who has to be able to read the program: most of it is loaded afterwards.

    Raises:
        StartError: the owner cannot read it.
    """
    unpacked = Path(getattr(sys, "_MEIPASS", ""))
    if unpacked.name.startswith("_MEI") and os.geteuid() == 0:
        unpacked.chmod(0o755)  # where the one-file program unpacks itself, for root alone
    become_owner(data)
    program = sys.executable if getattr(sys, "frozen", False) else __file__
    if not os.access(program, os.R_OK):
        raise StartError(
            f"the owner of data directory {data} cannot read {program}: start the service, or let everybody read the program"
        )


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
            with address_of(path) as address:
                probe.connect(address)
        except OSError:
            return False
    return True
