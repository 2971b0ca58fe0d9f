"""HTTP over the data directory's socket: a request whose body is sent while the response is read."""

import contextlib
import getpass
import http.client
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from edgeclients.errors import StartError

_PART_BYTES = 64 * 1024


class _Error(msgspec.Struct):
    message: str


class Exchange:
    """Requests to the service at a socket, each on a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextlib.contextmanager
    def open(
        self, method: str, target: str, query: Mapping[str, str], media_type: str = "", body: Iterable[bytes] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """The response to a request; `body` is sent in a thread meanwhile.

        Raises:
            StartError: the service refuses the request, or goes away; the text is its reason.
        """
        connection = _Connection(self._path)
        sender = None
        try:
            connection.putrequest(method, f"{target}?{urlencode(query)}")
            connection.putheader("authorization", f"Bearer cli:{_user()}"[:4096])
            if media_type:
                connection.putheader("content-type", media_type)
            if body is not None:
                connection.putheader("transfer-encoding", "chunked")
            connection.endheaders()
            if body is not None:
                sender = _Sender(connection.sock, body)
                sender.start()
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise StartError(_reason(response))
            yield response
            if sender is not None:
                sender.join()
                if sender.error is not None:
                    raise sender.error
        except (OSError, http.client.HTTPException) as error:
            raise (sender and sender.error) or StartError(f"the service has gone away ({error})") from error
        finally:
            if sender is not None:
                sender.stop()
            connection.close()


class _Connection(http.client.HTTPConnection):
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


def _reason(response: http.client.HTTPResponse) -> str:
    content = response.read(_PART_BYTES)
    try:
        return msgspec.json.decode(content, type=_Error).message
    except msgspec.MsgspecError:
        return f"the service answers {response.status}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers
        return "unknown"
