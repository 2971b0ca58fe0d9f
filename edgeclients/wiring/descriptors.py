"""File descriptors: checks that the limit suffices, and derives how many connections callers may open.

The check comes first, because gRPC crashes without descriptors. It ends the process with SIGSEGV or SIGABRT if its loop gets
none. It ends with SIGBUS if it is stopped while a caller gets none (one thread accepts what another frees).
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

# Measured: 36 until the service is ready, on IPv4 and IPv6, and 5 more to write last-seen times. A connection over the limit
# holds a descriptor until it is closed.
_SERVING = 44
_FEW_CALLERS = 7  # minimum of connections on each of the two ports
_STANDARD = 3  # open already: input, output, error
OF_COMMAND = 32  # a command was measured with 17 open
_IN_THE_CLOUD = 16  # in addition to connections to PostgreSQL: Redis for the cache and for events, spans
_OF_A_PEER = 4
_SUPERVISING = 16
_OF_A_WORKER = 4
_TOO_MANY = {errno.EMFILE, errno.ENFILE}
_GRPC_CONNECTIONS = 512
_SHARE_OF_GRPC = 4  # a broker has few connections with many calls; a user interface opens more


class AllowedConnections(NamedTuple):
    """The maximum of concurrent connections, by transport."""

    http: int
    grpc: int


def raise_limit() -> None:
    """Raise the process's soft limit of open files to the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def require(needed: int) -> None:
    """Return if the process can open `needed` more files.

    Raises:
        StartError: it cannot.
    """
    with contextlib.ExitStack() as opened:
        try:
            for _ in range(needed):
                opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            if error.errno not in _TOO_MANY:
                raise
            raise StartError(
                f"the limit of open files is too low: {needed} more files must be open at a time ({error.strerror}): "
                "raise the limit, with `ulimit -n` or the unit's LimitNOFILE="
            ) from error


def of_service(settings: Settings) -> int:
    """The number of files that a service with a few callers opens."""
    return _without_callers(settings) + 2 * _FEW_CALLERS


def of_supervisor(settings: Settings) -> int:
    """The number of files that the supervisor opens."""
    return _SUPERVISING + _OF_A_WORKER * settings.workers


def connections_allowed(settings: Settings) -> AllowedConnections:
    """The maximum of connections that leaves enough descriptors for everything else."""
    wanted = AllowedConnections(settings.http_max_connections, _GRPC_CONNECTIONS)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return wanted
    left = limit - _STANDARD - _without_callers(settings)
    grpc = min(wanted.grpc, max(_FEW_CALLERS, left // _SHARE_OF_GRPC))
    http = min(wanted.http, max(_FEW_CALLERS, left - grpc))
    if http < wanted.http:
        _log.warning("the limit of %s open files reduces the maximum of HTTP connections to %s", limit, http)
    return AllowedConnections(http, grpc)


def _without_callers(settings: Settings) -> int:
    named = [peer for peer in PEERS if getattr(settings, f"{peer}_grpc_url")]
    cloud = settings.db_max_connections + _IN_THE_CLOUD if settings.mode == "cloud" else 0
    return _SERVING + cloud + _OF_A_PEER * len(named)
