"""Telemetry: sends version, mode and platform once a day to the server that the settings name (schema/README.md#telemetry).

A separate thread sends it. Neither the start, nor a request, nor the shutdown waits for it.
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
SECONDS = 10.0  # for one attempt, regardless of the server


def document(mode: str, store_id: str) -> dict[str, str]:
    """The document to send. Its random id identifies the store, but does not reveal the store's own id."""
    instance_id = UUID(bytes=sha256(b"edgeclients telemetry " + store_id.encode()).digest()[:16], version=4)
    return {
        "version": __version__,
        "mode": mode,
        "platform": f"{sys.platform}-{uname().machine}",
        "instance_id": str(instance_id),
    }


class Telemetry:
    """Sends a document to a server, at the start and then at intervals, until it is stopped.

    Args:
        url: the server's URL.
        sent: the document.
        interval: seconds between two attempts.
        patience: time limit of one attempt, in seconds.
    """

    def __init__(self, url: str, sent: Mapping[str, str], interval: float = DAY, patience: float = SECONDS) -> None:
        self._url = url
        self._body = msgspec.json.encode(sent)
        self._interval = interval
        self._patience = patience
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        try:
            self._thread.start()
        except RuntimeError as error:  # no thread available: the service runs without telemetry
            _log.info("telemetry could not be sent", extra={"error": str(error)})

    def stop(self) -> None:
        """Stop sending."""
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
        """The status of the response. Its body is not read, and no redirect is followed."""
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
    """Shut down a connection that another thread waits for: its timeout limits each read, but not all reads together."""
    sock: socket.socket | None = connection.sock
    if sock is not None:
        try:
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # also under TLS, without a closing alert
        except OSError:
            _log.debug("the telemetry connection was closed already")
