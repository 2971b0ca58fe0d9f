"""The file with the secrets that an import makes: on disk before any of them counts, and without those that never did.

While the import runs it is `FILE.part`. Its first line says which import it belongs to, so that a run after a kill goes on
with the same secrets.
"""

import contextlib
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
_HEADER_LINE = ",".join(HEADER).encode()


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
        self._part, self._new = names_on_the_way(path)
        self._owner = owner
        self._own_line = _encode(owner) + b"\n"
        self._known: dict[int, Generated] = {}
        self._is_empty = True

    def __enter__(self) -> Self:
        """Open it, with what a run before has left.

        Raises:
            StartError: it cannot be written, or belongs to another import.
        """
        _check_new(self._new)
        self._file = _locked(self._part)
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close it; if no secret was ever in it, it is gone."""
        if self._is_empty:
            self._part.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it tries once more to write what could not be written
            self._file.close()

    @property
    def was_begun(self) -> bool:
        """Whether a run before has made secrets."""
        return bool(self._known)

    @property
    def is_empty(self) -> bool:
        """Whether no run has made a secret."""
        return self._is_empty

    def generated(self, line: int) -> Generated | None:
        """What a run before has made for a line."""
        return self._known.get(line)

    def add(self, entries: Sequence[Entry]) -> None:
        """Write entries, so that they survive a power cut.

        Raises:
            StartError: the disk is full.
        """
        text = b"".join(_encode(one) + b"\n" for one in entries if one.line not in self._known)
        if not text:
            return
        try:
            if self._is_empty:
                self._is_empty = False
                self._file.write(self._own_line)
            self._file.write(text)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StartError(f"{self._part} cannot be written ({error.strerror}): free some space, and run it again") from error

    def entries(self) -> Iterator[Entry]:
        """All entries, of this run and those before."""
        self._file.seek(0)
        self._file.readline()
        for line in self._file:
            yield msgspec.json.decode(line, type=Entry)

    def finish(self, held: set[int]) -> int:
        """Give the file its name, with the lines whose secrets count; returns how many. Without any there is no file.

        Raises:
            StartError: it cannot be written.
        """
        try:
            if held:
                self._new.unlink(missing_ok=True)
                self._write_final(held)
                os.link(self._new, self._path)  # unlike `rename` it replaces nothing
            self._is_empty = True
            self._part.unlink(missing_ok=True)
            self._new.unlink(missing_ok=True)  # as the last: while it is there, `finished` sees what is done
            sync_directory(self._path.parent)
        except OSError as error:
            raise StartError(
                f"{self._path} cannot be written ({error.strerror}): the secrets are in {self._part}; run the import again"
            ) from error
        return len(held)

    def _write_final(self, held: set[int]) -> None:
        descriptor = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(self._final(held))
            file.flush()
            os.fsync(descriptor)

    def _read(self) -> None:
        first = self._file.readline()
        end = len(first)
        if not self._own_line.startswith(first):  # a kill may have cut it
            raise StartError(
                f"{self._part} has secrets of another import: finish that one, or keep the file elsewhere and run this again"
            )
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            entry = msgspec.json.decode(line, type=Entry)
            self._known[entry.line] = entry.generated
            end += len(line)
        self._is_empty = not self._known
        self._file.seek(end if self._known else 0)
        self._file.truncate()

    def _final(self, held: set[int]) -> Iterator[Iterable[str]]:
        yield HEADER
        for entry in self.entries():
            if entry.line in held:
                names = (to_cell(entry.external_id), to_cell(entry.name))
                yield (entry.generated.id, *names, self._owner.domain, entry.generated.secret)


def names_on_the_way(path: Path) -> tuple[Path, Path]:
    """The names that a file of secrets has before its own: while the import runs, and while it is finished."""
    return path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.new")


def finished(path: Path, owner: Owner) -> bool:
    """Whether a run was ended when it had just finished the file at `path`, which exists; its other names are gone then.

    Raises:
        StartError: the file is another one, and there are secrets of this import.
    """
    part, new = names_on_the_way(path)
    try:
        if new.exists() and new.samefile(path):
            part.unlink(missing_ok=True)
            new.unlink()
            return True
        with part.open("rb") as file:
            unfinished = file.readline() == _encode(owner) + b"\n"
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StartError(f"{part} cannot be read ({error.strerror}): choose another --secrets-out") from error
    if unfinished:
        raise StartError(f"{path} exists, and {part} has secrets of this import: keep {path} elsewhere, and run it again")
    return False


def _locked(path: Path) -> BinaryIO:
    """The file at `path`, made if need be, for this process alone."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            file: BinaryIO = os.fdopen(descriptor, "r+b")
            os.fchmod(descriptor, 0o600)
        except OSError as error:
            raise StartError(f"{path} cannot be written ({error.strerror}): choose another --secrets-out") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                return file
        except OSError as error:
            file.close()
            raise StartError(f"{path} is in use by another import: wait until that has ended") from error
        file.close()  # another import has just ended, and removed it


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _check_new(path: Path) -> None:
    """Raise `StartError` if a file at `path` is none of ours: it would be replaced."""
    try:
        with path.open("rb") as file:
            begins = file.read(len(_HEADER_LINE))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StartError(f"{path} cannot be read ({error.strerror}): choose another --secrets-out") from error
    if not _HEADER_LINE.startswith(begins):
        raise StartError(f"{path} exists, and would be replaced: choose another --secrets-out")
