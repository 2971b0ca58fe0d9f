"""JSON of roles (schema/README.md#roles): bodies of requests and responses. A response contains all its keys."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Struct

from edgeclients.core.events import role_fields
from edgeclients.http.wire.clients import EffectiveRoleBody
from edgeclients.http.wire.fields import NOT_EMPTY, REQUIRED, ActionName, Actions, Members, RoleName, Time
from edgeclients.model import DIRECT, MemberPage, MembershipPage, NewRole, Role, RolePage, action_names


class CreateRole(Struct):
    """A role to create for a client, with its first actions and members."""

    role_name: Annotated[RoleName | None, REQUIRED] = None
    optional_actions: Actions | None = None
    optional_members: Members | None = None


class RenameRole(Struct):
    """The new name of a role."""

    name: Annotated[RoleName | None, REQUIRED] = None


class ActionList(Struct):
    """Actions to add to a role or to remove from it."""

    actions: Annotated[Actions | None, REQUIRED, NOT_EMPTY] = None


class MemberList(Struct):
    """Members to add to a role or to remove from it, by id."""

    members: Annotated[Members | None, REQUIRED, NOT_EMPTY] = None


class RoleBody(Struct, kw_only=True):
    """A role. Before its first change `updated_at` is in the year 1 and `updated_by` is empty."""

    id: str
    name: str
    entity_id: str
    created_by: str
    created_at: Time
    updated_by: str
    updated_at: Time


class ProvisionedRole(RoleBody, kw_only=True):
    """A new role with its first actions and members; null if the request had none."""

    optional_actions: Sequence[ActionName] | None
    optional_members: Sequence[str] | None


class RolePageBody(Struct):
    """One page of the roles of a client."""

    total: int
    offset: int
    limit: int
    roles: list[RoleBody]


class ActionsBody(Struct):
    """Actions of a role."""

    actions: Sequence[ActionName]


class AvailableActions(Struct):
    """All actions that a role can have."""

    available_actions: Sequence[ActionName]


class MembersBody(Struct):
    """Members of a role, by id."""

    members: Sequence[str]


class MemberPageBody(Struct):
    """One page of the members of a role."""

    total: int
    offset: int
    limit: int
    members: Sequence[str]


class MembershipBody(Struct):
    """A member with access to a client, and the roles that grant it."""

    member_id: str
    roles: list[EffectiveRoleBody]


class MembershipPageBody(Struct):
    """One page of the members with access to a client."""

    total: int
    offset: int
    limit: int
    members: list[MembershipBody]


def to_role(role: Role) -> RoleBody:
    """The response body of a role."""
    return RoleBody(**role_fields(role))


def to_provisioned(role: NewRole, body: CreateRole) -> ProvisionedRole:
    """The response body of a new role."""
    return ProvisionedRole(
        **role_fields(role.role()),
        optional_actions=body.optional_actions,
        optional_members=body.optional_members,
    )


def to_role_page(page: RolePage, offset: int, limit: int) -> RolePageBody:
    """The response body of a page of roles."""
    return RolePageBody(page.total, offset, limit, [to_role(role) for role in page.items])


def to_member_page(page: MemberPage, offset: int, limit: int) -> MemberPageBody:
    """The response body of a page of members."""
    return MemberPageBody(page.total, offset, limit, page.items)


def to_membership_page(page: MembershipPage, offset: int, limit: int) -> MembershipPageBody:
    """The response body of a page of effective members."""
    members = [
        MembershipBody(
            one.member_id,
            [EffectiveRoleBody(one.role.id, one.role.name, action_names(one.role.actions), access_type=DIRECT)],
        )
        for one in page.items
    ]
    return MembershipPageBody(page.total, offset, limit, members)
