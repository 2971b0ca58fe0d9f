"""A caller that writes its bytes itself: slowly, wrongly, by halves."""

import json
import socket
import struct
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.support.service import Service
from tests.support.waiting import PATIENCE


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        """Its code, after a look at the shape all errors have."""
        assert self.headers["content-type"] == "application/json", self
        told: dict[str, Any] = json.loads(self.body)
        assert told["message"]
        return str(told["error"])


class Raw:
    """One connection to the HTTP port."""

    def __init__(self, service: Service, receive_buffer: int = 0) -> None:
        address = urlsplit(service.http)
        self.socket = socket.socket(socket.AF_INET)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(("127.0.0.1", address.port))
        self._buffer = b""

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, content: bytes) -> "Raw":
        """Send all of it."""
        self.socket.sendall(content)
        return self

    def send_until_refused(self, content: bytes, times: int) -> int:
        """Send it over and over; how often, before the other side let go."""
        for sent in range(times):
            try:
                self.socket.sendall(content)
            except OSError:
                return sent
        return times

    def answer(self) -> Answer:
        """The next answer, whole."""
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        length = int(headers.get("content-length", "0"))
        while len(self._buffer) < length:
            self._more()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Answer(int(head[0].split(" ")[1]), headers, body)

    def closed(self) -> bool:
        """Wait until the other side has closed; False if it sends more instead."""
        try:
            return not self._buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def reset(self) -> None:
        """Cut the connection, and throw away what is on its way."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._more()
        found, self._buffer = self._buffer.split(mark, 1)
        return found

    def _more(self) -> None:
        received = self.socket.recv(65536)
        if not received:
            raise ConnectionError(f"closed after {self._buffer!r}")
        self._buffer += received


def request(service: Service, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A request as bytes, with the operator's token; `headers` in place of what it would say."""
    wanted = {
        "host": "localhost",
        "authorization": headers.pop("authorization", "") or f"Bearer {service.token}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in wanted.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode() + body
