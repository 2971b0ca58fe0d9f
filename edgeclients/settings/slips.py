"""Stray characters in values, such as quotes, blanks and line ends."""

import unicodedata
from pathlib import Path

from edgeclients.settings.variables import Field
from edgeclients.text import BYTE_ORDER_MARK

_ANYTHING = frozenset({"db_pass"})
"""Attributes whose values another service chose: every character is valid but those of line ends."""

_QUOTES = "\"'"
_PATHS = (Path, Path | None, tuple[Path, ...])
_LISTS = (tuple[str, ...], tuple[Path, ...])


def slip(field: Field, text: str) -> str:
    """The first stray character in the value of `field`, with its remedy; "" if there is none."""
    if "-----BEGIN" in text:
        return ""  # PEM holds line ends
    if text.startswith(BYTE_ORDER_MARK):
        return "begins with a byte order mark: save the file that holds it without one"
    if text.endswith("\r"):
        return "ends with a carriage return: save the file that holds it with Unix line ends, not Windows ones"
    found = next((one for one in text if one in "\r\n"), "")
    if field.attribute not in _ANYTHING:
        found = found or next((one for one in text if unicodedata.category(one) == "Cc"), "")
    if found:
        return f"holds a control character (U+{ord(found):04X}): remove it"
    return "" if field.attribute in _ANYTHING else _at_the_ends(field, text)


def meant(text: str) -> str:
    """`text` without stray characters."""
    visible = "".join(one for one in text if unicodedata.category(one) != "Cc")
    return visible.strip(BYTE_ORDER_MARK).strip().strip(_QUOTES)


def _at_the_ends(field: Field, text: str) -> str:
    if text != text.strip() and field.type not in _LISTS:
        return "begins or ends with a blank: write it without blanks"
    for part in text.split(",") if field.type in _LISTS else (text,):
        first, last = part.strip()[:1], part.strip()[-1:]
        either = field.type in _PATHS and (first in _QUOTES or last in _QUOTES)
        if first and (either or (first == last and first in _QUOTES and len(part) > 1)):
            return "is in quotes, which become part of it: write it without quotes"
    return ""
