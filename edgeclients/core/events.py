"""The events of changes. No event contains a secret.

Names and fields are those of schema/README.md#event-payloads and schema/README.md#role-events.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from edgeclients.model import Action, Client, Event, NewClient, NewRole, Role, Session, Status, action_names, rfc3339

STREAMS = (
    "client.create",
    "client.update",
    "client.update_tags",
    "client.update_secret",
    "client.enable",
    "client.disable",
    "client.remove",
    "client.set_parent",
    "client.remove_parent",
    "client.roles",
)
"""All streams."""

NEVER = "0001-01-01T00:00:00Z"  # schema/README.md#roles: the time of a change that never happened

_STATUS_NAMES = {int(status): status.name.lower() for status in Status}
_encode = msgspec.json.Encoder().encode


def created(session: Session, new: NewClient) -> Event:
    """A client and its built-in role were created."""
    client, role = new.client, new.role
    return _event(
        session,
        "client.create",
        client.id,
        {
            "roles_provisioned": [_provisioned(role)],
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
    """A client was removed."""
    return _event(session, "client.remove", client_id, {})


def parent_set(session: Session, client_id: str, group_id: str) -> Event:
    """A client was added to a parent group."""
    return _event(session, "client.set_parent", client_id, {"parent_group_id": group_id})


def parent_removed(session: Session, client_id: str) -> Event:
    """A client was removed from its parent group."""
    return _event(session, "client.remove_parent", client_id, {})


def role_added(session: Session, role: NewRole) -> Event:
    """A role was added to a client."""
    return _role_event(session, "client.role.add", role.entity_id, _provisioned(role))


def role_renamed(session: Session, role: Role) -> Event:
    """A role was renamed."""
    return _role_event(session, "client.role.update", role.entity_id, role_fields(role))


def role_removed(session: Session, role: Role) -> Event:
    """A role was removed."""
    return _role_event(session, "client.role.remove", role.entity_id, _of_role(role))


def actions_added(session: Session, role: Role, actions: Action) -> Event:
    """Actions were added to a role."""
    return _role_event(session, "client.role.actions.add", role.entity_id, _of_role(role, actions=action_names(actions)))


def actions_removed(session: Session, role: Role, actions: Action) -> Event:
    """Actions were removed from a role."""
    return _role_event(session, "client.role.actions.remove", role.entity_id, _of_role(role, actions=action_names(actions)))


def all_actions_removed(session: Session, role: Role) -> Event:
    """All actions were removed from a role."""
    return _role_event(session, "client.role.actions.remove_all", role.entity_id, _of_role(role))


def members_added(session: Session, role: Role, members: Sequence[str]) -> Event:
    """Members were added to a role."""
    return _role_event(session, "client.role.members.add", role.entity_id, _of_role(role, members=members))


def members_removed(session: Session, role: Role, members: Sequence[str]) -> Event:
    """Members were removed from a role."""
    return _role_event(session, "client.role.members.remove", role.entity_id, _of_role(role, members=members))


def all_members_removed(session: Session, role: Role) -> Event:
    """All members were removed from a role."""
    return _role_event(session, "client.role.members.remove_all", role.entity_id, _of_role(role))


def role_fields(role: Role) -> dict[str, Any]:
    """The wire form of a role: no key is omitted (schema/README.md#roles)."""
    return {
        "id": role.id,
        "name": role.name,
        "entity_id": role.entity_id,
        "created_by": role.created_by,
        "created_at": rfc3339(role.created_at),
        "updated_by": role.updated_by or "",
        "updated_at": NEVER if role.updated_at is None else rfc3339(role.updated_at),
    }


def status_name(status: int) -> str:
    """The wire name of a status."""
    return _STATUS_NAMES[status]


def _provisioned(role: NewRole) -> dict[str, Any]:
    return {
        **role_fields(role.role()),
        "optional_actions": action_names(role.actions),
        "optional_members": role.members,
    }


def _of_role(role: Role, **fields: Any) -> dict[str, Any]:
    return {"entity_id": role.entity_id, "role_id": role.id, **fields}


def _described(client: Client) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": client.name,
        "tags": client.tags,
        "identity": client.identity,
        "external_id": client.external_id,
    }
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


def _role_event(session: Session, operation: str, client_id: str, fields: dict[str, Any]) -> Event:
    """All role events use one stream, without domain and user (schema/README.md#role-events)."""
    payload = {"operation": operation, "request_id": session.request_id, **fields}
    return Event("client.roles", client_id, _encode(payload))


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
    return Event(stream, client_id, _encode(payload))
