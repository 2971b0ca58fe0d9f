"""Ports for what has to be told where to listen, and listens there again after it was stopped."""

import contextlib
import secrets
import socket
from pathlib import Path

_LOWEST, _USUALLY_GIVEN = 10_000, 32_768
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port nobody listens on, outside the range from which those are given one who ask for any."""
    given = max(int(_RANGE.read_text().split()[0]), _USUALLY_GIVEN)
    while True:
        port = _LOWEST + secrets.randbelow(given - _LOWEST)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
