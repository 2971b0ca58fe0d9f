"""What lists and containment mean, in plain Python: slow, obvious, and written without looking at the stores."""

from collections.abc import Sequence
from typing import Any

import msgspec

from edgeclients.model import Client, ClientFilter


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


def _fits(client: Client, wanted: ClientFilter) -> bool:
    if client.status not in wanted.statuses:
        return False
    if wanted.tags is not None:
        has = [tag in client.tags for tag in wanted.tags.tags]
        if not (all(has) if wanted.tags.match_all else any(has)):
            return False
    if wanted.metadata is not None and not contains(msgspec.json.decode(client.metadata), wanted.metadata):
        return False
    if wanted.parent_group_id is not None and (client.parent_group_id or "") != wanted.parent_group_id:
        return False
    if wanted.created_from is not None and client.created_at < wanted.created_from:
        return False
    return wanted.created_to is None or client.created_at <= wanted.created_to
