"""Encryption to recipients in the age format, piece by piece, by pyrage."""

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from edgeclients.errors import StartError
from edgeclients.files import read_small
from edgeclients.ops.backup.manifest import BadBackup
from edgeclients.ops.backup.streams import Readable, Stream
from edgeclients.text import decoded

if TYPE_CHECKING:
    from pyrage import x25519

_OTHER_KEYS = "No matching keys"  # pyrage raises one error for everything


def recipient(text: str) -> "x25519.Recipient":
    """The recipient with this public key.

    Raises:
        StartError: it is none, or pyrage is not installed.
    """
    pyrage = _pyrage()
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise StartError(f"{text!r} is no recipient of age ({error}): write its public key, age1…") from error


def identities(path: Path) -> list["x25519.Identity"]:
    """The identities in a file that `age-keygen` or a person has written: a secret key a line, and comments.

    Raises:
        StartError: there are none, or pyrage is not installed.
    """
    pyrage = _pyrage()
    try:
        lines = [line.strip() for line in decoded(read_small(path)).splitlines()]
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except OSError as error:
        raise StartError(f"{path} cannot be read ({error.strerror}): name a file with an identity of age") from error
    except (ValueError, pyrage.IdentityError) as error:
        raise StartError(f"{path} holds no identity of age: name a file with a line AGE-SECRET-KEY-1…") from error
    if not found:
        raise StartError(f"{path} holds no identity of age: name a file with a line AGE-SECRET-KEY-1…")
    return found


def encrypt(pieces: Iterable[bytes], file: BinaryIO, recipients: "Sequence[x25519.Recipient]") -> None:
    """Write the age file of `pieces`, which any of the recipients can decrypt.

    Raises:
        OSError: it cannot be written.
    """
    pyrage, reader, writer = _pyrage(), Stream(pieces), _Writer(file)
    try:
        pyrage.encrypt_io(reader, writer, recipients)
    except pyrage.EncryptError:
        # It turns what its streams raise into text.
        for error in (reader.error, writer.error):
            if error is not None:
                raise error from None
        raise


@contextlib.contextmanager
def decrypting(file: Readable, keys: "Sequence[x25519.Identity]") -> Iterator[Readable]:
    """What an age file contains, as a stream: a thread decrypts it while it is read.

    Raises:
        BadBackup: on leaving; it is damaged, or encrypted to others.
    """
    source, sink = os.pipe()
    work = _Decryption(file, sink, keys)
    work.start()
    try:
        with os.fdopen(source, "rb") as plain:
            yield plain
    except BadBackup:
        work.join()
        if work.fault is not None:  # rather than what it was read as
            raise work.fault from None
        raise
    finally:
        work.join()
    if work.fault is not None:
        raise work.fault


class _Decryption(threading.Thread):
    """Decrypts `file` into the pipe `sink`, and closes that; `fault` is then what was wrong with it."""

    def __init__(self, file: Readable, sink: int, keys: "Sequence[x25519.Identity]") -> None:
        super().__init__(name="decryption", daemon=True)
        self._file, self._sink, self._keys = file, sink, keys
        self.fault: BadBackup | None = None

    def run(self) -> None:
        pyrage = _pyrage()
        with os.fdopen(self._sink, "wb", buffering=0) as sink:
            writer = _Writer(sink)
            try:
                pyrage.decrypt_io(self._file, writer, self._keys)
            except (pyrage.DecryptError, OSError) as error:
                self.fault = self._meaning(error, writer)

    def _meaning(self, error: Exception, writer: "_Writer") -> BadBackup | None:
        if writer.error is not None:  # the reader has seen enough
            return None
        if _OTHER_KEYS in str(error):
            return BadBackup("is encrypted to somebody else: name an identity of one of its recipients with --identity-file")
        return BadBackup("is cut short or damaged: use another backup")


class _Writer:
    """A file, with what was wrong with it."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.error: BaseException | None = None

    def write(self, content: bytes) -> int:
        try:
            count: int = self._file.write(content)
        except BaseException as error:
            self.error = error
            raise
        return count

    def flush(self) -> None:
        self._file.flush()


def _pyrage() -> Any:
    try:
        import pyrage
    except ImportError as error:
        raise StartError("recipients of age need pyrage, which is not installed: install edgeclients[labels]") from error
    return pyrage
