"""What the outbox is told of a change: names and fields of contract 10.2. No secret is ever in one."""

import time
from typing import Any

import msgspec

from edgeclients.model import Client, Event, NewClient, Session, Status, action_names, rfc3339

_STATUS_NAMES = {int(status): status.name.lower() for status in Status}
_encode = msgspec.json.Encoder().encode


def created(session: Session, new: NewClient) -> Event:
    """A client and its built-in role were written."""
    client, role = new.client, new.role
    provisioned = {
        "id": role.id,
        "name": role.name,
        "entity_id": role.entity_id,
        "created_by": role.created_by,
        "created_at": rfc3339(role.created_at),
        "updated_by": "",
        "updated_at": "0001-01-01T00:00:00Z",
        "optional_actions": action_names(role.actions),
        "optional_members": role.members,
    }
    return _event(
        session,
        "client.create",
        client.id,
        {
            "roles_provisioned": [provisioned],
            "status": status_name(client.status),
            "created_at": rfc3339(client.created_at),
            **_described(client),
        },
    )


def updated(session: Session, stream: str, client: Client) -> Event:
    """A client's own fields changed: `client.update`, `client.update_tags` or `client.update_secret`."""
    return _event(
        session,
        stream,
        client.id,
        {
            **_touched(client),
            **_described(client),
            "created_at": rfc3339(client.created_at),
            "status": status_name(client.status),
        },
    )


def switched(session: Session, stream: str, client: Client) -> Event:
    """A client's status changed: `client.enable` or `client.disable`."""
    return _event(session, stream, client.id, {"status": status_name(client.status), **_touched(client)})


def removed(session: Session, client_id: str) -> Event:
    """A client is gone."""
    return _event(session, "client.remove", client_id, {})


def parent_set(session: Session, client_id: str, group_id: str) -> Event:
    """A client has a parent group."""
    return _event(session, "client.set_parent", client_id, {"parent_group_id": group_id})


def parent_removed(session: Session, client_id: str) -> Event:
    """A client has no parent group any more."""
    return _event(session, "client.remove_parent", client_id, {})


def status_name(status: int) -> str:
    """A status as the wire writes it."""
    return _STATUS_NAMES[status]


def _described(client: Client) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": client.name, "tags": client.tags, "identity": client.identity}
    present = {key: value for key, value in fields.items() if value}
    return {
        **present,
        "metadata": msgspec.Raw(client.metadata.encode()),
        "private_metadata": msgspec.Raw(client.private_metadata.encode()),
    }


def _touched(client: Client) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if client.updated_at is not None:
        fields["updated_at"] = rfc3339(client.updated_at)
    if client.updated_by:
        fields["updated_by"] = client.updated_by
    return fields


def _event(session: Session, stream: str, client_id: str, fields: dict[str, Any]) -> Event:
    payload = {
        "operation": stream,
        "id": client_id,
        "domain": session.domain_id,
        "user_id": session.user_id,
        "token_type": "pat" if session.pat_id else "access token",
        "super_admin": session.super_admin,
        "request_id": session.request_id,
        **fields,
    }
    return Event(stream, client_id, _encode(payload), time.time_ns())
