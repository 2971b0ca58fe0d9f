"""Cells of a table: texts, and the values that they stand for.

A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula. So text that begins with one of these is written
with an apostrophe before it, which is taken off again.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from edgeclients.core.provisioning.record import BadCell
from edgeclients.core.rules import is_uuid
from edgeclients.model import ConnectionType, Status
from edgeclients.text import from_cell, to_cell

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_JSON = ("[", "{", '"')
_TYPES = {"publish": ConnectionType.PUBLISH, "subscribe": ConnectionType.SUBSCRIBE}
_TYPE_NAMES = {kind: name for name, kind in _TYPES.items()}
_STATUSES = {"enabled": Status.ENABLED, "disabled": Status.DISABLED}
_LONGEST_NUMBER = 1000  # digits


def value_of(cell: str) -> Any:
    """The metadata value in a cell that is not empty: a JSON value where it is one, else text."""
    if _NUMBER.fullmatch(cell) and len(cell) <= _LONGEST_NUMBER:
        return msgspec.json.decode(cell)
    if cell in _WORDS:
        return _WORDS[cell]
    if cell.startswith(_JSON):
        try:
            return msgspec.json.decode(cell)
        except (msgspec.DecodeError, RecursionError):
            pass
    return from_cell(cell)


def cell_of_value(value: Any) -> str:
    """The cell of a metadata value, from which `value_of` makes the same value."""
    if isinstance(value, float):
        decimal = format(Decimal(repr(value)), "f")
        return decimal if "." in decimal else f"{decimal}.0"
    if not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    is_text = value and value not in _WORDS and not value.startswith(_JSON) and not _NUMBER.fullmatch(value)
    return to_cell(value) if is_text else msgspec.json.encode(value).decode()


def tags_of(cell: str) -> tuple[str, ...]:
    """The tags in a cell: separated by commas, or a JSON array.

    Raises:
        BadCell: it begins like an array, and is none of texts.
    """
    if cell.startswith("["):
        try:
            return msgspec.json.decode(cell, type=tuple[str, ...])
        except (msgspec.MsgspecError, RecursionError) as error:
            raise BadCell("tags", cell, "is not a JSON array of texts") from error
    return tuple(tag for part in from_cell(cell).split(",") if (tag := part.strip()))


def cell_of_tags(tags: Iterable[str]) -> str:
    """The cell of tags."""
    listed = tuple(tags)
    if any(not tag or tag != tag.strip() or "," in tag for tag in listed) or (listed and listed[0].startswith("[")):
        return msgspec.json.encode(listed).decode()
    return to_cell(",".join(listed))


def channels_of(cell: str) -> frozenset[tuple[str, ConnectionType]]:
    """The connections in a cell: `<channel>:publish`, `<channel>:subscribe` or `<channel>` for both, separated by commas.

    Raises:
        BadCell: a channel is no UUID, or a type is unknown.
    """
    found: set[tuple[str, ConnectionType]] = set()
    for part in filter(None, map(str.strip, cell.split(","))):
        channel, colon, kind = part.partition(":")
        if not is_uuid(channel):
            raise BadCell("channels", part, "is not a channel's id: a UUID")
        if not colon:
            found |= {(channel, each) for each in ConnectionType}
        elif kind.lower() in _TYPES:
            found.add((channel, _TYPES[kind.lower()]))
        else:
            raise BadCell("channels", part, "has a type that is neither publish nor subscribe")
    return frozenset(found)


def cell_of_channels(channels: Iterable[tuple[str, ConnectionType]]) -> str:
    """The cell of connections."""
    types: dict[str, set[ConnectionType]] = {}
    for channel, kind in channels:
        types.setdefault(channel, set()).add(kind)
    return ",".join(
        channel if len(kinds) == len(ConnectionType) else f"{channel}:{_TYPE_NAMES[next(iter(kinds))]}"
        for channel, kinds in sorted(types.items())
    )


def status_of(cell: str) -> Status:
    """The status with a name.

    Raises:
        BadCell: there is none, or none that a client can get.
    """
    try:
        return _STATUSES[cell]
    except KeyError as error:
        raise BadCell("status", cell, "is neither enabled nor disabled") from error
