"""HTTP to a service: on the data directory's socket, or at an address."""

import contextlib
import getpass
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from edgeclients.errors import StartError

_PART_BYTES = 64 * 1024
_LONGEST_ANSWER = 64 * 1024 * 1024
_SECONDS = 60.0  # to wait for a service elsewhere


class RefusedError(StartError):
    """The service refuses a request; `code` is its stable name of the reason."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class _Error(msgspec.Struct):
    message: str
    error: str = ""


class Exchange:
    """Requests to a service, each on a connection of its own.

    Args:
        connect: makes a connection.
        token: the caller's.
    """

    def __init__(self, connect: Callable[[], http.client.HTTPConnection], token: str) -> None:
        self._connect = connect
        self._token = token

    @classmethod
    def at_socket(cls, path: Path) -> "Exchange":
        """Requests on the data directory's socket, in the name of the system's user."""
        return cls(lambda: _SocketConnection(path), f"cli:{_user()}")

    @classmethod
    def at_address(cls, url: str, token: str) -> "Exchange":
        """Requests to a service at an address.

        Raises:
            StartError: it is none.
        """
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if parts.scheme not in {"http", "https"} or host is None or parts.path.strip("/") or parts.query:
            raise StartError(f"{url} is no address of a service, such as https://gateway.example:9006")
        if parts.scheme == "https":
            context = ssl.create_default_context()
            return cls(lambda: http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context), token)
        return cls(lambda: http.client.HTTPConnection(host, port, timeout=_SECONDS), token)

    def call(self, method: str, target: str, query: Mapping[str, str] | None = None, body: object = None) -> Any:
        """The JSON that answers a request with a JSON body; None for an answer without content.

        Raises:
            RefusedError, StartError: see `open`.
        """
        content = None if body is None else [msgspec.json.encode(body)]
        with self.open(method, target, query or {}, "application/json", content) as response:
            answer = response.read(_LONGEST_ANSWER)
        return msgspec.json.decode(answer) if answer else None

    @contextlib.contextmanager
    def open(
        self, method: str, target: str, query: Mapping[str, str], media_type: str = "", body: Iterable[bytes] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """The response to a request; `body` is sent in a thread meanwhile.

        Raises:
            RefusedError: the service refuses the request; the text is its reason.
            StartError: it cannot be reached, or goes away.
        """
        connection = self._connect()
        sender = None
        try:
            connection.putrequest(method, f"{target}?{urlencode(query)}" if query else target)
            connection.putheader("authorization", f"Bearer {self._token}")
            if media_type:
                connection.putheader("content-type", media_type)
            if body is not None:
                connection.putheader("transfer-encoding", "chunked")
            connection.endheaders()
            if body is not None:
                sender = _Sender(connection.sock, body)
                sender.start()
            response = connection.getresponse()
            if not http.client.OK <= response.status < http.client.MULTIPLE_CHOICES:
                raise _refusal(response)
            yield response
            if sender is not None:
                sender.join()
                if sender.error is not None:
                    raise sender.error
        except (OSError, http.client.HTTPException) as error:
            reason = f"the service cannot be reached, or has gone away ({error})"
            raise (sender and sender.error) or StartError(reason) from error
        finally:
            if sender is not None:
                sender.stop()
            connection.close()


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


class _Sender(threading.Thread):
    """Sends a body; `error` is what its source raised."""

    def __init__(self, to: socket.socket, body: Iterable[bytes]) -> None:
        super().__init__(daemon=True)
        self._to = to
        self._body = body
        self._stopped = False
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            for part in self._body:
                if self._stopped:
                    return
                if part:
                    self._to.sendall(b"%x\r\n%b\r\n" % (len(part), part))
            self._to.sendall(b"0\r\n\r\n")
        except OSError:
            return  # the response tells why
        except BaseException as error:  # noqa: BLE001 - it is raised where the response is read
            self.error = error
            with contextlib.suppress(OSError):
                self._to.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Send no more, and wait until the source is left alone."""
        self._stopped = True
        with contextlib.suppress(OSError):
            self._to.shutdown(socket.SHUT_RDWR)
        self.join()


def _refusal(response: http.client.HTTPResponse) -> RefusedError:
    content = response.read(_PART_BYTES)
    try:
        error = msgspec.json.decode(content, type=_Error)
    except msgspec.MsgspecError:
        return RefusedError(f"the service answers {response.status}", "")
    return RefusedError(error.message, error.error)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers
        return "unknown"
