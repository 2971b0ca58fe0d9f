"""Reads a backup: nothing is believed but the names of its files, and everything is compared with the manifest.

Python's `tarfile` would follow headers that make it read or write without a bound.
"""

import contextlib
import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from edgeclients.files import sync_directory
from edgeclients.ops.backup import manifest
from edgeclients.ops.backup.manifest import BadBackup, Entry
from edgeclients.ops.backup.packing import PIECE_BYTES
from edgeclients.ops.backup.streams import Readable

_CUT = "is cut short or damaged: use another backup"
_END = bytes(2 * tarfile.BLOCKSIZE)


class Archive:
    """A backup that is read once, from its beginning; `manifest` is known at once.

    Args:
        file: decrypted.

    Raises:
        BadBackup: it is no backup, or of a newer program.
    """

    def __init__(self, file: Readable) -> None:
        self._file = gzip.GzipFile(fileobj=file, mode="rb")  # type: ignore[call-overload]  # it needs no more than this
        with _read_faults("is not a backup of edgeclients: name another file"):
            head = self._head()
        if head.name != manifest.NAME or head.size > manifest.MOST_BYTES:
            raise BadBackup("is not a backup of edgeclients: name another file")
        with _read_faults(_CUT):
            content = self._exactly(head.size)
            self._exactly(_padding(head.size))
        self.manifest = manifest.read(content)

    def extract(self, folder: Path) -> None:
        """Write all files into the empty `folder`, mode 0600, durable when this returns.

        Raises:
            BadBackup: they are not those of the manifest. Some may have been written.
            OSError: they cannot be written.
        """
        for entry in self.manifest.files:
            self._extract(entry, folder)
        with _read_faults(_CUT):
            end = self._file.read(len(_END) + 1)  # reading past the end has the last checksums compared
        if end != _END:
            raise BadBackup(_CUT)
        sync_directory(folder)

    def _extract(self, entry: Entry, folder: Path) -> None:
        with _read_faults(_CUT):
            head = self._head()
        if (head.name, head.size) != (entry.name, entry.size):
            raise BadBackup(_CUT)
        digest = hashlib.sha256()
        descriptor = os.open(folder / entry.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for piece in self._pieces(entry.size):
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != entry.sha256:
            raise BadBackup(_CUT)

    def _pieces(self, size: int) -> Iterator[bytes]:
        for start in range(0, size, PIECE_BYTES):
            with _read_faults(_CUT):
                piece = self._exactly(min(PIECE_BYTES, size - start))
            yield piece
        with _read_faults(_CUT):
            self._exactly(_padding(size))

    def _head(self) -> tarfile.TarInfo:
        """The header of the next file."""
        head = tarfile.TarInfo.frombuf(self._exactly(tarfile.BLOCKSIZE), "utf-8", "strict")
        if head.type != tarfile.REGTYPE:
            raise EOFError
        return head

    def _exactly(self, size: int) -> bytes:
        content: bytes = self._file.read(size)
        if len(content) < size:
            raise EOFError
        return content


@contextlib.contextmanager
def _read_faults(text: str) -> Iterator[None]:
    """Raise what is wrong with the content as `BadBackup` with this text; the disk's errors stay what they are."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error, tarfile.TarError, UnicodeDecodeError) as error:
        raise BadBackup(text) from error


def _padding(size: int) -> int:
    return -size % tarfile.BLOCKSIZE
