"""The file to be imported, as it was opened; what cannot be read twice is copied first."""

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from edgeclients.errors import StartError

CSV, JSONL, XLSX = "csv", "jsonl", "xlsx"

STANDARD_INPUT = Path("-")
"""What names standard input."""

_FORMS = {".csv": CSV, ".tsv": CSV, ".txt": CSV, ".jsonl": JSONL, ".ndjson": JSONL, ".xlsx": XLSX}
_READ_BYTES = 64 * 1024
_BEGINS = 4096
_ZIP = b"PK\x03\x04"


class Source(NamedTuple):
    """A file to be imported: at its beginning, with its form and its SHA-256; `at` is where it can be opened once more."""

    file: BinaryIO
    at: Path
    form: str
    sha256: str


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Source]:
    """The file at `path`, a pipe, or standard input.

    Raises:
        StartError: it cannot be read, or has no form that can be imported.
    """
    with contextlib.ExitStack() as stack:
        try:
            source = _opened(path, stack)
        except OSError as error:
            raise StartError(f"{path} cannot be read ({error.strerror})") from error
        yield source


def _opened(path: Path, stack: contextlib.ExitStack) -> Source:
    if path == STANDARD_INPUT:
        file = _copied(sys.stdin.buffer, stack)
        return Source(file, _own_path(file), _form_of(file), _sha256_of(file))
    file = stack.enter_context(path.open("rb"))
    at, form = path, _FORMS.get(path.suffix.lower())
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file = _copied(file, stack)
        at, form = _own_path(file), form or _form_of(file)
    if form is None:
        raise StartError(f"{path} has no form that can be imported: its name must end with .csv, .jsonl or .xlsx")
    return Source(file, at, form, _sha256_of(file))


def _copied(file: BinaryIO, stack: contextlib.ExitStack) -> BinaryIO:
    """A copy that is for this process alone, and gone with it."""
    to = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack does
    while part := file.read(_READ_BYTES):
        to.write(part)
    to.seek(0)
    return to


def _own_path(file: BinaryIO) -> Path:
    return Path(f"/proc/self/fd/{file.fileno()}")


def _form_of(file: BinaryIO) -> str:
    """The form of a file without a name, by how it begins."""
    begins = file.read(_BEGINS)
    file.seek(0)
    if begins.startswith(_ZIP):
        return XLSX
    return JSONL if begins.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") else CSV


def _sha256_of(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while part := file.read(_READ_BYTES):
        digest.update(part)
    file.seek(0)
    return digest.hexdigest()
