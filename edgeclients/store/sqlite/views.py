"""The clients of a domain that a viewer sees: by roles, by parent groups, or all of them."""

from typing import NamedTuple

import msgspec

from edgeclients.model import BY_DOMAIN, BY_GROUP, RoleFilter, Viewer
from edgeclients.store.clause import Clause, Source
from edgeclients.store.rows import role_conditions

_NOTHING = Clause("0", ())

_OF_VIEWER = """
clients_role_members m CROSS JOIN clients_roles r ON r.entity_id = m.entity_id AND r.id = m.role_id WHERE m.member_id = ?
"""


class Visible(NamedTuple):
    """What restricts a list to the clients that a viewer sees; `conditions` are about a client `c`."""

    sources: tuple[Source, ...] = ()
    conditions: tuple[Clause, ...] = ()


def visible(viewer: Viewer, wanted: RoleFilter) -> Visible:
    """The clients that `viewer` sees, restricted by a filter about access."""
    if wanted.of_role:
        return Visible((_held(viewer, wanted),))
    if viewer.everything:
        return _of_whole_domain(viewer, wanted.access_type)
    if wanted.access_type is None:
        held = _held(viewer, wanted)
        return Visible((_either(held, _grouped(viewer)),) if viewer.groups else (held,))
    if wanted.access_type == BY_GROUP and viewer.groups:
        return Visible((_grouped(viewer),), (_not_held(viewer),))
    return Visible((), (_NOTHING,))


def _of_whole_domain(viewer: Viewer, access_type: str | None) -> Visible:
    if access_type is None:
        return Visible()
    return Visible((), (_not_held(viewer) if access_type == BY_DOMAIN else _NOTHING,))


def _held(viewer: Viewer, wanted: RoleFilter) -> Source:
    """The clients on which the viewer has a matching role."""
    matching = Clause.all_of(role_conditions(wanted))
    parameters = (viewer.user_id, *matching.parameters)
    return Source(
        Clause(f"SELECT m.entity_id AS client_id FROM {_OF_VIEWER} AND {matching.sql}", parameters),
        Clause(f"EXISTS (SELECT 1 FROM {_OF_VIEWER} AND m.entity_id = lead.client_id AND {matching.sql})", parameters),
    )


def _grouped(viewer: Viewer) -> Source:
    """The clients whose parent group is one of the viewer's."""
    groups = (msgspec.json.encode(sorted(viewer.groups)).decode(),)
    return Source(
        Clause("SELECT p.id AS client_id FROM json_each(?) g CROSS JOIN clients p ON p.parent_group_id = g.value", groups),
        Clause("c.parent_group_id IN (SELECT value FROM json_each(?))", groups),
    )


def _either(one: Source, other: Source) -> Source:
    """The clients that one of two sources admits."""
    return Source(
        Clause(f"{one.ids.sql} UNION ALL {other.ids.sql}", (*one.ids.parameters, *other.ids.parameters)),
        Clause(f"({one.check.sql} OR {other.check.sql})", (*one.check.parameters, *other.check.parameters)),
    )


def _not_held(viewer: Viewer) -> Clause:
    """The condition that the viewer has no role with an action on the client."""
    return Clause(
        f"NOT EXISTS (SELECT 1 FROM {_OF_VIEWER} AND m.entity_id = c.id AND r.actions <> 0)",
        (viewer.user_id,),
    )
