"""The file with the secrets that an import makes: on disk before any of them counts, and without those that never did.

While the import runs it is `FILE.part`. Its first line says which import it belongs to, so that a run after a kill goes on
with the same secrets.
"""

import csv
import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import msgspec

from edgeclients.core.provisioning.record import Generated
from edgeclients.errors import StartError
from edgeclients.files import sync_directory
from edgeclients.text import to_cell

_encode = msgspec.json.Encoder().encode

HEADER = ("id", "external_id", "name", "domain_id", "secret")


class Owner(msgspec.Struct, frozen=True):
    """The import that a file belongs to."""

    domain: str
    sha256: str


class Entry(NamedTuple):
    """A line of the imported file, and the id and secret of the client that it may create."""

    line: int
    generated: Generated
    external_id: str
    name: str


class SecretsFile:
    """The file while the import runs.

    Args:
        path: its name at the end.
        owner: the import.
    """

    def __init__(self, path: Path, owner: Owner) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._owner = owner
        self._known: dict[int, Generated] = {}

    def __enter__(self) -> Self:
        """Open it, with what a run before has left.

        Raises:
            StartError: it cannot be written, or belongs to another import.
        """
        try:
            descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            self._file: BinaryIO = os.fdopen(descriptor, "r+b")
            os.fchmod(descriptor, 0o600)
        except OSError as error:
            raise StartError(f"{self._part} cannot be written ({error.strerror}): choose another --secrets-out") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise StartError(f"{self._part} is in use by another import: wait until that has ended") from error
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def generated(self, line: int) -> Generated | None:
        """What a run before has made for a line."""
        return self._known.get(line)

    def add(self, entries: Sequence[Entry]) -> None:
        """Write entries, so that they survive a power cut.

        Raises:
            StartError: the disk is full.
        """
        text = b"".join(_encode(one) + b"\n" for one in entries if one.line not in self._known)
        try:
            self._file.write(text)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StartError(f"{self._part} cannot be written ({error.strerror}): free some space, and run it again") from error

    def finish(self, held: set[int]) -> int:
        """Give the file its name, with the lines whose secrets count; returns how many. Without any there is no file.

        Raises:
            StartError: it cannot be written.
        """
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            if held:
                new.unlink(missing_ok=True)
                self._write_final(new, held)
                os.link(new, self._path)  # unlike `rename` it replaces nothing
                new.unlink()
            self._part.unlink()
            sync_directory(self._path.parent)
        except OSError as error:
            raise StartError(
                f"{self._path} cannot be written ({error.strerror}): the secrets are in {self._part}; run the import again"
            ) from error
        return len(held)

    def _write_final(self, new: Path, held: set[int]) -> None:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(self._final(held))
            file.flush()
            os.fsync(descriptor)

    def _read(self) -> None:
        first = self._file.readline()
        if not first:
            self._file.write(_encode(self._owner) + b"\n")
            return
        try:
            owner = msgspec.json.decode(first, type=Owner)
        except msgspec.MsgspecError:
            owner = None
        if owner != self._owner:
            raise StartError(
                f"{self._part} has secrets of another import: finish that one, or keep the file elsewhere and run this again"
            )
        end = len(first)
        for line in self._file:
            if not line.endswith(b"\n"):
                break  # a kill has cut it
            entry = msgspec.json.decode(line, type=Entry)
            self._known[entry.line] = entry.generated
            end += len(line)
        self._file.seek(end)
        self._file.truncate()

    def _final(self, held: set[int]) -> Iterator[Iterable[str]]:
        yield HEADER
        self._file.seek(0)
        self._file.readline()
        for line in self._file:
            entry = msgspec.json.decode(line, type=Entry)
            if entry.line in held:
                names = (to_cell(entry.external_id), to_cell(entry.name))
                yield (entry.generated.id, *names, self._owner.domain, entry.generated.secret)
