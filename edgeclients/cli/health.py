"""`edgeclients health`: for containers that have no curl."""

import contextlib
import http.client
import os
import ssl
from collections.abc import Mapping, Sequence
from typing import Final

from edgeclients import settings
from edgeclients.addresses import authority
from edgeclients.cli.config import report
from edgeclients.cli.terminal import fail, say

_SECONDS = 5

_HERE: Final[Mapping[str, Sequence[str]]] = {
    "0.0.0.0": ("127.0.0.1",),  # noqa: S104 - what the settings may say
    "::": ("::1", "127.0.0.1"),  # a machine without IPv6 has the second alone
}
"""Where this machine answers on all of its addresses."""


def check() -> int:
    """0 if the service that these settings describe answers `/health` here, else 1."""
    try:
        loaded = settings.load(os.environ)
    except settings.Faults as faults:
        return report(faults)
    for host in _HERE.get(loaded.http_host, (loaded.http_host,)):
        asked = authority(host, loaded.http_port)
        try:
            status = _status(host, loaded.http_port, tls=bool(loaded.http_cert))
        except (OSError, http.client.HTTPException) as error:
            fault = f"no answer from {asked} ({error})"
            continue
        if status != http.HTTPStatus.OK:
            return fail(f"{asked} answered {status}")
        with contextlib.suppress(OSError):  # the exit code has said it
            say("healthy")
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
    # It asks this machine whether it is alive and sends nothing: which certificate answers does not matter.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
