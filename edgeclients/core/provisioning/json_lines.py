"""Lines with a JSON object each: a client as the API shows it."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from edgeclients.core.limits import METADATA_BYTES
from edgeclients.core.provisioning import cells
from edgeclients.core.provisioning.lines import Line
from edgeclients.core.provisioning.planning import OF_LINES, refused
from edgeclients.core.provisioning.record import BadCell, BadLine, Generated, Record, bad_line
from edgeclients.core.rules import is_uuid, metadata_text
from edgeclients.model import ConnectionType

_KINDS = {"publish": ConnectionType.PUBLISH, "subscribe": ConnectionType.SUBSCRIBE}
_NOTHING = Raw(b"{}")
_NO_OBJECT = "is not a JSON object"
_LONG = 2 * METADATA_BYTES  # characters of a line that few have
_SHOWN = 200  # characters of a field's name, or of a fault


class _Credentials(Struct, forbid_unknown_fields=True):
    identity: str | UnsetType | None = UNSET
    secret: str | None = None


class _Channel(Struct, forbid_unknown_fields=True):
    id: str
    types: tuple[str, ...] = ("publish", "subscribe")


class _Shown(Struct):
    """What the API shows of a client besides what a line says of it: a client can be sent as it was shown."""

    domain_id: Raw = _NOTHING
    created_at: Raw = _NOTHING
    updated_at: Raw = _NOTHING
    updated_by: Raw = _NOTHING
    last_seen_at: Raw = _NOTHING
    role_id: Raw = _NOTHING
    role_name: Raw = _NOTHING
    roles: Raw = _NOTHING
    actions: Raw = _NOTHING
    permissions: Raw = _NOTHING
    access_type: Raw = _NOTHING
    access_provider_id: Raw = _NOTHING
    access_provider_role_id: Raw = _NOTHING
    access_provider_role_name: Raw = _NOTHING
    access_provider_role_actions: Raw = _NOTHING
    connection_types: Raw = _NOTHING
    parent_group_path: Raw = _NOTHING


class _Object(_Shown, forbid_unknown_fields=True):
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


class Sent(Struct, array_like=True):
    """A line as our own program sends it: what it read, and what a client gets if the line creates it.

    What was read stays a value of its own: nothing in it can pass for what the program adds.
    """

    read: Raw
    id: str = ""
    secret: str = ""


_decode = msgspec.json.Decoder(_Object).decode
_decode_sent = msgspec.json.Decoder(Sent).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


async def records(lines: AsyncIterator[Line], *, own: bool = False) -> AsyncIterator[Record | BadLine]:
    """What the lines say, null nothing; empty lines are left out. `own`: whether our own program sends them, as `Sent`."""
    async for number, text in lines:
        if text is None:
            yield bad_line(number, "", "", "is not UTF-8")
        elif text.strip():
            yield _record(number, text, own=own)


def _record(number: int, text: str, *, own: bool) -> Record | BadLine:
    try:
        sent = _decode_sent(text) if own else Sent(Raw(text))
    except (msgspec.MsgspecError, RecursionError):
        return bad_line(number, "", "", _NO_OBJECT)
    try:
        record = _said(number, _decode(sent.read), Generated(sent.id, sent.secret) if sent.id else None)
        record.size = len(text)
        return record if record.size < _LONG else _without_much(record)
    except BadCell as bad:
        return bad.at(number)
    except msgspec.ValidationError as error:
        return _unknown_field(number, sent.read) or bad_line(number, "", "", str(error)[:_SHOWN])
    except (msgspec.MsgspecError, RecursionError):
        return bad_line(number, "", "", _NO_OBJECT)


def _without_much(record: Record) -> Record | BadLine:
    """A long line, unless its values are more than a client may have: they take much more memory than the line."""
    try:
        for values in (record.metadata, record.private_metadata):
            metadata_text({} if values is UNSET else values)
    except OF_LINES as error:
        return refused(record, error)
    return record


def _unknown_field(number: int, text: Raw) -> BadLine | None:
    """The report of an object that has a field without a meaning, on the outside or in its credentials."""
    fields = _fields(text)
    for name in fields:
        if name in _Credentials.__struct_fields__:
            return bad_line(number, name, "", f"belongs into credentials: write credentials.{name}")
        if name not in _Object.__struct_fields__:
            return bad_line(number, name[:_SHOWN], "", "is an unknown field")
    for name in _fields(fields.get("credentials", _NOTHING)):
        if name not in _Credentials.__struct_fields__:
            return bad_line(number, f"credentials.{name[:_SHOWN]}", "", "is an unknown field")
    return None


def _fields(text: Raw) -> dict[str, Raw]:
    try:
        return _decode_fields(text)
    except (msgspec.MsgspecError, RecursionError):
        return {}


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
