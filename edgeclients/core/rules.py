"""Validation of callers' input: sizes, forms and characters."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from edgeclients.core import limits
from edgeclients.errors import (
    InvalidExternalId,
    InvalidId,
    InvalidIdentity,
    InvalidMetadata,
    InvalidName,
    InvalidTags,
    MalformedRequest,
    MissingRoleName,
    NotFound,
    TooManyElements,
)
from edgeclients.model import ALL_ACTIONS, NO_ACTIONS, Action, action_names

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NO_ROLE_HAS = Action(ALL_ACTIONS + 1)
_ACTIONS = dict(zip(action_names(ALL_ACTIONS), Action, strict=True))

Metadata = Mapping[str, Any]


def is_uuid(text: str) -> bool:
    """Whether `text` is a canonical UUID: lower case, hyphens, any version."""
    return _UUID.fullmatch(text) is not None


def check_id(text: str) -> None:
    """Raise `InvalidId` unless `text` is a canonical UUID."""
    if not is_uuid(text):
        raise InvalidId


def check_path_id(text: str) -> None:
    """Raise `NotFound` unless `text` is a canonical UUID: in a path any other text is an unknown id.

    See schema/README.md#paths.
    """
    if not is_uuid(text):
        raise NotFound


def check_text(*texts: str) -> None:
    """Raise `MalformedRequest` if one of `texts` contains NUL: no store accepts it."""
    for text in texts:
        if "\0" in text:
            raise MalformedRequest("NUL in text")


def check_name(name: str) -> None:
    """Raise `InvalidName` if a name is too long (in bytes)."""
    check_text(name)
    if len(name) > limits.NAME_BYTES or len(name.encode()) > limits.NAME_BYTES:
        raise InvalidName


def check_identity(identity: str) -> None:
    """Raise `InvalidIdentity` if an identity is too long."""
    check_text(identity)
    if len(identity) > limits.IDENTITY_CHARACTERS:
        raise InvalidIdentity


def check_external_id(external_id: str) -> None:
    """Raise `InvalidExternalId` if an external id is too long."""
    check_text(external_id)
    if len(external_id) > limits.EXTERNAL_ID_CHARACTERS:
        raise InvalidExternalId


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Valid tags in their stored form.

    Raises:
        InvalidTags: there are too many, or one is too long.
    """
    checked = tuple(tags)
    check_text(*checked)
    if len(checked) > limits.TAGS or any(len(tag) > limits.TAG_CHARACTERS for tag in checked):
        raise InvalidTags
    return checked


def check_role_name(name: str) -> None:
    """Raise `MissingRoleName` or `InvalidName` unless a role can have this name (1 to 200 bytes)."""
    check_text(name)
    if not name:
        raise MissingRoleName
    if len(name) > limits.ROLE_NAME_BYTES or len(name.encode()) > limits.ROLE_NAME_BYTES:
        raise InvalidName


def check_actions(names: Sequence[str]) -> Action:
    """Actions by name.

    Raises:
        MalformedRequest: a name is unknown or repeated.
    """
    found = NO_ACTIONS
    for name in names:
        action = _ACTIONS.get(name, NO_ACTIONS)
        if not action or action in found:
            raise MalformedRequest("unknown or repeated action")
        found |= action
    return found


def actions_named(names: Iterable[str]) -> Action:
    """Actions to search for; an unknown name becomes an action that no role has."""
    found = NO_ACTIONS
    for name in names:
        found |= _ACTIONS.get(name, _NO_ROLE_HAS)
    return found


def check_members(members: Sequence[str]) -> tuple[str, ...]:
    """Valid member ids in their stored form. They need not be known here (schema/README.md#members).

    Raises:
        MalformedRequest: an id is empty, too long or repeated.
        TooManyElements: more ids than one call may name.
    """
    if len(members) > limits.MEMBERS:
        raise TooManyElements
    check_text(*members)
    if len(set(members)) < len(members):
        raise MalformedRequest("repeated member")
    if any(not 0 < len(member) <= limits.MEMBER_CHARACTERS for member in members):
        raise MalformedRequest("member id is empty or too long")
    return tuple(members)


def metadata_text(metadata: Metadata) -> str:
    """The stored form of a metadata object: JSON text.

    Raises:
        InvalidMetadata: it is too large or too deep.
        MalformedRequest: it contains NUL.
    """
    if not metadata:
        return "{}"
    try:
        encoded = msgspec.json.encode(metadata)
    except RecursionError as error:
        raise InvalidMetadata("too deep") from error
    if len(encoded) > limits.METADATA_BYTES:
        raise InvalidMetadata("too large")
    # Few brackets cannot be deep, and text without the escape has no NUL: most objects need no walk.
    if encoded.count(b"{") + encoded.count(b"[") > limits.METADATA_DEPTH or b"\\u0000" in encoded:
        _walk(metadata, 1)
    if encoded.count(b",") >= limits.METADATA_VALUES and values(metadata) > limits.METADATA_VALUES:
        raise InvalidMetadata("too many values")
    return encoded.decode()


def values(value: object) -> int:
    """The number of scalars in a JSON value of any depth."""
    found = 0
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping | list):
            waiting.extend(one.values() if isinstance(one, Mapping) else one)
        else:
            found += 1
    return found


def _walk(value: object, depth: int) -> None:
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, Mapping | list):
        if depth > limits.METADATA_DEPTH:
            raise InvalidMetadata("too deep")
        if isinstance(value, Mapping):
            check_text(*value)
        for item in value.values() if isinstance(value, Mapping) else value:
            _walk(item, depth + 1)
