"""Listens on a Unix socket that callers find by its path (schema/README.md#grpc-socket)."""

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from edgeclients.errors import StartError
from edgeclients.ops.listen import BACKLOG
from edgeclients.unix_sockets import address_of


@contextlib.contextmanager
def listening(path: Path, variable: str, mode: int) -> Iterator[socket.socket]:
    """A socket that listens at `path`, which is removed at the end.

    Args:
        path: where; a socket that nobody listens on any more is replaced.
        variable: the setting that an error names.
        mode: who may connect; the socket has it from the beginning.

    Raises:
        StartError: something else is there, or the folder cannot be written.
    """
    try:
        _make_room(path, variable)
        made = bound(path, mode)
    except OSError as error:
        raise StartError(f"cannot listen on {path} ({error.strerror or error}): check the folder, or set {variable}") from error
    with made:
        mark = path.lstat().st_ino
        try:
            yield made
        finally:
            _remove(path, mark)


def _make_room(path: Path, variable: str) -> None:
    """Remove the socket of a program that has ended.

    Raises:
        StartError: a program listens on it, or it is no socket.
        OSError: it cannot be looked at, or removed.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise StartError(f"cannot listen on {path}: there is something that is not a socket: remove that, or set {variable}")
    if _is_live(path):
        raise StartError(f"cannot listen on {path}: another program does: stop it, or set {variable}")
    path.unlink()


def _is_live(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, address_of(path) as address:
        probe.settimeout(1)
        try:
            probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except (TimeoutError, BlockingIOError):
            return True  # its queue is full
    return True


def bound(path: Path, mode: int, backlog: int = BACKLOG) -> socket.socket:
    """A socket that listens at `path`, where nothing is; its file has this mode from the beginning.

    Raises:
        OSError: something is there, or the folder cannot be written.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _umask(0o777 & ~mode), address_of(path) as address:
            made.bind(address)
        made.listen(backlog)
    except BaseException:
        made.close()
        raise
    made.setblocking(False)  # noqa: FBT003 - positional by its signature
    return made


@contextlib.contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _remove(path: Path, mark: int) -> None:
    """Remove the socket, unless another program has put its own there."""
    with contextlib.suppress(OSError):
        if path.lstat().st_ino == mark:
            path.unlink()
