"""The clients of a domain that a viewer sees: by roles, by parent groups, or all of them."""

from typing import NamedTuple

import msgspec

from edgeclients.model import BY_DOMAIN, BY_GROUP, RoleFilter, Viewer
from edgeclients.store.clause import Clause, Source
from edgeclients.store.rows import role_conditions
from edgeclients.store.sqlite.ids import role_bytes

_NOTHING = Clause("0", ())

_NUMBERS = "SELECT n FROM names WHERE name IN (SELECT value FROM json_each(?))"

_OF_VIEWER = """
member_rows m CROSS JOIN role_rows r ON r.client = m.client AND r.id = m.role
WHERE m.member = (SELECT n FROM names WHERE name = ?)
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
    matching = Clause.all_of(role_conditions(wanted, role_bytes))
    parameters = (viewer.user_id, *matching.parameters)
    return Source(
        Clause(f"SELECT m.client FROM {_OF_VIEWER} AND {matching.sql}", parameters),
        Clause(f"EXISTS (SELECT 1 FROM {_OF_VIEWER} AND m.client = lead.client AND {matching.sql})", parameters),
    )


def _grouped(viewer: Viewer) -> Source:
    """The clients whose parent group is one of the viewer's."""
    groups = (msgspec.json.encode(sorted(viewer.groups)).decode(),)
    return Source(
        Clause(f"SELECT p.n AS client FROM ({_NUMBERS}) g CROSS JOIN client_rows p ON p.parent_group = g.n", groups),
        Clause(f"c.parent_group IN ({_NUMBERS})", groups),
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
        f"NOT EXISTS (SELECT 1 FROM {_OF_VIEWER} AND m.client = c.n AND r.actions <> 0)",
        (viewer.user_id,),
    )
