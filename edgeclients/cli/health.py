"""`edgeclients health`: a health check for containers without curl."""

import contextlib
import http.client
import os
import ssl
from collections.abc import Mapping, Sequence
from typing import Final

from edgeclients import settings
from edgeclients.addresses import authority
from edgeclients.cli.config import report
from edgeclients.cli.terminal import fail, write_out

_SECONDS = 5

_LOOPBACK: Final[Mapping[str, Sequence[str]]] = {
    "0.0.0.0": ("127.0.0.1",),  # noqa: S104 - compared with settings, not bound
    "::": ("::1", "127.0.0.1"),  # without IPv6, only the second works
}
"""The loopback addresses to call for each wildcard address."""


def check() -> int:
    """0 if the service with these settings answers `/health` on this machine, else 1."""
    try:
        loaded = settings.load(os.environ)
    except settings.Faults as faults:
        return report(faults)
    for host in _LOOPBACK.get(loaded.http_host, (loaded.http_host,)):
        address = authority(host, loaded.http_port)
        try:
            status = _status(host, loaded.http_port, tls=bool(loaded.http_cert))
        except (OSError, http.client.HTTPException) as error:
            fault = f"no response from {address} ({error})"
            continue
        if status != http.HTTPStatus.OK:
            return fail(f"{address} returned status {status}")
        with contextlib.suppress(OSError):  # the exit code reports it anyway
            write_out("healthy")
        return 0
    return fail(fault)


def _status(host: str, port: int, *, tls: bool) -> int:
    connection = _connection(host, port, tls=tls)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    finally:
        connection.close()


def _connection(host: str, port: int, *, tls: bool) -> http.client.HTTPConnection:
    if not tls:
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)
    # The check calls its own machine and sends nothing secret: the server's certificate does not matter.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
