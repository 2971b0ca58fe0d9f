"""The clients of a domain that a viewer sees: by roles, by parent groups, or all of them."""

from edgeclients.model import BY_DOMAIN, BY_GROUP, RoleFilter, Viewer
from edgeclients.store.clause import Clause
from edgeclients.store.rows import role_conditions

_NOTHING = Clause("FALSE", ())

_OF_VIEWER = """
SELECT 1 FROM clients_role_members m JOIN clients_roles r ON r.entity_id = m.entity_id AND r.id = m.role_id
WHERE m.member_id = ? AND m.entity_id = c.id
"""


def visible(wanted: RoleFilter, viewer: Viewer | None) -> list[Clause]:
    """The conditions on clients `c` that `viewer` sees, restricted by a filter about access."""
    if viewer is None:
        return []
    matching = Clause.all_of(role_conditions(wanted))
    held = Clause(f"EXISTS ({_OF_VIEWER} AND {matching.sql})", (viewer.user_id, *matching.parameters))
    if wanted.of_role:
        return [held]
    not_held = Clause(f"NOT EXISTS ({_OF_VIEWER} AND r.actions <> 0)", (viewer.user_id,))
    grouped = Clause("c.parent_group_id = ANY (?)", (sorted(viewer.groups),))
    if wanted.access_type is None:
        either = Clause(f"({held.sql} OR {grouped.sql})", (*held.parameters, *grouped.parameters))
        return [] if viewer.everything else [either]
    if viewer.everything:
        return [not_held] if wanted.access_type == BY_DOMAIN else [_NOTHING]
    return [grouped, not_held] if wanted.access_type == BY_GROUP else [_NOTHING]
