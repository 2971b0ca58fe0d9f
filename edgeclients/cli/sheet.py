"""Rows of an XLSX file, as those of a table."""

import datetime as dt
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeclients.cli.import_file import Making, parts_of_rows
from edgeclients.core.provisioning import cells
from edgeclients.core.provisioning.columns import METADATA
from edgeclients.core.provisioning.record import BadLine
from edgeclients.core.provisioning.table import Row
from edgeclients.errors import StartError
from edgeclients.text import to_cell

_MOST_BYTES = 256 * 1024 * 1024  # of a file's content: a hundred thousand rows have a tenth of it


def parts_of_sheet(path: Path, at: Path, sheet: str | None, making: Making) -> Iterator[bytes]:
    """A sheet as it is sent.

    Args:
        path: how messages name the file.
        at: where it can be opened.
        sheet: its name; None: the first.
        making: makes secrets.

    Raises:
        StartError: the file cannot be read, or has no such sheet.
        UnusableFile: it has an unknown column.
    """
    rows = _rows(path, at, sheet)
    first = next(rows, None)
    if first is None:
        raise StartError(f"{path} has no rows: the first one has to name the columns")
    header = [str(value).strip() for value in first]
    numbered = enumerate(rows, 2)
    return parts_of_rows(header, (_row(number, header, values) for number, values in numbered), making)


def _rows(path: Path, at: Path, sheet: str | None) -> Iterator[list[Any]]:
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        raise StartError(
            "XLSX files need python-calamine: install edgeclients[xlsx], or save the sheet as CSV UTF-8"
        ) from error
    _check_size(path, at)
    try:
        workbook = CalamineWorkbook.from_path(str(at))
        names = workbook.sheet_names
        if sheet is not None and sheet not in names:
            raise StartError(f"{path} has no sheet {sheet!r}: it has {', '.join(map(repr, names))}")
        return iter(workbook.get_sheet_by_name(sheet or names[0]).iter_rows())
    except (CalamineError, OSError, IndexError) as error:
        raise StartError(f"{path} cannot be read: is it an XLSX file, without a password?") from error


def _check_size(path: Path, at: Path) -> None:
    """Raise `StartError` if a file's content is far larger than any list of clients."""
    try:
        with zipfile.ZipFile(at) as archive:
            size = sum(one.file_size for one in archive.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise StartError(f"{path} cannot be read: is it an XLSX file, without a password?") from error
    if size > _MOST_BYTES:
        raise StartError(f"{path} unpacks to {size:,} bytes, more than {_MOST_BYTES:,}: save the sheet as CSV UTF-8")


def _row(number: int, header: list[str], values: list[Any]) -> Row | BadLine:
    found = [_cell(name, value) for name, value in zip(header, values, strict=False)]
    return Row(number, [*found, *(str(value) for value in values[len(header) :])])


def _cell(column: str, value: Any) -> str:
    """The cell of a table that stands for a value of a sheet."""
    if value is None or value == "":
        return ""
    if column.startswith(METADATA):
        return cells.cell_of_value(_plain(value))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).lower() if isinstance(value, bool) else str(_plain(value))
    return text if column in {"tags", "channels"} else to_cell(text)


def _plain(value: Any) -> Any:
    """A value of JSON."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return str(value) if isinstance(value, dt.timedelta) else value
