"""Conversion of setting values from and to their text form."""

import re
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeclients.settings.variables import Duration, Field


def shown(field: Field, value: object) -> str:
    """The text form of a value, with secrets masked."""
    if field.variable.secret and value:
        return "********"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if field.type is Duration:
        return f"{value:g}s"
    return "" if value is None else str(value)


def parse(field: Field, text: str) -> Any:
    """The value that `text` stands for.

    Raises:
        ValueError: "`text` is not …".
    """
    value = _PARSERS[_kind(field.type)](text)
    variable = field.variable
    if variable.choices:
        value = value.lower()
    if variable.choices and value not in variable.choices:
        raise ValueError("one of: " + ", ".join(variable.choices))
    if variable.low is not None and value < variable.low:
        raise ValueError(f"{variable.low:.15g} or more")
    if variable.high is not None and value > variable.high:
        raise ValueError(f"{variable.high:.15g} or less")
    return value


def _kind(hint: Any) -> Any:
    """The key of a type in `_PARSERS`: `X | None` has the key of `X`."""
    if isinstance(hint, types.UnionType):
        return next(part for part in hint.__args__ if part is not type(None))
    return hint


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+")


def duration(text: str) -> float:
    """Seconds, from the text form that `Duration` describes.

    Raises:
        ValueError: "`text` is not …".
    """
    if _NUMBER.fullmatch(text):
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("a duration such as 10s, 1h30m or a number of seconds")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError as error:
        raise ValueError("true or false") from error


def _integer(text: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text):
        raise ValueError("a whole number")
    return int(text)


_BOOLEANS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}


def _decimal(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("a number")
    return float(text)


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_PARSERS: dict[Any, Callable[[str], Any]] = {
    str: str,
    int: _integer,
    float: _decimal,
    bool: _boolean,
    Path: Path,
    Duration: duration,
    tuple[str, ...]: _list,
    tuple[Path, ...]: lambda text: tuple(map(Path, _list(text))),
}
