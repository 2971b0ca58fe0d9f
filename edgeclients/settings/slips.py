"""What gets into values on their way into the environment and that nobody meant to write."""

import unicodedata
from pathlib import Path

from edgeclients.settings.variables import Field
from edgeclients.text import BYTE_ORDER_MARK

_ANYTHING = frozenset({"db_pass"})
"""What somebody else has chosen, by attribute: it may hold whatever does not come from the end of a line."""

_QUOTES = "\"'"
_PATHS = (Path, Path | None, tuple[Path, ...])
_LISTS = (tuple[str, ...], tuple[Path, ...])


def slip(field: Field, text: str) -> str:
    """What is wrong with how the value of `field` is written, and what to do about it; "" if nothing is."""
    if "-----BEGIN" in text:
        return ""  # PEM has lines
    if text.startswith(BYTE_ORDER_MARK):
        return "begins with a byte order mark: save the file that it comes from without one"
    if text.endswith("\r"):
        return "ends with a carriage return: save the file that it comes from with line ends of Unix, not of Windows"
    found = next((one for one in text if one in "\r\n"), "")
    if field.attribute not in _ANYTHING:
        found = found or next((one for one in text if unicodedata.category(one) == "Cc"), "")
    if found:
        return f"holds a control character (U+{ord(found):04X}): write it anew without"
    return "" if field.attribute in _ANYTHING else _at_the_ends(field, text)


def meant(text: str) -> str:
    """`text` without what slips in."""
    visible = "".join(one for one in text if unicodedata.category(one) != "Cc")
    return visible.strip(BYTE_ORDER_MARK).strip().strip(_QUOTES)


def _at_the_ends(field: Field, text: str) -> str:
    if text != text.strip() and field.type not in _LISTS:
        return "begins or ends with a blank: write it without"
    for part in text.split(",") if field.type in _LISTS else (text,):
        first, last = part.strip()[:1], part.strip()[-1:]
        either = field.type in _PATHS and (first in _QUOTES or last in _QUOTES)
        if first and (either or (first == last and first in _QUOTES and len(part) > 1)):
            return "is in quotes, which count as a part of it here: write it without"
    return ""
