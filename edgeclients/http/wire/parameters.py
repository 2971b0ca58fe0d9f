"""Query parameters (schema/README.md#query-parameters), defined as data in the order of their checks."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import unquote, unquote_plus

from edgeclients.core import limits
from edgeclients.errors import InvalidLimit, InvalidQuery
from edgeclients.http.wire.fields import NO_NUL

_LARGEST = 2**64 - 1
_LARGEST_STORED = 2**63 - 1
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class Parameter(NamedTuple):
    """One query parameter: its name, its parser and its documentation; `raw`: `+` is not a space."""

    name: str
    parse: Callable[[str], Any]
    schema: Mapping[str, Any]
    help: str
    raw: bool = False


Parameters: TypeAlias = "Mapping[str, Parameter]"


def read(query: bytes, parameters: Parameters) -> dict[str, Any]:
    """The values of `parameters` in a query string, in their order; unknown parameters are ignored.

    Raises:
        InvalidQuery: a parameter is given twice, or cannot be decoded.
        DomainError: a parser rejected a value.
    """
    given = _split(query, parameters)
    return {name: parameter.parse(given[name]) for name, parameter in parameters.items() if name in given}


def _split(query: bytes, parameters: Parameters) -> dict[str, str]:
    """Decoded values of the known parameters."""
    found: dict[str, str] = {}
    try:
        for part in filter(None, query.decode("ascii").split("&")):
            key, _, text = part.partition("=")
            name = unquote_plus(key, errors="strict")
            parameter = parameters.get(name)
            if parameter is None:
                continue
            if name in found:
                raise InvalidQuery("given twice")
            found[name] = unquote(text, errors="strict") if parameter.raw else unquote_plus(text, errors="strict")
            if "\0" in found[name]:
                raise InvalidQuery("NUL")
    except UnicodeDecodeError as error:
        raise InvalidQuery("not UTF-8") from error
    return found


def by_name(*parameters: Parameter) -> Parameters:
    """Parameters by name, in this order."""
    return {parameter.name: parameter for parameter in parameters}


def number(text: str) -> int:
    """A number (schema/README.md#query-parameters).

    Raises:
        InvalidQuery: `text` is not a number.
    """
    if not re.fullmatch(r"[0-9]{1,20}", text) or int(text) > _LARGEST:
        raise InvalidQuery("not a number")
    return int(text)


def boolean(text: str) -> bool:
    """A boolean (schema/README.md#query-parameters).

    Raises:
        InvalidQuery: `text` is not a boolean.
    """
    if text not in _TRUE | _FALSE:
        raise InvalidQuery("not a boolean")
    return text in _TRUE


def slice_of(values: Mapping[str, Any]) -> tuple[int, int]:
    """Offset and limit.

    Raises:
        InvalidLimit: the limit is not between 1 and 100.
    """
    limit = values.get("limit", DEFAULT_LIMIT)
    if not 1 <= limit <= limits.PAGE:
        raise InvalidLimit
    return min(values.get("offset", 0), _LARGEST_STORED), limit


DEFAULT_LIMIT: Final = 10
STRING: Final = {"type": "string", "pattern": NO_NUL}
_WHOLE: Final = {"type": "integer", "minimum": 0, "maximum": _LARGEST}
_LIMIT: Final = {"type": "integer", "minimum": 1, "maximum": limits.PAGE, "default": DEFAULT_LIMIT}

OFFSET: Final = Parameter("offset", number, {**_WHOLE, "default": 0}, "Number of entries to skip.")
LIMIT: Final = Parameter("limit", number, _LIMIT, "Maximum number of entries to return.")
SLICE: Final = by_name(OFFSET, LIMIT)
"""The parameters of a list without filters; `slice_of` reads them."""
