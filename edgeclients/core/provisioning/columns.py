"""The columns of a table: what each cell of a row says of a client."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

from edgeclients.core import limits
from edgeclients.core.provisioning import cells
from edgeclients.core.provisioning.record import (
    BadCell,
    BadLine,
    Generated,
    Path,
    Record,
    bad_line,
)
from edgeclients.core.provisioning.table import Row
from edgeclients.errors import UnusableFile
from edgeclients.text import from_cell

METADATA: Final = "metadata."
"""What the name of a column begins with that has a metadata value."""

LINE, NEW_ID, NEW_SECRET = "_line", "_id", "_secret"
"""Columns of our own program: the line in the file that it reads, and what a client gets if the line creates it."""

_OWN = (LINE, NEW_ID, NEW_SECRET)
_SHOWN = 100  # characters of a name
_VALUE = 32  # characters that take as much memory as a short value and its place

_READERS: Mapping[str, Callable[[str], Any]] = {
    "id": str.strip,
    "name": from_cell,
    "external_id": from_cell,
    "identity": from_cell,
    "secret": from_cell,
    "tags": cells.tags_of,
    "parent_group_id": str.strip,
    "status": cells.status_of,
    "channels": cells.channels_of,
}
_UNCHANGED_IF_EMPTY = frozenset({"secret", "status"})

NAMES: Final = ("id", "name", "external_id", "identity", "secret", "tags", "parent_group_id", "status", "channels")
"""The columns that have names of their own, in the order of an export."""


class Columns:
    """The columns that a header names.

    Args:
        header: the names, in any order.
        own: whether the columns of our own program may be among them.

    Raises:
        UnusableFile: a name is unknown, or occurs twice.
    """

    def __init__(self, header: Sequence[str], *, own: bool = False) -> None:
        self.names = list(map(_name, header))
        while self.names and not self.names[-1]:
            self.names.pop()  # a spreadsheet may write more separators than it has columns
        if len(self.names) > limits.TABLE_COLUMNS + own * len(_OWN):
            raise UnusableFile(subject=f"it has {len(self.names):,} columns, more than {limits.TABLE_COLUMNS:,}")
        self._paths: dict[str, Path] = {}
        for name in self.names:
            self._check(name, own=own)
        self._check_repeated()
        self._check_paths()
        self._texts = [(name, _READERS.get(name)) for name in self.names]
        self._values = [(place, self._paths[name]) for place, name in enumerate(self.names) if name in self._paths]
        self._own = {name: place for place, name in enumerate(self.names) if name in _OWN}

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def record(self, row: Row) -> Record | BadLine | None:
        """What a row says; None if it is empty."""
        if not any(row.cells):
            return None
        line = int(row.cells[self._own[LINE]]) if LINE in self._own else row.line
        if len(row.cells) > len(self.names) and any(row.cells[len(self.names) :]):
            return bad_line(line, "", "", f"has {len(row.cells)} cells, where the header has {len(self.names)}")
        try:
            return self._record(line, row)
        except BadCell as bad:
            return bad.at(line)

    def _record(self, line: int, row: Row) -> Record:
        record = Record(line=line, size=row.size + _VALUE * len(self._values))
        for (name, read), cell in zip(self._texts, row.cells, strict=False):
            if read is not None and (cell or name not in _UNCHANGED_IF_EMPTY):
                setattr(record, name, read(cell))
        if self._values:
            found = [(path, row.cells[place] if place < len(row.cells) else "") for place, path in self._values]
            record.values = tuple((path, cells.value_of(cell)) for path, cell in found if cell)
            record.removed = tuple(path for path, cell in found if not cell)
        if (place := self._own.get(NEW_ID)) is not None and row.cells[place]:
            record.generated = Generated(row.cells[place], row.cells[self._own[NEW_SECRET]])
        return record

    def _check(self, name: str, *, own: bool) -> None:
        if name.startswith(METADATA):
            self._paths[name] = path = _path(name)
            if len(path) > limits.METADATA_DEPTH:
                raise UnusableFile(
                    subject=f"the column {_shown(name)} has {len(path):,} keys, more than {limits.METADATA_DEPTH}"
                )
        elif name not in NAMES and not (own and name in _OWN):
            known = f"{', '.join(NAMES)} and metadata.<key>"
            raise UnusableFile(subject=f"the column {_shown(name)!r} is unknown: known are {known}")

    def _check_repeated(self) -> None:
        seen = set()
        for name in self.names:
            if name in seen:
                raise UnusableFile(subject=f"the column {_shown(name)} occurs twice")
            seen.add(name)

    def _check_paths(self) -> None:
        known = set(self._paths.values())
        for name, path in self._paths.items():
            for length in range(1, len(path)):
                if path[:length] in known:
                    outer = column_of(path[:length])
                    raise UnusableFile(subject=f"the columns {_shown(name)} and {_shown(outer)} exclude each other")


async def records(columns: Columns, rows: AsyncIterator[Row | BadLine]) -> AsyncIterator[Record | BadLine]:
    """What the rows of a table say; empty rows are left out."""
    async for row in rows:
        if (found := row if isinstance(row, BadLine) else columns.record(row)) is not None:
            yield found


def column_of(path: Path) -> str:
    """The name of the column of a metadata value: its keys, separated by dots; a dot in a key has a backslash before it."""
    return METADATA + ".".join(key.replace("\\", "\\\\").replace(".", "\\.") for key in path)


def _name(text: str) -> str:
    name = from_cell(text).lstrip()
    return name if name.startswith(METADATA) else name.rstrip().lower()


def _path(name: str) -> Path:
    keys: list[str] = []
    key: list[str] = []
    escaped = False
    for character in name.removeprefix(METADATA):
        if escaped or character not in {"\\", "."}:
            key.append(character)
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            keys.append("".join(key))
            key.clear()
    return (*keys, "".join(key))


def _shown(name: str) -> str:
    return name if len(name) <= _SHOWN else f"{name[: _SHOWN - 1]}…"
