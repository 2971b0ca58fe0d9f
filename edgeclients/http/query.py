"""The query of a list (contract 1.4, 3.3): every parameter once, as data, in the order they are checked."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, unquote_plus

import msgspec

from edgeclients.core import limits
from edgeclients.core.rules import metadata_text
from edgeclients.errors import InvalidDirection, InvalidLimit, InvalidName, InvalidOrder, InvalidQuery, InvalidStatus
from edgeclients.model import ClientFilter, ConnectionType, Status, TagFilter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = 2**64 - 1
_LARGEST_STORED = 2**63 - 1
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})

_STATUSES = {
    "": (Status.ENABLED,),
    "enabled": (Status.ENABLED,),
    "disabled": (Status.DISABLED,),
    "deleted": (Status.DELETED,),
    "all": tuple(Status),
}
_TYPES = {"": None, "publish": ConnectionType.PUBLISH, "subscribe": ConnectionType.SUBSCRIBE}
_ORDERS = {"": "created_at", "name": "name", "created_at": "created_at", "updated_at": "updated_at"}
_DIRECTIONS = {"": False, "asc": False, "desc": True}


class Parameter(NamedTuple):
    """One query parameter: its name, what it is parsed by, and how it is described."""

    name: str
    parse: Callable[[str], Any]
    schema: Mapping[str, Any]
    help: str
    raw: bool = False


def parse(query: bytes) -> ClientFilter:
    """The filter a query string asks for; unknown parameters are ignored.

    Raises:
        InvalidQuery, InvalidStatus, InvalidLimit, InvalidName, InvalidOrder, InvalidDirection: it asks for none.
    """
    given = _split(query)
    values = {p.name: p.parse(given[p.name]) for p in PARAMETERS if p.name in given}
    limit = values.get("limit", 10)
    if not 1 <= limit <= limits.PAGE:
        raise InvalidLimit
    name = values.get("name") or None
    if name and len(name.encode()) > limits.NAME_BYTES:
        raise InvalidName
    order = values.get("order", "updated_at")
    if order not in _ORDERS:
        raise InvalidOrder
    direction = values.get("dir", "desc")
    if direction not in _DIRECTIONS:
        raise InvalidDirection
    return ClientFilter(
        offset=min(values.get("offset", 0), _LARGEST_STORED),
        limit=limit,
        order=_ORDERS[order],
        descending=_DIRECTIONS[direction],
        name=name,
        id=values.get("id") or None,
        tags=values.get("tags"),
        statuses=values.get("status", (Status.ENABLED,)),
        metadata=values.get("metadata"),
        parent_group_id=values.get("group"),
        channel_id=values.get("channel") or None,
        connection_type=values.get("connection_type"),
        created_from=values.get("created_from"),
        created_to=values.get("created_to"),
        only_total=values.get("only_total", False),
    )


def _split(query: bytes) -> dict[str, str]:
    """Parameters we know, decoded."""
    found: dict[str, str] = {}
    try:
        for part in filter(None, query.decode("ascii").split("&")):
            key, _, text = part.partition("=")
            name = unquote_plus(key, errors="strict")
            parameter = _BY_NAME.get(name)
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


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,20}", text) or int(text) > _LARGEST:
        raise InvalidQuery("not a number")
    return int(text)


def boolean(text: str) -> bool:
    """A flag (contract 1.4).

    Raises:
        InvalidQuery: it is none.
    """
    if text not in _TRUE | _FALSE:
        raise InvalidQuery("not a flag")
    return text in _TRUE


def _tags(text: str) -> TagFilter | None:
    """`+` means all, `,` any; around them blanks do not count."""
    if not text:
        return None
    match_all = "+" in text
    separator = "+" if match_all else ","
    tags = tuple(part.strip() for part in text.split(separator)) if separator in text else (text,)
    if len(tags) > limits.TAGS:
        raise InvalidQuery("too many tags")
    return TagFilter(tags, match_all=match_all)


def _status(text: str) -> tuple[Status, ...]:
    try:
        return _STATUSES[text]
    except KeyError as error:
        raise InvalidStatus from error


def _metadata(text: str) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(text, type=dict[str, Any] | None)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidQuery("metadata is not an object") from error
    metadata_text(value or {})
    return value or None


def _time(text: str) -> int:
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError as error:
        raise InvalidQuery("not a time") from error
    if moment.tzinfo is None:
        raise InvalidQuery("time without zone")
    return (moment - _EPOCH) // _EPOCH.resolution


def _connection_type(text: str) -> ConnectionType | None:
    try:
        return _TYPES[text.lower()]
    except KeyError as error:
        raise InvalidQuery("not a connection type") from error


_STRING: Final = {"type": "string"}
_TIME: Final = {"type": "string", "format": "date-time"}
_WHOLE: Final = {"type": "integer", "minimum": 0}

PARAMETERS: Final = (
    Parameter("name", str, _STRING, "Part of the name, in any letter case; `%` and `_` stand for any text, any character."),
    Parameter("tags", _tags, _STRING, "One tag; with `,` between several any of them, with `+` all.", raw=True),
    Parameter("status", _status, {"type": "string", "enum": [*_STATUSES], "default": "enabled"}, "Only clients in this state."),
    Parameter("metadata", _metadata, _STRING, "A JSON object that the client's metadata contains."),
    Parameter("offset", _number, {**_WHOLE, "default": 0}, "How many to leave out at the start."),
    Parameter("limit", _number, {"type": "integer", "minimum": 1, "maximum": limits.PAGE, "default": 10}, "How many to show."),
    Parameter("dir", str, {"type": "string", "enum": [*_DIRECTIONS], "default": "desc"}, "Direction of the order."),
    Parameter("order", str, {"type": "string", "enum": [*_ORDERS], "default": "updated_at"}, "What to sort by."),
    Parameter("group", str, _STRING, "Clients of this parent group; empty: clients without one."),
    Parameter("channel", str, _STRING, "Clients connected to this channel, with their connection types."),
    Parameter(
        "connection_type",
        _connection_type,
        {"type": "string", "enum": ["publish", "subscribe"]},
        "With `channel`: connected in this way, in any letter case.",
    ),
    Parameter("id", str, _STRING, "The client with this id."),
    Parameter("only_total", boolean, {"type": "boolean", "default": False}, "Only count."),
    Parameter("created_from", _time, _TIME, "Created then or later."),
    Parameter("created_to", _time, _TIME, "Created then or earlier."),
)

_BY_NAME: Final = {parameter.name: parameter for parameter in PARAMETERS}
