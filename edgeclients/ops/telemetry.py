"""Telemetry: which version runs how, told once a day to a server that the settings name (design 9).

A thread of its own does it, and nobody waits for that: not the start, not a request, not the end.
"""

import http.client
import logging
import socket
import ssl
import sys
import threading
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from os import uname
from urllib.parse import unquote, urlsplit
from uuid import UUID

import msgspec

from edgeclients import __version__

_log = logging.getLogger(__name__)

DAY = 24 * 3600.0
SECONDS = 10.0  # for one attempt, whatever the server does


def document(mode: str, store_id: str) -> dict[str, str]:
    """All that is sent. The id is random, one for each store, and says nothing to whoever knows it of the store's own."""
    instance_id = UUID(bytes=sha256(b"edgeclients telemetry " + store_id.encode()).digest()[:16], version=4)
    return {
        "version": __version__,
        "mode": mode,
        "platform": f"{sys.platform}-{uname().machine}",
        "instance_id": str(instance_id),
    }


class Telemetry:
    """Sends a document to one server, now and then again and again until it is stopped.

    Args:
        url: of the server.
        sent: the document.
        interval: seconds between two attempts.
        patience: seconds for one of them.
    """

    def __init__(self, url: str, sent: Mapping[str, str], interval: float = DAY, patience: float = SECONDS) -> None:
        self._url = url
        self._body = msgspec.json.encode(sent)
        self._interval = interval
        self._patience = patience
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def start(self) -> None:
        """Begin."""
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads: nothing fails for want of this one
            _log.info("telemetry could not be sent", extra={"error": str(error)})

    def stop(self) -> None:
        """Send no more."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                status = self._send()
                _log.debug("telemetry was sent", extra={"status": status})
            except (OSError, http.client.HTTPException, ValueError) as error:
                _log.info("telemetry could not be sent", extra={"error": type(error).__name__})
            self._stopped.wait(self._interval)

    def _send(self) -> int:
        """The status of the answer, of which nothing more is read: no redirect is followed."""
        parts = urlsplit(self._url)
        connection = _connection(parts.scheme, parts.hostname or "", parts.port, self._patience)
        watchdog = threading.Timer(self._patience, _cut, (connection,))
        watchdog.daemon = True
        watchdog.start()
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, self._body, _headers(parts.username, parts.password))
            return connection.getresponse().status
        finally:
            watchdog.cancel()
            connection.close()


def _connection(scheme: str, host: str, port: int | None, seconds: float) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=seconds, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=seconds)


def _headers(user: str | None, password: str | None) -> dict[str, str]:
    headers = {"content-type": "application/json", "user-agent": f"edgeclients/{__version__}", "connection": "close"}
    if user is not None:
        pair = f"{unquote(user)}:{unquote(password or '')}"
        headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return headers


def _cut(connection: http.client.HTTPConnection) -> None:
    """End a connection that another thread waits for; each of its reads has a limit, all of them together have not."""
    sock: socket.socket | None = connection.sock
    if sock is not None:
        try:
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # of TLS, too, without its leave-taking
        except OSError:
            _log.debug("it was over")
