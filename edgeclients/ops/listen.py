"""Sockets that listen on every address of a host, or an error with the reason and a remedy."""

import contextlib
import errno
import socket
import time
from collections.abc import Iterator
from typing import Any

from edgeclients.addresses import authority
from edgeclients.errors import StartError

BACKLOG = 512

_EVERY_IPV4, _EVERY_IPV6 = "0.0.0.0", "::"  # noqa: S104 - possible values of settings
_TRIES = 20  # to find a port that is free on every address, for port 0
_TURN_SECONDS = 10.0  # for the other workers to open the port
_PAUSE_SECONDS = 0.01

_FORBIDDEN = "allow it (SELinux, systemd's SocketBindDeny=), or set {variable}_PORT"
_PRIVILEGED = "set {variable}_PORT to 1024 or more, or give the program the right to use lower ports (CAP_NET_BIND_SERVICE)"
_ADVICE = {
    errno.EADDRINUSE: "stop the program that uses it, or set {variable}_PORT",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EADDRNOTAVAIL: "set {variable}_HOST to an address of this machine",
    errno.EINVAL: "set {variable}_HOST, with the interface if the address needs one (fe80::1%eth0)",
    errno.EMFILE: "raise the limit of open files of the process",
    errno.ENFILE: "raise the limit of open files of the system",
}


def bind(host: str, port: int, variable: str, *, shared: bool = False) -> list[socket.socket]:
    """Sockets on every address of `host`; port 0 takes a free port, the same on each address.

    Args:
        host: a name or an address; `0.0.0.0` is every IPv4 address, `::` every address of the families the machine has.
        port: the port.
        variable: the prefix of the settings that an error names.
        shared: the other workers use the port, too. Then the sockets do not listen yet: each listening socket gets its share
            of the connections.

    Raises:
        StartError: the name is unknown, or the port is not available.
    """
    bound = _bind(host, port, variable, shared=shared)
    try:
        if not shared:
            for one in bound:
                one.listen(BACKLOG)
    except OSError as error:
        _close(bound)
        raise _refused(host, port, variable, error) from error
    return bound


@contextlib.contextmanager
def kept_for_grpc(host: str, port: int, variable: str, *, shared: bool) -> Iterator[list[tuple[str, int]]]:
    """The addresses and the port that make gRPC's core listen on every address of `host` and no other.

    The context reserves them: the core can bind them, other programs cannot.

    Args:
        host: as for `bind`.
        port: as for `bind`.
        variable: as for `bind`.
        shared: as for `bind`; the supervisor has bound a shared port with `bind`.

    Raises:
        StartError: the name is unknown, or the port is not available.
    """
    with contextlib.ExitStack() as held:
        if shared and port:
            # Each bind of a worker changes what the kernel grants to the next worker, so a shared port is not bound here.
            found = [_named(address) for _, address in _resolve(host, port, variable)]
        else:
            bound = _bind(host, port, variable, shared=shared)
            for one in bound:
                held.callback(one.close)
            found = [_named(one.getsockname()) for one in bound]
        number = found[0][1]
        if (_EVERY_IPV6, number) in found:
            found = [(_EVERY_IPV6, number)]  # the core opens it for both families
        elif (_EVERY_IPV4, number) in found:
            held.enter_context(_ipv6_taken(number, variable, shared=shared))
        yield found


@contextlib.contextmanager
def _ipv6_taken(port: int, variable: str, *, shared: bool) -> Iterator[None]:
    """Occupy this port on every IPv6 address.

    gRPC's core opens either wildcard for both families. It opens IPv4 alone only if IPv6 is not available.
    """
    deadline = time.monotonic() + (_TURN_SECONDS if shared else 0)
    while True:
        try:
            taken = _listening(port)
            break
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not shared:
                yield  # there is no IPv6, or the port is taken already
                return
            if time.monotonic() >= deadline:  # another worker would have released it
                raise _refused(_EVERY_IPV6, port, variable, error) from error
        time.sleep(_PAUSE_SECONDS)
    with taken:
        yield


def _listening(port: int) -> socket.socket:
    """A socket that listens on every IPv6 address and shares the port with no other.

    A socket that is only bound would not exclude sockets that share the port, nor new ones just after a connection has ended.
    """
    listener = _listener(socket.AF_INET6, (_EVERY_IPV6, port), shared=False)
    try:
        listener.listen(0)
    except OSError:
        listener.close()
        raise
    return listener


def _bind(host: str, port: int, variable: str, *, shared: bool) -> list[socket.socket]:
    found = _resolve(host, port, variable)
    tries = 1 if port else _TRIES
    while True:
        tries -= 1
        bound, failure = _bind_all(found, port, shared=shared)
        if failure is None:
            return bound
        _close(bound)
        if not tries or failure.errno != errno.EADDRINUSE:
            raise _refused(host, port, variable, failure) from failure


def _resolve(host: str, port: int, variable: str) -> list[tuple[int, tuple[Any, ...]]]:
    """The addresses of `host`, by family."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        raise StartError(f"cannot find the address {host!r} to listen on{reason}: set {variable}_HOST") from error
    addresses = [(int(family), address) for family, *_, address in found]
    if any(address[0] == _EVERY_IPV6 for _, address in addresses):
        return [(socket.AF_INET6, (_EVERY_IPV6, port)), (socket.AF_INET, (_EVERY_IPV4, port))]
    return addresses


def _bind_all(
    found: list[tuple[int, tuple[Any, ...]]], port: int, *, shared: bool
) -> tuple[list[socket.socket], OSError | None]:
    """Sockets on those addresses that the machine has, and an error, if any."""
    bound: list[socket.socket] = []
    failure: OSError | None = None
    absent: OSError | None = None
    for family, address in found:
        wanted = (address[0], bound[0].getsockname()[1] if bound and not port else port, *address[2:])
        try:
            bound.append(_listener(family, wanted, shared=shared))
        except OSError as error:
            # "localhost" has an IPv6 address even on a machine without IPv6.
            if _has_no_such_address(error):
                absent = error
            else:
                failure = error
    return bound, failure or (None if bound else absent)


def _listener(family: int, address: tuple[Any, ...], *, shared: bool) -> socket.socket:
    """A socket that is bound to one address and does not listen yet."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)  # noqa: FBT003 - positional by its signature
    return listener


def _named(address: tuple[Any, ...]) -> tuple[str, int]:
    """A socket's address in the form that the core takes: the interface, if any, follows the host."""
    host, port, *rest = address
    return (f"{host}%{rest[1]}" if rest and rest[1] else host), port


def _close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()


def _refused(host: str, port: int, variable: str, error: OSError) -> StartError:
    """The start error for `error`, with a remedy."""
    advice = _ADVICE.get(error.errno or 0, "set {variable}_HOST and {variable}_PORT")
    if error.errno == errno.EACCES and 0 < port < socket.IPPORT_RESERVED:
        advice = _PRIVILEGED
    return StartError(f"cannot listen on {authority(host, port)} ({error.strerror}): {advice.format(variable=variable)}")


def _has_no_such_address(error: OSError) -> bool:
    return error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
