"""Ports as the system has them: who listens where, and who is let in."""

import socket
from typing import Any

import psutil

from tests.support.ports import free_port

V4, V6 = "127.0.0.1", "::1"


def families() -> frozenset[str]:
    """The loopback addresses that this machine has."""
    return frozenset(host for host, family in ((V4, socket.AF_INET), (V6, socket.AF_INET6)) if _has(host, family))


def named(name: str) -> set[str]:
    """The addresses that this machine knows `name` by."""
    return {str(address[0]) for *_, address in socket.getaddrinfo(name, 0, type=socket.SOCK_STREAM)}


def let_in(port: int) -> set[str]:
    """The loopback addresses on which somebody takes connections at `port`."""
    return {host for host in (V4, V6) if _connects(host, port)}


def listening(pid: int, port: int) -> set[tuple[int, str]]:
    """Family and address of each socket on which the process listens at `port`."""
    found: list[Any] = psutil.Process(pid).net_connections("tcp")
    return {(one.family, one.laddr.ip) for one in found if one.status == psutil.CONN_LISTEN and one.laddr.port == port}


def just_used() -> int:
    """A free port on which a connection over IPv6, or IPv4 where there is none, has just ended."""
    host = max(families())
    with socket.create_server((host, free_port()), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        port = int(server.getsockname()[1])
        with socket.create_connection((host, port)) as caller:
            server.accept()[0].close()  # who closes first is who remembers it
            assert caller.recv(1) == b""
    return port


def _has(host: str, family: int) -> bool:
    try:
        with socket.socket(family) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def _connects(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 10).close()
    except OSError:
        return False
    return True
