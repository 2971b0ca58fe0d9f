"""The payloads for callouts (schema/README.md#callouts): clients and filters, without secrets."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgeclients.core.events import status_name
from edgeclients.model import ClientDraft, ClientFilter, MemberFilter, RoleFilter, Session, action_names


def entities(session: Session, ids: Sequence[str], drafts: Iterable[ClientDraft]) -> list[dict[str, Any]]:
    """The clients of a request to create them."""
    return [_entity(session, client_id, draft) for client_id, draft in zip(ids, drafts, strict=True)]


def _entity(session: Session, client_id: str, draft: ClientDraft) -> dict[str, Any]:
    fields = {
        "name": draft.name,
        "external_id": draft.external_id,
        "tags": draft.tags,
        "parent_group_id": draft.parent_group_id,
        "metadata": draft.metadata,
        "private_metadata": draft.private_metadata,
        "credentials": {"identity": draft.identity} if draft.identity else None,
    }
    present = {key: value for key, value in fields.items() if value}
    return {"id": client_id, "domain_id": session.domain_id, "status": status_name(draft.status), **present}


def page_meta(wanted: ClientFilter) -> dict[str, Any]:
    """The filter of a client list, with the names of its query parameters."""
    fields = {
        "name": wanted.name,
        "id": wanted.id,
        "external_id": wanted.external_id,
        "tags": wanted.tags and list(wanted.tags.tags),
        "metadata": wanted.metadata,
        "group": wanted.parent_group_id,
        "channel": wanted.channel_id,
        "connection_type": wanted.connection_type and wanted.connection_type.name.lower(),
        **_role(wanted.role),
    }
    return {
        "offset": wanted.offset,
        "limit": wanted.limit,
        "order": wanted.order,
        "dir": "desc" if wanted.descending else "asc",
        "status": "all" if len(wanted.statuses) > 1 else status_name(wanted.statuses[0]),
        **{key: value for key, value in fields.items() if value is not None},
    }


def page_query(wanted: MemberFilter) -> dict[str, Any]:
    """The filter of a member list, with the names of its query parameters."""
    fields: Mapping[str, Any] = {"order": wanted.order, **_role(wanted.role)}
    present = {key: value for key, value in fields.items() if value is not None}
    return {"offset": wanted.offset, "limit": wanted.limit, "dir": "desc" if wanted.descending else "asc", **present}


def _role(wanted: RoleFilter) -> dict[str, Any]:
    return {
        "actions": None if wanted.actions is None else action_names(wanted.actions),
        "role_id": wanted.role_id,
        "role_name": wanted.role_name,
        "access_type": wanted.access_type,
        "access_provider_id": wanted.access_provider_id,
    }
