"""What somebody sees of a domain: by roles, by parent groups, or all of it."""

from typing import NamedTuple

import msgspec

from edgeclients.model import BY_DOMAIN, BY_GROUP, RoleFilter, Viewer
from edgeclients.store.clause import Clause, Source
from edgeclients.store.rows import role_conditions

_NOTHING = Clause("0", ())

_OF_VIEWER = """
clients_role_members m CROSS JOIN clients_roles r ON r.entity_id = m.entity_id AND r.id = m.role_id WHERE m.member_id = ?
"""


class Seen(NamedTuple):
    """What a list needs besides its filters, so that it shows what a viewer sees; `conditions` are about a client `c`."""

    sources: tuple[Source, ...] = ()
    conditions: tuple[Clause, ...] = ()


def seen(viewer: Viewer, wanted: RoleFilter) -> Seen:
    """What `viewer` sees, as far as a filter about access wants it."""
    if wanted.of_role:
        return Seen((_held(viewer, wanted),))
    if viewer.everything:
        return _of_everything(viewer, wanted.access_type)
    if wanted.access_type is None:
        held = _held(viewer, wanted)
        return Seen((_either(held, _grouped(viewer)),) if viewer.groups else (held,))
    if wanted.access_type == BY_GROUP and viewer.groups:
        return Seen((_grouped(viewer),), (_not_held(viewer),))
    return Seen((), (_NOTHING,))


def _of_everything(viewer: Viewer, access_type: str | None) -> Seen:
    if access_type is None:
        return Seen()
    return Seen((), (_not_held(viewer) if access_type == BY_DOMAIN else _NOTHING,))


def _held(viewer: Viewer, wanted: RoleFilter) -> Source:
    """The clients on which the viewer has a role that fits."""
    fitting = Clause.all_of(role_conditions(wanted))
    parameters = (viewer.user_id, *fitting.parameters)
    return Source(
        Clause(f"SELECT m.entity_id AS client_id FROM {_OF_VIEWER} AND {fitting.sql}", parameters),
        Clause(f"EXISTS (SELECT 1 FROM {_OF_VIEWER} AND m.entity_id = lead.client_id AND {fitting.sql})", parameters),
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
    """What is true of clients on which the viewer has no role with an action."""
    return Clause(
        f"NOT EXISTS (SELECT 1 FROM {_OF_VIEWER} AND m.entity_id = c.id AND r.actions <> 0)",
        (viewer.user_id,),
    )
