"""Addresses to listen on: all that a name has, or an error that says why not."""

import errno
import socket
from typing import Any

from edgeclients.errors import StartError

BACKLOG = 512


def bind(host: str, port: int, variable: str, *, shared: bool = False) -> list[socket.socket]:
    """Sockets on every address of `host`; port 0 takes a free one, the same on all.

    Args:
        host: a name or an address.
        port: the port.
        variable: the setting to name when it cannot be had.
        shared: other processes of ours have it, too. These sockets do not listen yet: one that does gets its share of the
            connections.

    Raises:
        StartError: the name is unknown, or the port is taken.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise StartError(f"cannot find the address {host!r} to listen on: set {variable}_HOST") from error
    bound: list[socket.socket] = []
    failure: OSError | None = None
    for family, *_, address in found:
        wanted = (address[0], bound[0].getsockname()[1] if bound and not port else port, *address[2:])
        try:
            bound.append(_listener(family, wanted, shared=shared))
        except OSError as error:
            # A machine without IPv6 still has a "localhost" of that kind.
            if not _has_no_such_address(error):
                failure = error
    if failure is not None or not bound:
        for one in bound:
            one.close()
        reason = failure.strerror if failure else "no address"
        raise StartError(f"cannot listen on {host}:{port} ({reason}): stop what listens there, or set {variable}_PORT")
    return bound


def _listener(family: int, address: tuple[Any, ...], *, shared: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        if not shared:
            listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)  # noqa: FBT003
    return listener


def _has_no_such_address(error: OSError) -> bool:
    return error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
