"""Query parameters of the list of clients (schema/README.md#list)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from edgeclients.core import limits
from edgeclients.core.rules import actions_named, metadata_text
from edgeclients.errors import InvalidDirection, InvalidName, InvalidOrder, InvalidQuery, InvalidStatus
from edgeclients.http.wire.parameters import LIMIT, OFFSET, STRING, Parameter, boolean, by_name, read, slice_of
from edgeclients.model import LAST_SEEN, Action, ClientFilter, ConnectionType, RoleFilter, Status, TagFilter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_STATUSES = {
    "": (Status.ENABLED,),
    "enabled": (Status.ENABLED,),
    "disabled": (Status.DISABLED,),
    "deleted": (Status.DELETED,),
    "all": tuple(Status),
}
_TYPES = {"": None, "publish": ConnectionType.PUBLISH, "subscribe": ConnectionType.SUBSCRIBE}
_ORDERS = {"": "created_at", "name": "name", "created_at": "created_at", "updated_at": "updated_at", LAST_SEEN: LAST_SEEN}
_DIRECTIONS = {"": False, "asc": False, "desc": True}


class ListQuery(NamedTuple):
    """The filter of a list, and the user whose clients it shows; "" for the caller."""

    clients: ClientFilter
    user_id: str


def parse(query: bytes) -> ListQuery:
    """Parse a query string; unknown parameters are ignored.

    Raises:
        InvalidQuery, InvalidStatus, InvalidLimit, InvalidName, InvalidOrder, InvalidDirection: a value is invalid.
    """
    values = read(query, PARAMETERS)
    offset, limit = slice_of(values)
    name = values.get("name") or None
    if name and len(name.encode()) > limits.NAME_BYTES:
        raise InvalidName
    order = values.get("order", "updated_at")
    if order not in _ORDERS:
        raise InvalidOrder
    clients = ClientFilter(
        offset=offset,
        limit=limit,
        order=_ORDERS[order],
        descending=descending(values, "desc"),
        name=name,
        id=values.get("id") or None,
        external_id=values.get("external_id") or None,
        tags=values.get("tags"),
        statuses=values.get("status", (Status.ENABLED,)),
        metadata=values.get("metadata"),
        parent_group_id=values.get("group"),
        channel_id=values.get("channel") or None,
        connection_type=values.get("connection_type"),
        created_from=values.get("created_from"),
        created_to=values.get("created_to"),
        seen_after=values.get("seen_after"),
        seen_before=values.get("seen_before"),
        only_total=values.get("only_total", False),
        role=role_filter(values),
    )
    return ListQuery(clients, values.get("user", ""))


def direction(default: str) -> Parameter:
    """The parameter `dir`."""
    return Parameter("dir", str, {"type": "string", "enum": [*_DIRECTIONS], "default": default}, "Sort direction.")


def descending(values: Mapping[str, Any], default: str) -> bool:
    """Whether the requested direction, or else `default`, is descending.

    Raises:
        InvalidDirection: the direction is unknown.
    """
    text = values.get("dir", default)
    if text not in _DIRECTIONS:
        raise InvalidDirection
    return _DIRECTIONS[text]


def role_filter(values: Mapping[str, Any]) -> RoleFilter:
    """The filter on roles in the parsed `values`."""
    return RoleFilter(
        actions=values.get("actions"),
        role_id=values.get("role_id") or None,
        role_name=values.get("role_name") or None,
        access_type=values.get("access_type") or None,
        access_provider_id=values.get("access_provider_id") or None,
    )


def _tags(text: str) -> TagFilter | None:
    """`+` separates tags that all have to match, `,` tags of which one has to; spaces around both are ignored."""
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


def _actions(text: str) -> Action | None:
    return actions_named(text.split(",")) if text else None


_TIME: Final = {"type": "string", "format": "date-time"}
_NAME: Final = {**STRING, "maxLength": limits.NAME_BYTES}
_SEPARATORS: Final = limits.TAGS - 1
# Tags separated by `+`, which may then contain `,`; or tags separated by `,`.
_TAGS: Final = {
    "type": "string",
    "pattern": rf"^([^\x00+]*([+][^\x00+]*){{1,{_SEPARATORS}}}|[^\x00+,]*(,[^\x00+,]*){{0,{_SEPARATORS}}})$",
}
_METADATA: Final = {
    "type": "string",
    "contentMediaType": "application/json",
    "contentSchema": {"type": ["object", "null"]},
    "pattern": r"^[ \t\r\n]*([{][^\x00]*[}]|null)[ \t\r\n]*$",
}

ACTIONS: Final = Parameter("actions", _actions, STRING, "Actions, separated by `,`; the role has all of them.")
ROLE_ID_FILTER: Final = Parameter("role_id", str, STRING, "Only access by the role with this id.")
ROLE_NAME: Final = Parameter("role_name", str, STRING, "Only access by a role with this name.")
ACCESS_TYPE: Final = Parameter("access_type", str, STRING, "Only access of this kind: `direct`, `direct_group` or `domain`.")

PARAMETERS: Final = by_name(
    Parameter("name", str, _NAME, "Part of the name, in any letter case; `%` matches any text, `_` any character."),
    Parameter("tags", _tags, _TAGS, "One tag, or several: separated by `,` any of them matches, by `+` all.", raw=True),
    Parameter(
        "status", _status, {"type": "string", "enum": [*_STATUSES], "default": "enabled"}, "Only clients with this status."
    ),
    Parameter("metadata", _metadata, _METADATA, "Only clients whose metadata contains this JSON object."),
    OFFSET,
    LIMIT,
    direction("desc"),
    Parameter("order", str, {"type": "string", "enum": [*_ORDERS], "default": "updated_at"}, "Field to sort by."),
    ACTIONS,
    ROLE_ID_FILTER,
    ROLE_NAME,
    ACCESS_TYPE,
    Parameter("user", str, STRING, "The clients of this user; only for super admins."),
    Parameter("group", str, STRING, "Only clients of this parent group; if empty, clients without one."),
    Parameter("channel", str, STRING, "Only clients connected to this channel, with their connection types."),
    Parameter(
        "connection_type",
        _connection_type,
        {"type": "string", "enum": [*_TYPES]},
        "With `channel`: only this connection type, in any letter case.",
    ),
    Parameter("id", str, STRING, "Only the client with this id."),
    Parameter("external_id", str, STRING, "Only the client with this external id."),
    Parameter("only_total", boolean, {"type": "boolean", "default": False}, "Return only the total."),
    Parameter("created_from", _time, _TIME, "Created at this time or later."),
    Parameter("created_to", _time, _TIME, "Created at this time or earlier."),
    Parameter("seen_after", _time, _TIME, "Last authenticated at this time or later."),
    Parameter("seen_before", _time, _TIME, "Last authenticated at this time or earlier, but at least once."),
)
