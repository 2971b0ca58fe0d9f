"""The manifest of a backup: its first file, which says what follows (packaging/operations/backup.md#inside)."""

import re
from datetime import datetime
from typing import Final

import msgspec

from edgeclients.errors import StartError
from edgeclients.files import LARGEST_SMALL

FORMAT: Final = 1
"""Raised when an older program could not restore a backup; it then refuses the backup."""

NAME: Final = "manifest.json"
DATABASE: Final = "clients.db"
ACTIVITY: Final = "activity.db"
OPERATOR: Final = "operator.id"
OPERATOR_TOKEN: Final = "operator.token"  # noqa: S105 - a name
MOST_BYTES: Final = 64 * 1024

_PEPPER = re.compile(r"pepper\.[1-9]\d?")
_LARGE = (DATABASE, ACTIVITY)
_KNOWN = (*_LARGE, OPERATOR, OPERATOR_TOKEN)


class BadBackup(StartError):  # noqa: N818 - reads as what it is
    """A file cannot be restored. The text follows the file's name: the reason, and what to do."""


class Entry(msgspec.Struct, frozen=True):
    """A file of a backup."""

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup contains: the program that made it, the schema of its database, when it was made, its files in order."""

    format: int
    edgeclients: str
    schema: int
    created_at: str
    files: tuple[Entry, ...]

    @property
    def made_at(self) -> datetime:
        """When it was made."""
        return datetime.fromisoformat(self.created_at)

    @property
    def peppers(self) -> tuple[str, ...]:
        """The names of its peppers, the one for new secrets first."""
        return tuple(entry.name for entry in self.files if _PEPPER.fullmatch(entry.name))

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(entry.size for entry in self.files)


class _Format(msgspec.Struct):
    format: int


def pepper_name(place: int) -> str:
    """The name of a pepper in a backup; the one for new secrets has place 0."""
    return f"pepper.{place + 1}"


def read(content: bytes) -> Manifest:
    """The manifest in `content`, with names and sizes that a backup can have.

    Raises:
        BadBackup: it is none, or of a newer program.
    """
    try:
        if msgspec.json.decode(content, type=_Format).format > FORMAT:
            raise BadBackup("was made by a newer edgeclients: restore it with that version")
        manifest = msgspec.json.decode(content, type=Manifest)
        usable = _is_usable(manifest)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadBackup("has a manifest that cannot be read: use another backup") from error
    if not usable:
        raise BadBackup("has a manifest with other files than those of a backup: use another backup")
    return manifest


def _is_usable(manifest: Manifest) -> bool:
    names = [entry.name for entry in manifest.files]
    return (
        DATABASE in names
        and len(set(names)) == len(names)
        and all(map(_is_possible, manifest.files))
        and manifest.made_at.tzinfo is not None
    )


def _is_possible(entry: Entry) -> bool:
    if entry.name in _LARGE:
        return entry.size >= 0
    return (entry.name in _KNOWN or _PEPPER.fullmatch(entry.name) is not None) and 0 <= entry.size <= LARGEST_SMALL
