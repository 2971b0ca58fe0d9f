"""Asks the service on this machine over HTTP."""

import http.client
import ssl
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from edgeclients.addresses import authority
from edgeclients.settings import Settings

_SECONDS = 5
_MOST_BYTES = 1024 * 1024

_LOOPBACK: Final[Mapping[str, Sequence[str]]] = {
    "0.0.0.0": ("127.0.0.1",),  # noqa: S104 - compared with settings, not bound
    "::": ("::1", "127.0.0.1"),  # without IPv6, only the second works
}
"""The loopback addresses to call for each wildcard address."""


class Unanswered(Exception):  # noqa: N818 - reads as what it is
    """There was no answer; the text says from where, and why."""


class Answer(NamedTuple):
    """An answer, and the address that it came from."""

    status: int
    body: bytes
    address: str


def ask(settings: Settings, path: str) -> Answer:
    """The answer to `GET path` of the service with these settings.

    Raises:
        Unanswered: there is none.
    """
    fault = ""
    for host in _LOOPBACK.get(settings.http_host, (settings.http_host,)):
        address = authority(host, settings.http_port)
        connection = _connection(host, settings.http_port, tls=bool(settings.http_cert))
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return Answer(response.status, response.read(_MOST_BYTES), address)
        except (OSError, http.client.HTTPException) as error:
            fault = f"no response from {address} ({error})"
        finally:
            connection.close()
    raise Unanswered(fault)


def _connection(host: str, port: int, *, tls: bool) -> http.client.HTTPConnection:
    if not tls:
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)
    # This calls its own machine and sends nothing secret: the server's certificate does not matter.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
