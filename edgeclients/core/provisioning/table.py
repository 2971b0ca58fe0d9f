"""Rows of a CSV file, as Excel and others write it: `,`, `;` or TAB between cells, quoted line breaks, `sep=`."""

import re
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from edgeclients.core.provisioning.lines import LONGEST, Line, too_long
from edgeclients.core.provisioning.record import BadLine, bad_line
from edgeclients.errors import UnusableFile

_SEPARATORS = ",;\t"
_SEP = re.compile(r"(?i)sep=[,;\t|]\r?\n?")
_QUOTE = '"'
_NEEDS_QUOTES = frozenset('"\r\n' + _SEPARATORS)
_QUOTED = re.compile(r'"[^"]*("|$)')


class Row(NamedTuple):
    """The cells of a record, the line on which it begins, and what it takes in the file, in characters."""

    line: int
    cells: list[str]
    size: int = 0


class Table(NamedTuple):
    """The header of a file, and the rows below it; in the place of a row that cannot be read the reason."""

    header: list[str]
    rows: AsyncIterator[Row | BadLine]


async def table(lines: AsyncIterator[Line]) -> Table:
    """The table in the lines of a file.

    Raises:
        UnusableFile: it has no header.
    """
    first = await anext(lines, None)
    separator = None
    if first is not None and first.text is not None and _SEP.fullmatch(first.text):
        separator = first.text[4]
        first = await anext(lines, None)
    if first is None or first.text is None or not first.text.strip():
        raise UnusableFile(subject="the file is empty: the first line has to name the columns")
    if "\r" in first.text.rstrip("\r\n") and _QUOTE not in first.text:
        raise UnusableFile(subject="lines end with CR alone: save the table as CSV UTF-8")
    rows = _rows(first, lines, separator or _separator(first.text))
    header = await anext(rows)
    if isinstance(header, BadLine):
        raise UnusableFile(subject=f"the header {header.reason}")
    return Table(header.cells, rows)


def _separator(header: str) -> str:
    """What stands between the names of columns most often, outside of quotes."""
    return max(_SEPARATORS, key=_QUOTED.sub("", header).count)


async def _rows(first: Line, lines: AsyncIterator[Line], separator: str) -> AsyncIterator[Row | BadLine]:
    record = _Record(first.number, separator)
    found = record.add(first)
    while True:
        if found is not None:
            yield found
        line = await anext(lines, None)
        if line is None:
            break
        if found is not None:
            record = _Record(line.number, separator)
        found = record.add(line)
    if found is None and record.is_open:
        yield bad_line(record.line, "", "", "has a quoted cell without an end")


class _Record:
    """A record that is being read: it may go on over several lines."""

    def __init__(self, line: int, separator: str) -> None:
        self.line = line
        self._separator = separator
        self._cells: list[str] = []
        self._quoted: list[str] | None = None  # the parts of a quoted cell
        self._size = 0
        self._fault = ""

    @property
    def is_open(self) -> bool:
        """Whether the end of a quoted cell is missing."""
        return self._quoted is not None

    def add(self, line: Line) -> Row | BadLine | None:
        """The record with a further line, if that completes it.

        Raises:
            UnusableFile: it is too long.
        """
        if line.text is None:
            self._fault = "is not UTF-8"
            return None if self.is_open else self._complete()
        self._size += len(line.text)
        if self._size > LONGEST:
            raise too_long(self.line)
        if not self.is_open and _QUOTE not in line.text:
            self._cells = _without_end(line.text).split(self._separator)
            return self._complete()
        self._read(line.text)
        return None if self.is_open else self._complete()

    def _complete(self) -> Row | BadLine:
        return bad_line(self.line, "", "", self._fault) if self._fault else Row(self.line, self._cells, self._size)

    def _read(self, text: str) -> None:
        end = len(_without_end(text))
        at = 0
        while True:
            if self._quoted is None:
                if text[at : at + 1] != _QUOTE:
                    stop = text.find(self._separator, at)
                    if stop < 0:
                        self._cells.append(text[at:end])
                        return
                    self._cells.append(text[at:stop])
                    at = stop + 1
                    continue
                self._quoted, at = [], at + 1
            stop = text.find(_QUOTE, at)
            if stop < 0:
                self._quoted.append(text[at:])
                return
            self._quoted.append(text[at:stop])
            if text[stop + 1 : stop + 2] == _QUOTE:
                self._quoted.append(_QUOTE)
                at = stop + 2
                continue
            self._cells.append("".join(self._quoted))
            self._quoted, at = None, stop + 1
            if at >= end:
                return
            if text[at] != self._separator:
                self._fault = "has text behind a quoted cell"
                return
            at += 1


def _without_end(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def row_text(cells: Sequence[str]) -> bytes:
    """A row as it is written."""
    return (",".join(map(_quoted, cells)) + "\r\n").encode()


def _quoted(text: str) -> str:
    if _NEEDS_QUOTES.isdisjoint(text):
        return text
    doubled = text.replace(_QUOTE, _QUOTE * 2)
    return f"{_QUOTE}{doubled}{_QUOTE}"
