"""`edgeclients health`: for containers that have no curl."""

import http.client
import os
import ssl
import sys

from edgeclients import settings
from edgeclients.cli.config import report

_SECONDS = 5


def check() -> int:
    """0 if the service that these settings describe answers `/health` here, else 1."""
    try:
        loaded = settings.load(os.environ)
    except settings.Faults as faults:
        return report(faults)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(loaded.http_host, loaded.http_host)  # noqa: S104
    connection = _connection(host, loaded.http_port, tls=bool(loaded.http_cert))
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"edgeclients: no answer from {host}:{loaded.http_port} ({error})", file=sys.stderr)
        return 1
    finally:
        connection.close()
    if status != http.HTTPStatus.OK:
        print(f"edgeclients: {host}:{loaded.http_port} answered {status}", file=sys.stderr)
        return 1
    print("healthy")
    return 0


def _connection(host: str, port: int, *, tls: bool) -> http.client.HTTPConnection:
    if not tls:
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)
    # It asks this machine whether it is alive and sends nothing: which certificate answers does not matter.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
