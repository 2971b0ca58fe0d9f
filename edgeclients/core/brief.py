"""The attributes of a journal entry, of bounded size: no caller may displace others' entries with a few of its own."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

VALUE_BYTES: Final = 1024
"""Of a value as JSON; a longer text, list or object is cut."""

ENTRY_BYTES: Final = 4096
"""Of all attributes as JSON; more are cut further."""

_FIELDS: Final = {"before", "after"}  # objects whose values count, and not the whole
_MARK: Final = "…"
_MARK_BYTES: Final = 24  # of the mark with a number, and what separates it
_encode = msgspec.json.Encoder().encode


def brief(attributes: Mapping[str, Any]) -> bytes:
    """The JSON of `attributes`, with the beginning of what is too long."""
    encoded = _encode(attributes)
    most = VALUE_BYTES
    if len(encoded) <= most:
        return encoded
    while len(encoded := _encode(_with_values(attributes, most))) > ENTRY_BYTES and most > _MARK_BYTES:
        most //= 2
    return encoded


def _with_values(attributes: Mapping[str, Any], most: int) -> dict[str, Any]:
    """`attributes` with values of at most `most` bytes."""
    return {
        name: _with_values(value, most) if name in _FIELDS and isinstance(value, Mapping) else _cut(value, most)
        for name, value in attributes.items()
    }


def _cut(value: Any, most: int) -> Any:
    if len(_encode(value)) <= most:
        return value
    if isinstance(value, Mapping):
        return _first_items(value, most)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _first(value, most)
    return _beginning(str(value), most)


def _beginning(text: str, most: int) -> str:
    room = most - len(_encode(_MARK))
    kept = bisect_right(range(1, most), room, key=lambda length: len(_encode(text[:length])) - 2)
    return text[:kept] + _MARK


def _first(values: Sequence[Any], most: int) -> list[Any]:
    kept = [_cut(value, most // 2) for value in values[:most]]
    count = _fitting(kept, most)
    return [*kept[:count], f"{_MARK} {len(values) - count} more"]


def _first_items(values: Mapping[str, Any], most: int) -> dict[str, Any]:
    kept = [(name, _cut(values[name], most // 2)) for name, _ in zip(values, range(most), strict=False)]
    count = _fitting(kept, most)
    return {**dict(kept[:count]), _MARK: f"{len(values) - count} more"}


def _fitting(values: Sequence[Any], most: int) -> int:
    """How many of the first of `values` there is room for."""
    room = most - 2 * _MARK_BYTES
    for count, value in enumerate(values):
        room -= len(_encode(value)) + 1
        if room < 0:
            return count
    return len(values)
