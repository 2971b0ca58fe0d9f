"""A DNS server for a few names, on an address of this machine."""

import socket
import struct
import threading
from collections.abc import Mapping
from typing import Self

_PORT = 53
_ADDRESS, _INTERNET = 1, 1
_SECONDS = 1  # that an answer may be kept


class Names:
    """Answers for `addresses` at `host`; other names do not exist."""

    def __init__(self, host: str, addresses: Mapping[str, str]) -> None:
        self._addresses = {name.encode(): socket.inet_aton(address) for name, address in addresses.items()}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, _PORT))
        self._host = host
        self._thread = threading.Thread(target=self._answer_all)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (self._host, _PORT))
        self._thread.join()
        self._socket.close()

    def _answer_all(self) -> None:
        while True:
            question, asker = self._socket.recvfrom(4096)
            if not question:
                return
            self._socket.sendto(self._answer(question), asker)

    def _answer(self, message: bytes) -> bytes:
        """RFC 1035, 4.1: the header, the question, and an address if there is one."""
        labels, end = [], 12
        while length := message[end]:
            labels.append(message[end + 1 : end + 1 + length])
            end += 1 + length
        (kind,) = struct.unpack_from(">H", message, end + 1)
        address = self._addresses.get(b".".join(labels).lower())
        known = address is not None and kind == _ADDRESS
        flags = 0x8180 | (0 if address else 3)
        header = struct.pack(">2sHHHHH", message[:2], flags, 1, int(known), 0, 0)
        record = struct.pack(">HHHIH", 0xC00C, _ADDRESS, _INTERNET, _SECONDS, 4) + (address or b"") if known else b""
        return header + message[12 : end + 5] + record
