"""Reads the file of secrets that an import has written."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from edgeclients.labels.problem import LabelProblem
from edgeclients.text import decoded, from_cell

COLUMNS: Final = ("id", "secret", "external_id", "name", "domain_id")
_NEEDED: Final = ("id", "secret")
_LONGEST: Final = 16 * 1024  # bytes of a line, characters of a client; the longest name and secret have a third of it
_WRITTEN_BY: Final = "name the CSV file that `import --secrets-out` has written"
_TOO_LONG: Final = f"it is longer than {_LONGEST // 1024} KiB: {_WRITTEN_BY}"

MOST: Final = 10_000
"""The most labels of a run: a PDF is made in memory, 10 KB a label."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A client of the file; what the file does not say of it is empty.

    Attributes:
        line: where it begins in the file; the header is line 1.
    """

    line: int
    id: str
    secret: str
    external_id: str = ""
    name: str = ""
    domain_id: str = ""

    @property
    def serial(self) -> str:
        """What people read on the label."""
        return self.external_id or self.id


@dataclass(frozen=True, slots=True)
class Source:
    """What a file of secrets holds: which of the known columns, and the clients in its order."""

    columns: frozenset[str]
    entries: Sequence[Entry]


def read(path: Path) -> Source:
    """The clients of the file at `path`.

    Raises:
        LabelProblem: it cannot be read, it is not such a file, or a client of it has no id or no secret.
    """
    try:
        with path.open("rb") as file:
            return _source(file)
    except LabelProblem as problem:
        raise LabelProblem(f"{path}: {problem}") from problem
    except OSError as error:
        raise LabelProblem(f"{path} cannot be read ({error.strerror})") from error


def _source(file: BinaryIO) -> Source:
    records = _records(file)
    _, header = next(records, (1, None))
    if header is None:
        raise LabelProblem(f"it is empty: {_WRITTEN_BY}")
    _check_header(header)
    entries: list[Entry] = []
    for line, record in records:
        if len(entries) == MOST:
            raise LabelProblem(f"it has more than {MOST:,} clients: split it, and begin each part with its first line")
        entries.append(_entry(line, header, record))
    if not entries:
        raise LabelProblem("it has no clients below its first line")
    return Source(frozenset(header) & frozenset(COLUMNS), entries)


def _check_header(header: Sequence[str]) -> None:
    for name in COLUMNS:
        if header.count(name) > 1:
            raise LabelProblem(f"line 1: the column `{name}` is there twice")
    for name in _NEEDED:
        if name not in header:
            by_others = len(header) == 1 and any(mark in header[0] for mark in ";\t|")
            remedy = "separate columns by commas" if by_others else f"columns are {', '.join(f'`{one}`' for one in COLUMNS)}"
            raise LabelProblem(f"it has no column `{name}` in its first line: {remedy}")


def _entry(line: int, header: Sequence[str], record: Sequence[str]) -> Entry:
    if len(record) != len(header):
        raise LabelProblem(
            f"line {line}: it has {len(record)} columns, and the first line {len(header)}: quote values with commas"
        )
    if sum(map(len, record)) > _LONGEST:
        raise LabelProblem(f"line {line}: {_TOO_LONG}")
    values = {name: value for name, value in zip(header, record, strict=True) if name in COLUMNS}
    values |= {name: from_cell(values[name]) for name in ("external_id", "name") if name in values}
    for name in _NEEDED:
        if not values[name]:
            raise LabelProblem(f"line {line}: there is no {name}")
    return Entry(line, **values)


def _records(file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank, with the line on which it begins."""
    reader = csv.reader(_lines(file), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise LabelProblem(f"line {line}: this is not CSV ({error})") from error
        if record is None:
            return
        if record:
            yield line, record


def _lines(file: BinaryIO) -> Iterator[str]:
    number = 0
    while line := file.readline(_LONGEST + 1):
        number += 1
        if len(line) > _LONGEST:
            raise LabelProblem(f"line {number}: {_TOO_LONG}")
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        try:
            text = decoded(line)
        except ValueError as error:
            raise LabelProblem(f"line {number}: {error}") from error
        if "\0" in text:
            raise LabelProblem(f"line {number}: it is binary: {_WRITTEN_BY}")
        yield text
