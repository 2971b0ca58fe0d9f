"""What a line of an import makes of the clients that exist: pure, without I/O."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from edgeclients.core.provisioning.record import BadLine, Path, Record, bad_line
from edgeclients.core.rules import check_external_id, check_identity, check_name, check_tags, metadata_text
from edgeclients.errors import (
    DomainError,
    ExternalIdTaken,
    Forbidden,
    GroupNotEnabled,
    GroupOfOtherDomain,
    IdTaken,
    InvalidExternalId,
    InvalidId,
    InvalidIdentity,
    InvalidMetadata,
    InvalidName,
    InvalidSecret,
    InvalidTags,
    MalformedRequest,
    NotFound,
    SecretTaken,
    text_of,
)
from edgeclients.model import Client, ClientDraft, Status
from edgeclients.operations import Operation

_in_order = msgspec.json.Encoder(order="deterministic").encode


class Key(StrEnum):
    """The column that says which client a line is about."""

    ID = "id"
    EXTERNAL_ID = "external_id"
    NAME = "name"


_COLUMNS: Final[Mapping[type[DomainError], str]] = {
    InvalidId: "id",
    IdTaken: "id",
    InvalidName: "name",
    InvalidExternalId: "external_id",
    ExternalIdTaken: "external_id",
    InvalidIdentity: "identity",
    InvalidSecret: "secret",
    SecretTaken: "secret",
    InvalidTags: "tags",
    InvalidMetadata: "metadata",
    GroupOfOtherDomain: "parent_group_id",
    GroupNotEnabled: "parent_group_id",
    NotFound: "parent_group_id",
}

OF_LINES: Final[tuple[type[DomainError], ...]] = (*_COLUMNS, Forbidden, MalformedRequest)
"""The errors that are the fault of a line, not of the service."""


class Change(Struct, frozen=True):
    """A client as a line wants it, the operations that this takes, and its new metadata if that changes.

    Secret and connections are compared where they are written.
    """

    old: Client
    new: Client
    operations: tuple[Operation, ...]
    metadata: Mapping[str, Any] | None


def refused(record: Record, error: DomainError) -> BadLine:
    """The report of a line that is refused for an error."""
    column = _COLUMNS.get(type(error), "")
    value = getattr(record, column, "") if column else ""
    explained = error.detail if isinstance(error, InvalidSecret | InvalidMetadata) else ""
    reason = f"{text_of(error)} ({explained})" if explained else text_of(error)
    return bad_line(record.line, column, value if isinstance(value, str) else "", reason)


def draft(record: Record) -> ClientDraft:
    """The client that a line creates."""
    generated = record.generated
    return ClientDraft(
        id=_given(record.id) or (generated.id if generated else ""),
        name=_given(record.name),
        external_id=_given(record.external_id),
        identity=_given(record.identity),
        secret=record.secret or (generated.secret if generated else ""),
        tags=record.tags or (),
        metadata=_metadata(record, {}),
        private_metadata=record.private_metadata or {},
        status=Status.ENABLED if record.status is UNSET else record.status,
        parent_group_id=_given(record.parent_group_id),
    )


def change(record: Record, client: Client) -> Change:
    """What a line makes of a client that exists.

    Raises:
        InvalidName, InvalidTags, InvalidMetadata, …: a value is not valid.
    """
    fields: dict[str, Any] = {}
    operations = []
    metadata = None
    if _describe(record, fields, client):
        operations.append(Operation.UPDATE)
    if record.metadata is not UNSET or record.values or record.removed:
        have = msgspec.json.decode(client.metadata)
        wanted = _metadata(record, have)
        if not _same(wanted, have):
            fields["metadata"], metadata = metadata_text(wanted), wanted
            operations.append(Operation.UPDATE)
    if record.tags is not UNSET and tuple(record.tags) != client.tags:
        fields["tags"] = check_tags(record.tags)
        operations.append(Operation.UPDATE_TAGS)
    if record.status is not UNSET and record.status != client.status:
        fields["status"] = int(record.status)
        operations.append(Operation.ENABLE if record.status is Status.ENABLED else Operation.DISABLE)
    if record.parent_group_id is not UNSET and (record.parent_group_id or None) != client.parent_group_id:
        fields["parent_group_id"] = record.parent_group_id or None
        if client.parent_group_id is not None:
            operations.append(Operation.REMOVE_PARENT_GROUP)
        if record.parent_group_id:
            operations.append(Operation.SET_PARENT_GROUP)
    return Change(client, msgspec.structs.replace(client, **fields), tuple(dict.fromkeys(operations)), metadata)


def key_of(record: Record, key: Key) -> str:
    """What a line has in the key's column; "" for nothing."""
    return _given(getattr(record, key))


def _describe(record: Record, fields: dict[str, Any], client: Client) -> bool:
    """Add the texts that change to `fields`; whether there are any."""
    before = len(fields)
    for name, check in (("name", check_name), ("external_id", check_external_id), ("identity", check_identity)):
        value = getattr(record, name)
        if value is not UNSET and value != getattr(client, name):
            check(value)
            fields[name] = value
    if record.private_metadata is not UNSET:
        text = metadata_text(record.private_metadata)
        if not _same(record.private_metadata, msgspec.json.decode(client.private_metadata)):
            fields["private_metadata"] = text
    return len(fields) > before


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two objects are the same in JSON: in Python 1, 1.0 and true are equal."""
    return one == other and _in_order(one) == _in_order(other)


def _given(value: Any) -> str:
    return "" if value is UNSET else value


def _metadata(record: Record, old: Mapping[str, Any]) -> Mapping[str, Any]:
    if record.metadata is not UNSET:
        return record.metadata
    new = dict(old)
    for path in record.removed:
        _remove(new, path)
    for path, value in record.values:
        _set(new, path, value)
    return new


def _set(objects: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *outer, last = path
    for key in outer:
        inner = objects.get(key)
        objects[key] = inner = dict(inner) if isinstance(inner, dict) else {}
        objects = inner
    objects[last] = value


def _remove(objects: dict[str, Any], path: Path) -> None:
    first, *rest = path
    if not rest:
        objects.pop(first, None)
        return
    inner = objects.get(first)
    if isinstance(inner, dict) and rest[0] in inner:
        objects[first] = inner = dict(inner)
        _remove(inner, tuple(rest))
        if not inner:
            del objects[first]
