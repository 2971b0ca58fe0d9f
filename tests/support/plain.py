"""What lists and containment mean, in plain Python: slow, obvious, and written without looking at the stores."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from edgeclients.model import Client, ClientFilter, Role, RoleFilter, Viewer


def contains(value: Any, wanted: Any) -> bool:
    """PostgreSQL's `@>` below the top level."""
    if type(wanted) is dict:
        if type(value) is not dict:
            return False
        return all(key in value and contains(value[key], wanted[key]) for key in wanted)
    if type(wanted) is list:
        if type(value) is not list:
            return False
        return all([one for one in value if contains(one, element)] for element in wanted)
    if type(value) in {dict, list}:
        return False
    if bool in {type(value), type(wanted)} or None in {value, wanted} or str in {type(value), type(wanted)}:
        return type(value) is type(wanted) and value == wanted
    return bool(value == wanted)


def page(clients: Sequence[Client], wanted: ClientFilter) -> tuple[int, list[str]]:
    """Total and ids of a page."""
    found = [client for client in clients if _fits(client, wanted)]
    keys = {
        "name": lambda c: (c.name, c.id),
        "created_at": lambda c: (c.created_at, c.id),
        "updated_at": lambda c: (c.created_at if c.updated_at is None else c.updated_at, c.id),
    }
    found.sort(key=keys[wanted.order], reverse=wanted.descending)
    return len(found), [client.id for client in found[wanted.offset :][: wanted.limit]]


class Seen(NamedTuple):
    """A row of a list as a viewer sees it."""

    id: str
    role: Role | None
    access_type: str


def view(clients: Sequence[Client], held: Mapping[str, Role], wanted: ClientFilter, viewer: Viewer) -> tuple[int, list[Seen]]:
    """Total and rows of a page as `viewer` sees it, who has the roles `held`, by client."""
    roles = {client_id: role for client_id, role in held.items() if role.actions}
    ways = {client.id: _way(client, roles, viewer) for client in clients}
    shown = [client for client in clients if _shows(ways[client.id], roles.get(client.id), wanted.role)]
    total, ids = page(shown, wanted)
    return total, [Seen(one, roles.get(one), ways[one]) for one in ids]


def _way(client: Client, roles: Mapping[str, Role], viewer: Viewer) -> str:
    """By what a viewer sees a client; "" for not at all."""
    if client.id in roles:
        return "direct"
    if viewer.everything:
        return "domain"
    return "direct_group" if client.parent_group_id in viewer.groups else ""


def _shows(way: str, role: Role | None, wanted: RoleFilter) -> bool:
    if not way or wanted.access_type not in {None, way}:
        return False
    if role is None:
        return all(one is None for one in (wanted.actions, wanted.role_id, wanted.role_name))
    if wanted.actions is not None and any(action not in role.actions for action in wanted.actions):
        return False
    return wanted.role_id in {None, role.id} and wanted.role_name in {None, role.name}


def _fits(client: Client, wanted: ClientFilter) -> bool:
    if client.status not in wanted.statuses:
        return False
    if wanted.tags is not None:
        has = [tag in client.tags for tag in wanted.tags.tags]
        if not (all(has) if wanted.tags.match_all else any(has)):
            return False
    if wanted.metadata is not None and not contains(msgspec.json.decode(client.metadata), wanted.metadata):
        return False
    if wanted.external_id is not None and client.external_id != wanted.external_id:
        return False
    if wanted.parent_group_id is not None and (client.parent_group_id or "") != wanted.parent_group_id:
        return False
    if wanted.created_from is not None and client.created_at < wanted.created_from:
        return False
    return wanted.created_to is None or client.created_at <= wanted.created_to
