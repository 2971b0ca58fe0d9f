"""HTTP to a service: on the data directory's socket, or at an address."""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from edgeclients import system_user
from edgeclients.core.provisioning.lines import LONGEST
from edgeclients.errors import StartError
from edgeclients.unix_sockets import address_of

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
    def at_socket(cls, path: Path, seconds: float | None = None) -> "Exchange":
        """Requests on the data directory's socket, in the name of the system's user; `seconds` to wait for it, None: any."""
        return cls(lambda: _SocketConnection(path, seconds), system_user.actor())

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
        with self.open(method, target, query or {}, "application/json", content) as answer:
            found = answer.read(_LONGEST_ANSWER)
        return msgspec.json.decode(found) if found else None

    @contextlib.contextmanager
    def open(
        self, method: str, target: str, query: Mapping[str, str], media_type: str = "", body: Iterable[bytes] | None = None
    ) -> Iterator["Answer"]:
        """The answer to a request; `body` is sent in a thread meanwhile.

        What the source of the body raises is raised here, whatever else that leads to: it is the reason.

        Raises:
            RefusedError: the service refuses the request; the text is its reason.
            StartError: it cannot be reached, or goes away.
        """
        connection = self._connect()
        sender = None
        try:
            with _in_reach():
                connection.putrequest(method, f"{target}?{urlencode(query)}" if query else target)
                connection.putheader("authorization", f"Bearer {self._token}".encode(errors="surrogateescape"))
                if media_type:
                    connection.putheader("content-type", media_type)
                if body is not None:
                    connection.putheader("transfer-encoding", "chunked")
                connection.endheaders()
                if body is not None:
                    sender = _Sender(connection.sock, body)
                    sender.start()
                response = connection.getresponse()
            yield Answer(_accepted(response))
        except Exception as error:
            if sender is not None and sender.error is not None:
                raise sender.error from error
            raise
        finally:
            if sender is not None:
                sender.stop()
            connection.close()


class Answer:
    """What a service answers. Reading raises `StartError` if it goes away."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response

    def read(self, size: int) -> bytes:
        """So many bytes, or fewer; none at the end."""
        with _in_reach():
            return self._response.read(size)

    def __iter__(self) -> Iterator[bytes]:
        """The lines."""
        while line := self._line():
            yield line

    def _line(self) -> bytes:
        with _in_reach():
            return self._response.readline()


@contextlib.contextmanager
def _in_reach() -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise StartError(f"the service cannot be reached, or has gone away ({error})") from error


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, seconds: float | None) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with address_of(self._path) as address:
            self.sock.connect(address)


class _Sender(threading.Thread):
    """Sends a body; `error` is what its source raised.

    Then the body ends with a line that is too long for every service. So the service ends the request by itself: it has
    written what it told, and nothing later.
    """

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
                self._to.sendall(b"%x\r\n%b\r\n" % (LONGEST + 2, b"x" * (LONGEST + 2)))
                self._to.sendall(b"0\r\n\r\n")

    def stop(self) -> None:
        """Send no more, and wait until the source is left alone."""
        self._stopped = True
        with contextlib.suppress(OSError):
            self._to.shutdown(socket.SHUT_RDWR)
        self.join()


def _accepted(response: http.client.HTTPResponse) -> http.client.HTTPResponse:
    """The response to a request that the service takes.

    Raises:
        RefusedError: it does not.
    """
    if http.client.OK <= response.status < http.client.MULTIPLE_CHOICES:
        return response
    with _in_reach():
        content = response.read(_PART_BYTES)
    try:
        error = msgspec.json.decode(content, type=_Error)
    except msgspec.MsgspecError as fault:
        raise RefusedError(f"the service answers {response.status}", "") from fault
    raise RefusedError(error.message, error.error)
