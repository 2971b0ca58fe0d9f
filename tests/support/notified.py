"""The socket at which systemd hears of a service: here a test listens."""

import os
import queue
import socket
import struct
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from tests.support.waiting import PATIENCE

MARK = "X_MARK"  # what `tests.support.hanging` sends besides, so that a test knows that it would have heard
_UCRED = struct.Struct("3i")
_MARKS = 60


class Message(NamedTuple):
    """What one datagram says, and which process sent it."""

    fields: Mapping[str, str]
    sender: int


class Notified:
    """Listens from its making to its end.

    Args:
        folder: for the socket; None: one with an abstract name.
    """

    def __init__(self, folder: Path | None) -> None:
        self.address = f"@edgeclients-{uuid.uuid4()}" if folder is None else str(folder / "notify")
        self.messages: list[Message] = []
        self._queue: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(f"\0{self.address[1:]}" if folder is None else self.address)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(b"", self._socket.getsockname())
        self._thread.join(PATIENCE)
        self._socket.close()

    def env(self, watchdog: float = 0) -> dict[str, str]:
        """What systemd would tell a service that has to send a ping within so many seconds, if any."""
        pings = {"WATCHDOG_USEC": str(int(watchdog * 1_000_000))} if watchdog else {}
        return {"NOTIFY_SOCKET": self.address, **pings}

    def wait_for(self, field: str, part: str = "") -> Mapping[str, str]:
        """The next message with this field, which has this part in it."""
        while True:
            message = self._queue.get(timeout=PATIENCE)
            if part in message.fields.get(field, "") and field in message.fields:
                return message.fields

    def wait_for_silence(self, field: str) -> None:
        """Wait until many marks have come in a row without this field."""
        marks = 0
        while marks < _MARKS:
            message = self._queue.get(timeout=PATIENCE)
            if field in message.fields:
                marks = 0
            marks += MARK in message.fields

    def told(self, *fields: str) -> list[str]:
        """The messages so far that have one of these fields, each as its first such field."""
        found = (next((f"{name}={one.fields[name]}" for name in fields if name in one.fields), "") for one in self.messages)
        return [text for text in found if text]

    def _listen(self) -> None:
        while True:
            content, ancillary, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(_UCRED.size))
            if not content:
                return
            sender = next(_UCRED.unpack(data)[0] for _, kind, data in ancillary if kind == socket.SCM_CREDENTIALS)
            message = Message(dict(line.split("=", 1) for line in content.decode().splitlines()), sender)
            self.messages.append(message)
            self._queue.put(message)


def send_mark(address: str) -> None:
    """Send one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.sendto(f"{MARK}={os.getpid()}".encode(), f"\0{address[1:]}" if address.startswith("@") else address)
