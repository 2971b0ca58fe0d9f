"""Open files: whether there may be as many as the service needs, and how many of them HTTP's callers may have.

It is tried first of all: gRPC ends the process with SIGSEGV or SIGABRT where there is no file descriptor left for its loop.
"""

import contextlib
import errno
import logging
import os
import resource

from edgeclients.errors import StartError
from edgeclients.settings import PEERS, Settings

_log = logging.getLogger(__name__)

# Measured: 36 until it serves, on IPv4 and IPv6, and 5 more to write who was seen. The rest is for who calls.
_SERVING = 56
OF_COMMAND = 32  # one that works beside the service has 17 open
_IN_THE_CLOUD = 16  # besides connections to PostgreSQL: Redis for the cache and for events, spans
_OF_A_PEER = 4
_SUPERVISING = 16
_OF_A_WORKER = 4
_TOO_MANY = {errno.EMFILE, errno.ENFILE}
_NOT_FOR_HTTP = 256  # the database's, gRPC connections, logs


def require(needed: int) -> None:
    """Return if so many files can be opened beside those that are; the limit is raised as far as the system lets us.

    Raises:
        StartError: they cannot.
    """
    _raise_limit()
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
    """How many files a process that serves has open."""
    named = [peer for peer in PEERS if getattr(settings, f"{peer}_grpc_url")]
    cloud = settings.db_max_connections + _IN_THE_CLOUD if settings.mode == "cloud" else 0
    return _SERVING + cloud + _OF_A_PEER * len(named)


def of_supervisor(settings: Settings) -> int:
    """How many files the process has open that keeps workers running."""
    return _SUPERVISING + _OF_A_WORKER * settings.workers


def connections_allowed(wanted: int) -> int:
    """How many HTTP connections there may be, so that files are left for everything else."""
    limit = _raise_limit()
    allowed = wanted if limit == resource.RLIM_INFINITY else max(1, min(wanted, limit - _NOT_FOR_HTTP))
    if allowed < wanted:
        _log.warning("only %s files may be open: at most %s HTTP connections at a time", limit, allowed)
    return allowed


def _raise_limit() -> int:
    """The limit for open files, raised as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
