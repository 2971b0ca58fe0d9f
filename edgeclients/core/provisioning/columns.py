"""The columns of a table: what each cell of a row says of a client."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

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

METADATA: Final = "metadata."
"""What the name of a column begins with that has a metadata value."""

LINE, NEW_ID, NEW_SECRET = "_line", "_id", "_secret"
"""Columns of our own program: the line in the file that it reads, and what a client gets if the line creates it."""

_OWN = (LINE, NEW_ID, NEW_SECRET)

_TEXTS: Mapping[str, Callable[[str], Any]] = {
    "id": str.strip,
    "name": cells.text_of,
    "external_id": cells.text_of,
    "identity": cells.text_of,
    "tags": cells.tags_of,
    "parent_group_id": str.strip,
    "channels": cells.channels_of,
}
_UNCHANGED_IF_EMPTY: Mapping[str, Callable[[str], Any]] = {"secret": cells.text_of, "status": cells.status_of}

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
        self.names = [_name(text) for text in header]
        while self.names and not self.names[-1]:
            self.names.pop()  # a spreadsheet may write more separators than it has columns
        self._paths: dict[str, Path] = {}
        for name in self.names:
            self._check(name, own=own)
        repeated = [name for name in self.names if self.names.count(name) > 1]
        if repeated:
            raise UnusableFile(subject=f"the column {repeated[0]} occurs twice")
        self._check_paths()

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def record(self, row: Row) -> Record | BadLine | None:
        """What a row says; None if it is empty."""
        if not any(row.cells):
            return None
        if len(row.cells) > len(self.names) and any(row.cells[len(self.names) :]):
            return bad_line(row.line, "", "", f"has {len(row.cells)} cells, where the header has {len(self.names)}")
        try:
            return self._record(row.line, dict(zip(self.names, row.cells, strict=False)))
        except BadCell as bad:
            return bad.at(row.line)

    def _record(self, line: int, found: Mapping[str, str]) -> Record:
        said: dict[str, Any] = {}
        values: list[tuple[Path, Any]] = []
        removed: list[Path] = []
        for name, cell in found.items():
            if (read := _TEXTS.get(name)) is not None:
                said[name] = read(cell)
            elif (path := self._paths.get(name)) is not None:
                if cell:
                    values.append((path, cells.value_of(cell)))
                else:
                    removed.append(path)
            elif cell and (read := _UNCHANGED_IF_EMPTY.get(name)) is not None:
                said[name] = read(cell)
        if LINE in found:
            line = int(found[LINE])
        if found.get(NEW_ID):
            said["generated"] = Generated(found[NEW_ID], found[NEW_SECRET])
        return Record(line=line, values=tuple(values), removed=tuple(removed), **said)

    def _check(self, name: str, *, own: bool) -> None:
        if name.startswith(METADATA):
            self._paths[name] = _path(name)
        elif name not in NAMES and not (own and name in _OWN):
            shown = name if len(name) <= 100 else f"{name[:99]}…"
            raise UnusableFile(subject=f"the column {shown!r} is unknown: known are {', '.join(NAMES)} and metadata.<key>")

    def _check_paths(self) -> None:
        known = set(self._paths.values())
        for name, path in self._paths.items():
            for length in range(1, len(path)):
                if path[:length] in known:
                    raise UnusableFile(subject=f"the columns {name} and {column_of(path[:length])} exclude each other")


async def records(columns: Columns, rows: AsyncIterator[Row | BadLine]) -> AsyncIterator[Record | BadLine]:
    """What the rows of a table say; empty rows are left out."""
    async for row in rows:
        if (found := row if isinstance(row, BadLine) else columns.record(row)) is not None:
            yield found


def column_of(path: Path) -> str:
    """The name of the column of a metadata value: its keys, separated by dots; a dot in a key has a backslash before it."""
    return METADATA + ".".join(key.replace("\\", "\\\\").replace(".", "\\.") for key in path)


def _name(text: str) -> str:
    name = cells.text_of(text).strip()
    return name if name.startswith(METADATA) else name.lower()


def _path(name: str) -> Path:
    keys, escaped = [""], False
    for character in name.removeprefix(METADATA):
        if escaped or character not in {"\\", "."}:
            keys[-1] += character
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            keys.append("")
    return tuple(keys)
