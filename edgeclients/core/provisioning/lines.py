"""Lines of a file as they arrive: decoded one by one, and none is longer than the limit."""

import codecs
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from edgeclients.errors import UnusableFile

LONGEST: Final = 1024 * 1024
"""Bytes of a record: a client with all metadata that it may have takes half of it."""

_WIDE = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_NO_TEXT = "this is not a text file: save the table as CSV, or give an XLSX file the name FILE.xlsx"


class Line(NamedTuple):
    """A physical line with its end, or None if it is not UTF-8; the first one's number is 1."""

    number: int
    text: str | None


async def lines(parts: AsyncIterator[bytes]) -> AsyncIterator[Line]:
    """The lines of a file, of which `parts` arrive.

    Raises:
        UnusableFile: it is no text, or a line is too long.
    """
    number, rest = 0, b""
    async for part in _narrow(parts):
        *complete, rest = (rest + part).split(b"\n")
        for line in complete:
            number += 1
            yield _line(number, line + b"\n")
        if len(rest) > LONGEST:
            raise too_long(number + 1)
    if rest:
        yield _line(number + 1, rest)


def too_long(number: int) -> UnusableFile:
    """The fault of a file in which no end of a line or of a quoted cell is found."""
    most = LONGEST // 1024
    return UnusableFile(subject=f"line {number} is longer than {most} KiB: is a quote missing, or is this not a table?")


def _line(number: int, line: bytes) -> Line:
    if len(line) > LONGEST:
        raise too_long(number)
    if number == 1 and b"\0" in line:
        raise UnusableFile(subject=_NO_TEXT)
    try:
        return Line(number, line.decode())
    except UnicodeDecodeError as error:
        if number == 1:
            raise UnusableFile(subject="the header is not UTF-8: save the table as CSV UTF-8") from error
        return Line(number, None)


async def _narrow(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The parts without a byte order mark, and in UTF-8 where that says UTF-16."""
    head = b""
    decoder: codecs.IncrementalDecoder | None = None
    begun = False
    async for part in parts:
        data = part
        if not begun:
            head += part
            if len(head) < len(codecs.BOM_UTF8):
                continue
            begun, data = True, head
            for mark, encoding in _WIDE.items():
                if data.startswith(mark):
                    decoder, data = codecs.getincrementaldecoder(encoding)("strict"), data.removeprefix(mark)
            data = data.removeprefix(codecs.BOM_UTF8)
        yield data if decoder is None else _recoded(decoder, data)
    if not begun:
        yield head


def _recoded(decoder: codecs.IncrementalDecoder, data: bytes) -> bytes:
    try:
        return decoder.decode(data).encode()
    except UnicodeError as error:
        raise UnusableFile(subject="the file begins like UTF-16, and is not: save the table as CSV UTF-8") from error
