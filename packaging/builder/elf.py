"""What an ELF file needs of the system that it runs on, read without tools."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"\x7fELF"
_LITTLE = 1
_LOAD, _DYNAMIC = 1, 2
_INTERPRETER = 3
_NEEDED, _STRTAB = 1, 5


@dataclass(frozen=True)
class Elf:
    """One program or library.

    Attributes:
        machine: the number of its architecture.
        needed: the libraries that it is linked with.
        loader: the path of the program that loads them; empty in a library.
    """

    machine: int
    needed: tuple[str, ...]
    loader: str


def read(path: Path) -> Elf | None:
    """What `path` needs; None if it is not an ELF file, or not one of a little-endian machine."""
    with path.open("rb") as file:
        if not is_elf(file.read(6)):
            return None
        file.seek(0)
        try:
            return _Reader(file.read()).elf()
        except (struct.error, ValueError):
            return None  # cut short


def is_elf(start: bytes) -> bool:
    """Whether a file with these first six bytes is an ELF file of a little-endian machine."""
    return start[:4] == _MAGIC and len(start) > 5 and start[5] == _LITTLE


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._wide = data[4] == 2
        self._machine = self._unpack("H", 18)[0]
        self._segments = list(self._program_headers())

    def elf(self) -> Elf:
        entries = list(self._dynamic())
        strings = self._offset(dict(entries).get(_STRTAB, 0))
        needed = tuple(self._text(strings + value) for tag, value in entries if tag == _NEEDED)
        return Elf(self._machine, needed, self._loader())

    def _loader(self) -> str:
        return next((self._text(offset) for kind, offset, _, _ in self._segments if kind == _INTERPRETER), "")

    def _unpack(self, form: str, offset: int) -> tuple[int, ...]:
        return struct.unpack_from(f"<{form}", self._data, offset)

    def _program_headers(self) -> Iterator[tuple[int, int, int, int]]:
        """Type, offset, address and size in the file of each segment."""
        (start,) = self._unpack("Q", 32) if self._wide else self._unpack("I", 28)
        size, count = self._unpack("HH", 54 if self._wide else 42)
        for place in range(start, start + size * count, size or 1):
            if self._wide:
                kind, _, offset, address, _, length = self._unpack("IIQQQQ", place)
            else:
                kind, offset, address, _, length = self._unpack("IIIII", place)
            yield kind, offset, address, length

    def _dynamic(self) -> Iterator[tuple[int, int]]:
        """Tag and value of each entry of the dynamic section."""
        form, width = ("QQ", 16) if self._wide else ("II", 8)
        for kind, offset, _, length in self._segments:
            if kind == _DYNAMIC:
                for place in range(offset, offset + length, width):
                    tag, value = self._unpack(form, place)
                    yield tag, value

    def _offset(self, address: int) -> int:
        """Where in the file an address is."""
        for kind, offset, start, length in self._segments:
            if kind == _LOAD and start <= address < start + length:
                return address - start + offset
        return 0

    def _text(self, offset: int) -> str:
        return self._data[offset : self._data.index(b"\0", offset)].decode()
