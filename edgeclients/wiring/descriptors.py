"""Open files: whether there may be as many as the service needs, and how many of them callers may have.

It is tried first of all: gRPC ends the process with SIGSEGV or SIGABRT where there is no file descriptor left for its loop, and
with SIGBUS where it is stopped while there is none left for a caller (it accepts in one thread what it frees in another).
"""

import contextlib
import errno
import logging
import os
import resource
from typing import NamedTuple

from edgeclients.errors import StartError
from edgeclients.settings import PEERS, Settings

_log = logging.getLogger(__name__)

# Measured: 36 until it serves, on IPv4 and IPv6, and 5 more to write who was seen. Who is one too many has one until he is
# sent away.
_SERVING = 44
_FEW_CALLERS = 7  # on each of the two ports, at least
_STANDARD = 3  # open already: input, output, error
OF_COMMAND = 32  # one that works beside the service has 17 open
_IN_THE_CLOUD = 16  # besides connections to PostgreSQL: Redis for the cache and for events, spans
_OF_A_PEER = 4
_SUPERVISING = 16
_OF_A_WORKER = 4
_TOO_MANY = {errno.EMFILE, errno.ENFILE}
_GRPC_CONNECTIONS = 512
_SHARE_OF_GRPC = 4  # a broker has few connections with many calls; a user interface opens more


class AllowedConnections(NamedTuple):
    """How many there may be at a time."""

    http: int
    grpc: int


def raise_limit() -> None:
    """Allow this process as many open files as the system lets it have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def require(needed: int) -> None:
    """Return if so many files can be opened beside those that are.

    Raises:
        StartError: they cannot.
    """
    with contextlib.ExitStack() as opened:
        try:
            for _ in range(needed):
                opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            if error.errno not in _TOO_MANY:
                raise
            raise StartError(
                f"{needed} files have to be open at a time beside what is open already, and cannot be ({error.strerror}): "
                "raise the limit, with `ulimit -n` or the unit's LimitNOFILE="
            ) from error


def of_service(settings: Settings) -> int:
    """How many files a process has to be able to open that serves a few callers."""
    return _without_callers(settings) + 2 * _FEW_CALLERS


def of_supervisor(settings: Settings) -> int:
    """How many files the process has open that keeps workers running."""
    return _SUPERVISING + _OF_A_WORKER * settings.workers


def connections_allowed(settings: Settings) -> AllowedConnections:
    """How many connections there may be, so that files are left for everything else."""
    wanted = AllowedConnections(settings.http_max_connections, _GRPC_CONNECTIONS)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return wanted
    left = limit - _STANDARD - _without_callers(settings)
    grpc = min(wanted.grpc, max(_FEW_CALLERS, left // _SHARE_OF_GRPC))
    http = min(wanted.http, max(_FEW_CALLERS, left - grpc))
    if http < wanted.http:
        _log.warning("only %s files may be open: at most %s HTTP connections at a time", limit, http)
    return AllowedConnections(http, grpc)


def _without_callers(settings: Settings) -> int:
    named = [peer for peer in PEERS if getattr(settings, f"{peer}_grpc_url")]
    cloud = settings.db_max_connections + _IN_THE_CLOUD if settings.mode == "cloud" else 0
    return _SERVING + cloud + _OF_A_PEER * len(named)
