"""Lines with a JSON object each: a client as the API shows it."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from edgeclients.core.provisioning import cells
from edgeclients.core.provisioning.lines import Line
from edgeclients.core.provisioning.record import BadCell, BadLine, Generated, Record, bad_line
from edgeclients.core.rules import is_uuid
from edgeclients.model import ConnectionType

_KINDS = {"publish": ConnectionType.PUBLISH, "subscribe": ConnectionType.SUBSCRIBE}


class _Credentials(Struct):
    identity: str | UnsetType | None = UNSET
    secret: str | None = None


class _Channel(Struct):
    id: str
    types: tuple[str, ...] = ("publish", "subscribe")


class _Object(Struct):
    id: str | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET
    external_id: str | UnsetType | None = UNSET
    credentials: _Credentials | None = None
    tags: tuple[str, ...] | UnsetType | None = UNSET
    parent_group_id: str | UnsetType | None = UNSET
    status: str | None = None
    channels: tuple[_Channel, ...] | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET
    private_metadata: dict[str, Any] | UnsetType | None = UNSET
    own_line: int = msgspec.field(default=0, name="_line")
    own_id: str = msgspec.field(default="", name="_id")
    own_secret: str = msgspec.field(default="", name="_secret")


_decode = msgspec.json.Decoder(_Object).decode


async def records(lines: AsyncIterator[Line], *, own: bool = False) -> AsyncIterator[Record | BadLine]:
    """What the lines say, null nothing; empty lines are left out. `own`: whether keys of our own program are heeded."""
    async for number, text in lines:
        if text is None:
            yield bad_line(number, "", "", "is not UTF-8")
        elif text.strip():
            yield _record(number, text, own=own)


def _record(number: int, text: str, *, own: bool) -> Record | BadLine:
    try:
        found = _decode(text)
        line = found.own_line if own and found.own_line else number
        return _said(line, found, Generated(found.own_id, found.own_secret) if own and found.own_id else None)
    except BadCell as bad:
        return bad.at(number)
    except (msgspec.MsgspecError, RecursionError) as error:
        reason = str(error) if isinstance(error, msgspec.ValidationError) else "is not a JSON object"
        return bad_line(number, "", "", reason)


def _said(line: int, found: _Object, generated: Generated | None) -> Record:
    credentials = found.credentials or _Credentials()
    return Record(
        line=line,
        id=_text(found.id),
        name=_text(found.name),
        external_id=_text(found.external_id),
        identity=_text(credentials.identity),
        secret=credentials.secret or "",
        tags=UNSET if found.tags is None else found.tags,
        parent_group_id=_text(found.parent_group_id),
        status=cells.status_of(found.status) if found.status else UNSET,
        channels=UNSET if found.channels is None or found.channels is UNSET else _connections(found.channels),
        metadata=UNSET if found.metadata is None else found.metadata,
        private_metadata=UNSET if found.private_metadata is None else found.private_metadata,
        generated=generated,
    )


def _text(value: str | UnsetType | None) -> str | UnsetType:
    return UNSET if value is None else value


def _connections(channels: tuple[_Channel, ...]) -> frozenset[tuple[str, ConnectionType]]:
    found = set()
    for channel in channels:
        if not is_uuid(channel.id):
            raise BadCell("channels", channel.id, "is not a channel's id: a UUID")
        for kind in channel.types:
            if kind.lower() not in _KINDS:
                raise BadCell("channels", kind, "has a type that is neither publish nor subscribe")
            found.add((channel.id, _KINDS[kind.lower()]))
    return frozenset(found)
