"""JSON of roles (contract 4): what comes in, what goes out. No key of an answer is ever left out."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Struct

from edgeclients.core.events import role_fields
from edgeclients.http.wire.clients import EffectiveRoleBody
from edgeclients.http.wire.fields import REQUIRED, SOME, ActionName, Actions, Members, RoleName, Time
from edgeclients.model import DIRECT, MemberPage, MembershipPage, NewRole, Role, RolePage, action_names


class CreateRole(Struct):
    """A role to be given to a client, and what and who shall be in it."""

    role_name: Annotated[RoleName | None, REQUIRED] = None
    optional_actions: Actions | None = None
    optional_members: Members | None = None


class RenameRole(Struct):
    """A role's new name."""

    name: Annotated[RoleName | None, REQUIRED] = None


class ActionList(Struct):
    """Some actions."""

    actions: Annotated[Actions | None, REQUIRED, SOME] = None


class MemberList(Struct):
    """Some members, by id."""

    members: Annotated[Members | None, REQUIRED, SOME] = None


class RoleBody(Struct, kw_only=True):
    """A role; `updated_at` is the year 1 and `updated_by` empty as long as nothing was changed."""

    id: str
    name: str
    entity_id: str
    created_by: str
    created_at: Time
    updated_by: str
    updated_at: Time


class ProvisionedRole(RoleBody, kw_only=True):
    """A new role, and what it was made with; null for what was left out."""

    optional_actions: Sequence[ActionName] | None
    optional_members: Sequence[str] | None


class RolePageBody(Struct):
    """Some roles of a client."""

    total: int
    offset: int
    limit: int
    roles: list[RoleBody]


class ActionsBody(Struct):
    """Some actions."""

    actions: Sequence[ActionName]


class AvailableActions(Struct):
    """Every action there is."""

    available_actions: Sequence[ActionName]


class MembersBody(Struct):
    """Some members, by id."""

    members: Sequence[str]


class MemberPageBody(Struct):
    """Some members of a role."""

    total: int
    offset: int
    limit: int
    members: Sequence[str]


class MembershipBody(Struct):
    """Somebody who may do something to a client, and by which roles."""

    member_id: str
    roles: list[EffectiveRoleBody]


class MembershipPageBody(Struct):
    """Some of those who may do something to a client."""

    total: int
    offset: int
    limit: int
    members: list[MembershipBody]


def to_role(role: Role) -> RoleBody:
    """A role as it is answered."""
    return RoleBody(**role_fields(role))


def to_provisioned(role: NewRole, wanted: CreateRole) -> ProvisionedRole:
    """A new role as it is answered."""
    return ProvisionedRole(
        **role_fields(role.role()),
        optional_actions=wanted.optional_actions,
        optional_members=wanted.optional_members,
    )


def to_role_page(page: RolePage, offset: int, limit: int) -> RolePageBody:
    """Roles as they are answered."""
    return RolePageBody(page.total, offset, limit, [to_role(role) for role in page.items])


def to_member_page(page: MemberPage, offset: int, limit: int) -> MemberPageBody:
    """Members as they are answered."""
    return MemberPageBody(page.total, offset, limit, page.items)


def to_membership_page(page: MembershipPage, offset: int, limit: int) -> MembershipPageBody:
    """Effective members as they are answered."""
    members = [
        MembershipBody(
            one.member_id,
            [EffectiveRoleBody(one.role.id, one.role.name, action_names(one.role.actions), access_type=DIRECT)],
        )
        for one in page.items
    ]
    return MembershipPageBody(page.total, offset, limit, members)
