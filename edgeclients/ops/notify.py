"""Sends messages to systemd (sd_notify(3)): a datagram for each, without waiting."""

import errno
import logging
import socket
from collections import deque
from collections.abc import Mapping

_log = logging.getLogger(__name__)

_MOST_UNSENT = 32  # messages
_STATUS = 500  # characters
_FULL = {errno.EAGAIN, errno.ENOBUFS}


class NotifySocket:
    """The socket that systemd passes in `NOTIFY_SOCKET`. Failures are logged once and are no errors.

    Args:
        address: a path, or `@` and an abstract name.
    """

    def __init__(self, address: str) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._unsent: deque[bytes] = deque(maxlen=_MOST_UNSENT)
        self._socket: socket.socket | None = None
        self._failed = False
        if not address.startswith(("/", "@")):
            self._log_failure("it is neither a path nor an abstract socket")
            return
        try:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        except OSError as error:
            self._log_failure(str(error))

    def send(self, *lines: str) -> None:
        """Send a message that must arrive, in order: if the queue of systemd is full, `resend` sends it later."""
        self._unsent.append(_encoded(lines))
        self.resend()

    def resend(self) -> None:
        """Send the messages of `send` that could not be sent yet."""
        while self._unsent and self._send(self._unsent[0]):
            self._unsent.popleft()

    def hint(self, *lines: str) -> None:
        """Send a message that may be lost, because it is repeated; from any thread."""
        self._send(_encoded(lines))

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: bytes) -> bool:
        """Whether the message is done with: it was sent, or cannot be sent at all."""
        if self._socket is None:
            return True
        try:
            self._socket.sendto(message, self._address)
        except OSError as error:
            if error.errno in _FULL:
                return False
            self._log_failure(str(error))
        return True

    def _log_failure(self, reason: str) -> None:
        if not self._failed:
            self._failed = True
            _log.error("systemd cannot be notified", extra={"error": reason})


def status(text: str) -> str:
    """The line that shows `text` in `systemctl status`."""
    return f"STATUS={' '.join(text.split())[:_STATUS]}"


def watchdog_seconds(environ: Mapping[str, str], process: int) -> float:
    """The longest pause between two reports of this process, in seconds; 0 if systemd wants none.

    Args:
        environ: the environment.
        process: the id of this process, which `WATCHDOG_PID` names unless it is another's.
    """
    given = environ.get("WATCHDOG_USEC", "")
    if (environ.get("WATCHDOG_PID") or str(process)) != str(process) or not given.isdecimal():
        return 0
    return int(given) / 1_000_000


def _encoded(lines: tuple[str, ...]) -> bytes:
    return "\n".join(lines).encode(errors="replace")
