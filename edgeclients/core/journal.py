"""The entries of the journal: who changed what, when, from where, before and after (schema/README.md#journal).

No entry holds a secret, private metadata, or a value of metadata. `brief` bounds each.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from edgeclients.core.brief import brief
from edgeclients.core.events import status_name
from edgeclients.model import Action, Client, JournalEntry, NewRole, Ring, Role, Session, action_names

CREATE, IMPORT = "client.create", "client.import"
REMOVE_MEMBERS = "members.remove"  # of a role
CONNECT, DISCONNECT = "client.connect", "client.disconnect"
SET_PARENT, REMOVE_PARENT = "client.set_parent", "client.remove_parent"

MOST_SHORT = 10_000
"""Clients of one call that get an entry of their own: a tenth of what their ring holds, as many as a call can name."""

_FIELDS = ("name", "external_id", "identity", "tags", "parent_group_id")
_LOCAL = "local"  # where commands on this machine come from
_encode = msgspec.json.Encoder().encode


def created(session: Session, client: Client) -> JournalEntry:
    """A client was created."""
    return _entry(session, CREATE, client.id, {"after": _described(client)})


def created_with_others(session: Session, client: Client) -> JournalEntry:
    """A client was created as one of many."""
    return short(session, CREATE, client.id)


def removed(session: Session, client: Client) -> JournalEntry:
    """A client was removed."""
    return _entry(session, "client.remove", client.id, {"before": _described(client)})


def changed(session: Session, operation: str, old: Client, new: Client, **more: object) -> JournalEntry:
    """A client was changed; `more` are further attributes."""
    before, after = _difference(old, new)
    return _entry(session, operation, new.id, {"before": before, "after": after, **more})


def of_role(
    session: Session, operation: str, role: NewRole | Role, before: Mapping[str, Any] = {}, after: Mapping[str, Any] = {}
) -> JournalEntry:
    """A role of a client was added, changed or removed; `operation` follows `client.role.`."""
    attributes = {"role_id": role.id, "role_name": role.name, "before": before, "after": after}
    return _entry(session, f"client.role.{operation}", role.entity_id, attributes)


def of_actions(actions: Action) -> dict[str, Any]:
    """Actions of a role, before or after."""
    return {"actions": action_names(actions)}


def of_members(members: Sequence[str]) -> dict[str, Any]:
    """Members of a role, before or after."""
    return {"members": members}


def of_operator(operation: str, operator_id: str, by: str, **attributes: object) -> JournalEntry:
    """A local operator was added, changed or removed; `operation` follows `operator.`."""
    told = {"from": _LOCAL, "operator_id": operator_id, **_present(attributes)}
    return JournalEntry(f"operator.{operation}", "", "", by, brief(told))


def service_in(domain_id: str) -> Session:
    """Another service as the one who changed something in a domain: its calls name no user."""
    return Session("", domain_id, super_admin=False, request_id="", origin="gRPC")


def command_in(domain_id: str, by: str) -> Session:
    """A command on this machine as what changed something in a domain; `by` is who ran it."""
    return Session("", domain_id, super_admin=False, request_id="", local=True, origin=by)


def one_or_many(session: Session, operation: str, client_ids: Sequence[str], **attributes: object) -> list[JournalEntry]:
    """The same was done to some clients: one entry with `attributes`, and a short one for each if there are several.

    Beyond `MOST_SHORT` clients, the others are only in the number of clients that the first entry tells.
    """
    if len(client_ids) == 1:
        return [_entry(session, operation, client_ids[0], attributes)]
    whole = summary(session, operation, clients=len(client_ids), client_ids=client_ids, **attributes)
    return [whole, *(short(session, operation, client_id) for client_id in client_ids[:MOST_SHORT])]


def by_domain(domains: Mapping[str, str]) -> dict[str, list[str]]:
    """The clients of each domain, in order; `domains` has the domain of each client."""
    found: dict[str, list[str]] = {}
    for client_id in sorted(domains):
        found.setdefault(domains[client_id], []).append(client_id)
    return found


def short(session: Session, operation: str, client_id: str) -> JournalEntry:
    """What was done to one client of many."""
    return JournalEntry(operation, session.domain_id, client_id, _actor(session), ring=Ring.SHORT)


def summary(session: Session, operation: str, **attributes: object) -> JournalEntry:
    """What was done to many clients."""
    return _entry(session, operation, "", attributes)


def _entry(session: Session, operation: str, client_id: str, attributes: Mapping[str, Any]) -> JournalEntry:
    origin = _LOCAL if session.local else session.origin
    told = {"from": origin, "request_id": session.request_id, "pat_id": session.pat_id, **attributes}
    return JournalEntry(operation, session.domain_id, client_id, _actor(session), brief(_present(told)))


def _actor(session: Session) -> str:
    return session.origin if session.local else session.user_id


def _present(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that say something."""
    return {name: value for name, value in attributes.items() if value or value == 0}


def _described(client: Client) -> dict[str, Any]:
    found = {name: getattr(client, name) for name in _FIELDS}
    return _present({**found, "status": status_name(client.status), "metadata": list(msgspec.json.decode(client.metadata))})


def _difference(old: Client, new: Client) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that differ, as they were and as they are."""
    differing = [name for name in _FIELDS if getattr(old, name) != getattr(new, name)]
    before, after = ({name: getattr(one, name) or "" for name in differing} for one in (old, new))
    if old.status != new.status:
        before["status"], after["status"] = status_name(old.status), status_name(new.status)
    if old.metadata != new.metadata:
        had, has = msgspec.json.decode(old.metadata), msgspec.json.decode(new.metadata)
        before["metadata"] = [key for key, value in had.items() if key not in has or _encode(has[key]) != _encode(value)]
        after["metadata"] = [key for key, value in has.items() if key not in had or _encode(had[key]) != _encode(value)]
    return before, after
