"""A line of a file to be imported: what it says of one client."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from edgeclients.model import ConnectionType, Status

Path: TypeAlias = tuple[str, ...]
"""Keys, from the outermost object of the metadata to a value."""


class Generated(Struct, frozen=True):
    """The id and the secret that a client gets if it is created and its line has none."""

    id: str
    secret: str


class Record(Struct, kw_only=True):
    """What a line says; UNSET says nothing, and an empty text or tuple clears.

    `metadata` replaces the whole; `values` sets single values, and `removed` removes some. `secret` "" says nothing: no line
    removes a secret. `size` is what it takes in memory, in characters of the file.
    """

    line: int
    size: int = 0
    id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    external_id: str | UnsetType = UNSET
    identity: str | UnsetType = UNSET
    secret: str = ""
    tags: tuple[str, ...] | UnsetType = UNSET
    parent_group_id: str | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    channels: frozenset[tuple[str, ConnectionType]] | UnsetType = UNSET
    metadata: Mapping[str, Any] | UnsetType = UNSET
    private_metadata: Mapping[str, Any] | UnsetType = UNSET
    values: tuple[tuple[Path, Any], ...] = ()
    removed: tuple[Path, ...] = ()
    generated: Generated | None = None


class BadLine(Struct, frozen=True):
    """A line that is not imported, and why; `column` is "" if it is none in particular."""

    line: int
    column: str
    value: str
    reason: str


class BadCell(Exception):  # noqa: N818 - it tells of a cell
    """A cell has no valid value."""

    def __init__(self, column: str, value: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.value, self.reason = column, value, reason

    def at(self, line: int) -> BadLine:
        """The line that it is in."""
        return bad_line(line, self.column, self.value, self.reason)


_SHOWN = 100  # characters of a value
_SECRET = "secret"  # noqa: S105 - the name of a column


def bad_line(line: int, column: str, value: str, reason: str) -> BadLine:
    """The report of a line, with as much of the value as may be shown."""
    if column == _SECRET:
        value = ""
    shown = value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "…"
    return BadLine(line, column, shown, reason)
