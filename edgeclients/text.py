"""The encoding of text files that people write."""

import codecs

BYTE_ORDER_MARK = "\ufeff"

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(content: bytes) -> str:
    """`content` decoded as UTF-8.

    Raises:
        ValueError: "it is …": the actual encoding, and what to do.
    """
    if content.startswith(_UTF_16) or _every_other_is_nul(content):
        raise ValueError("it is UTF-16: save it as UTF-8, without a byte order mark")
    if content.startswith(codecs.BOM_UTF8):
        raise ValueError("it begins with a byte order mark: save it as UTF-8 without one")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start + 1}), perhaps Latin-1: save it as UTF-8") from error


def _every_other_is_nul(content: bytes) -> bool:
    """Whether it is Latin text in UTF-16 without a byte order mark."""
    return len(content) > 1 and any(content[first::2].strip(b"\0") == b"" for first in (0, 1))


_APOSTROPHE = "'"
_MARKED = ("=", "+", "-", "@", "\t", "\r", _APOSTROPHE)


def to_cell(text: str) -> str:
    """A text as a cell that no spreadsheet runs as a formula: with an apostrophe before what begins like one."""
    return f"{_APOSTROPHE}{text}" if text.startswith(_MARKED) else text


def from_cell(cell: str) -> str:
    """The text in a cell."""
    return cell[1:] if cell[:1] == _APOSTROPHE and cell[1:2] in _MARKED and len(cell) > 1 else cell
