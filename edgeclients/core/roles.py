"""Roles of a client and their actions (schema/README.md#roles).

A role can manage roles if it has `manage_role` and a member. A client that has such a role keeps one.
"""

from collections.abc import Sequence
from functools import wraps

import msgspec

from edgeclients.core import events, journal, limits
from edgeclients.core.authz.access import Access, admitted
from edgeclients.core.authz.permit import Permit
from edgeclients.core.ids import new_role_id
from edgeclients.core.rules import check_actions, check_members, check_role_name
from edgeclients.errors import ActionHeld, LastManagingRole, MemberOfOtherRole, MissingActions, NotFound, TooManyRoles
from edgeclients.model import ALL_ACTIONS, NO_ACTIONS, Action, NewRole, Role, RolePage, Session
from edgeclients.operations import Operation
from edgeclients.ports import Store, Transaction, Unit


class Roles:
    """The use cases of roles.

    Args:
        store: the roles.
        access: checks permissions.
    """

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    async def add(
        self, session: Session, client_id: str, name: str, actions: Sequence[str] = (), members: Sequence[str] = ()
    ) -> NewRole:
        """Add a role with these actions and members to a client.

        Raises:
            MissingRoleName, InvalidName, MalformedRequest, TooManyElements: an argument is not valid.
            RoleNameTaken: the client has a role of this name.
            Forbidden: a user is not a member of the domain.
            MemberOfOtherRole: a user already has a role on this client.
            TooManyRoles: the client has the maximum number of roles.
            NotFound: there is no such client in this domain.
        """
        check_role_name(name)
        role = NewRole(
            id=new_role_id(),
            entity_id=client_id,
            name=name,
            actions=check_actions(actions),
            created_at=self._store.now(),
            created_by=session.user_id,
            members=check_members(members),
        )

        async def domain_members(permit: Permit) -> None:
            if role.members:
                await self._access.admitted(permit, client_id)
                await self._access.members(session, role.members)

        permit = await self._access.permit(
            session,
            Operation.ROLE_ADD,
            client_id,
            also=domain_members,
            role_name=name,
            optional_actions=actions,
            optional_members=members,
        )

        async def unit(tx: Transaction) -> None:
            await admitted(tx, permit, client_id)
            if await tx.count_roles(client_id) >= limits.ROLES:
                raise TooManyRoles
            if await tx.roles_held(client_id, role.members):
                raise MemberOfOtherRole
            await tx.add_role(role)
            await tx.append([events.role_added(session, role)])
            after = {**journal.of_actions(role.actions), **journal.of_members(role.members)}
            await tx.record([journal.of_role(session, "add", role, after=after)])

        await self._store.run(unit)
        return role

    async def available_actions(self, session: Session) -> Action:
        """The actions that a role of a client can have."""
        await self._access.consult(session, Operation.LIST_AVAILABLE_ACTIONS, ("client", ""), dict)
        return ALL_ACTIONS

    async def one(self, session: Session, client_id: str, role_id: str) -> Role:
        """A role of a client.

        Raises:
            NotFound: the client is not in this domain, or has no such role.
        """
        return await self._read(session, Operation.ROLE_RETRIEVE, client_id, role_id)

    async def page(self, session: Session, client_id: str, offset: int, limit: int) -> RolePage:
        """One page of a client's roles, the oldest first.

        Raises:
            NotFound: there is no such client in this domain.
        """
        permit = await self._access.permit(session, Operation.ROLE_RETRIEVE_ALL, client_id, offset=offset, limit=limit)
        await self._access.admitted(permit, client_id)
        return await self._store.roles(client_id, offset, limit)

    async def rename(self, session: Session, client_id: str, role_id: str, name: str) -> Role:
        """Rename a role.

        Raises:
            MissingRoleName, InvalidName: the name is not valid.
            RoleNameTaken: the client has another role of this name.
            NotFound: the client is not in this domain, or has no such role.
        """
        check_role_name(name)
        permit = await self._access.permit(session, Operation.ROLE_UPDATE, client_id, role_id=role_id, new_role_name=name)

        async def unit(tx: Transaction) -> Role:
            old = await role_of(tx, permit, client_id, role_id)
            new = await changed(tx, session, old, name=name)
            await tx.append([events.role_renamed(session, new)])
            await tx.record([journal.of_role(session, "update", old, {"name": old.name}, {"name": new.name})])
            return new

        return await self._store.run(unit)

    async def remove(self, session: Session, client_id: str, role_id: str) -> None:
        """Remove a role with its memberships.

        Raises:
            LastManagingRole: no member could manage the client's roles any more.
            NotFound: the client is not in this domain, or has no such role.
        """
        permit = await self._access.permit(session, Operation.ROLE_REMOVE, client_id, role_id=role_id)

        async def unit(tx: Transaction) -> None:
            role = await role_of(tx, permit, client_id, role_id)
            await tx.remove_role(role)
            await tx.append([events.role_removed(session, role)])
            await tx.record([journal.of_role(session, "remove", role, journal.of_actions(role.actions))])

        await self._store.run(staying_managed(unit, client_id))

    async def add_actions(self, session: Session, client_id: str, role_id: str, actions: Sequence[str]) -> None:
        """Add actions to a role.

        Raises:
            MissingActions, MalformedRequest: the actions are not valid.
            ActionHeld: the role already has one of them.
            NotFound: the client is not in this domain, or has no such role.
        """
        added = _some(actions)
        permit = await self._access.permit(session, Operation.ROLE_ADD_ACTIONS, client_id, role_id=role_id, actions=actions)

        async def unit(tx: Transaction) -> None:
            role = await role_of(tx, permit, client_id, role_id)
            if role.actions & added:
                raise ActionHeld
            await changed(tx, session, role, actions=role.actions | added)
            await tx.append([events.actions_added(session, role, added)])
            await tx.record([journal.of_role(session, "actions.add", role, after=journal.of_actions(added))])

        await self._store.run(unit)

    async def actions(self, session: Session, client_id: str, role_id: str) -> Action:
        """The actions of a role.

        Raises:
            NotFound: the client is not in this domain, or has no such role.
        """
        return (await self._read(session, Operation.ROLE_LIST_ACTIONS, client_id, role_id)).actions

    async def remove_actions(self, session: Session, client_id: str, role_id: str, actions: Sequence[str]) -> None:
        """Remove actions from a role; actions that it does not have are ignored.

        Raises:
            MissingActions, MalformedRequest: the actions are not valid.
            LastManagingRole: no member could manage the client's roles any more.
            NotFound: the client is not in this domain, or has no such role.
        """
        removed = _some(actions)
        permit = await self._access.permit(session, Operation.ROLE_REMOVE_ACTIONS, client_id, role_id=role_id, actions=actions)

        async def unit(tx: Transaction) -> None:
            role = await role_of(tx, permit, client_id, role_id)
            if role.actions & removed:
                await changed(tx, session, role, actions=role.actions & ~removed)
                await tx.append([events.actions_removed(session, role, role.actions & removed)])
                before = journal.of_actions(role.actions & removed)
                await tx.record([journal.of_role(session, "actions.remove", role, before)])

        await self._store.run(staying_managed(unit, client_id))

    async def remove_all_actions(self, session: Session, client_id: str, role_id: str) -> None:
        """Remove all actions from a role.

        Raises:
            LastManagingRole: no member could manage the client's roles any more.
            NotFound: the client is not in this domain, or has no such role.
        """
        permit = await self._access.permit(session, Operation.ROLE_REMOVE_ALL_ACTIONS, client_id, role_id=role_id)

        async def unit(tx: Transaction) -> None:
            role = await role_of(tx, permit, client_id, role_id)
            if role.actions:
                await changed(tx, session, role, actions=NO_ACTIONS)
                await tx.append([events.all_actions_removed(session, role)])
                before = journal.of_actions(role.actions)
                await tx.record([journal.of_role(session, "actions.remove_all", role, before)])

        await self._store.run(staying_managed(unit, client_id))

    async def _read(self, session: Session, operation: Operation, client_id: str, role_id: str) -> Role:
        permit = await self._access.permit(session, operation, client_id, role_id=role_id)
        await self._access.admitted(permit, client_id)
        role = await self._store.role(client_id, role_id)
        if role is None:
            raise NotFound
        return role


async def role_of(tx: Transaction, permit: Permit, client_id: str, role_id: str) -> Role:
    """A role of a client, if the caller may do this to the client.

    Raises:
        NotFound, Forbidden: see `Permit.admit`; also if the client has no such role.
    """
    await admitted(tx, permit, client_id)
    role = await tx.role(client_id, role_id)
    if role is None:
        raise NotFound
    return role


async def changed(
    tx: Transaction, session: Session, role: Role, name: str | None = None, actions: Action | None = None
) -> Role:
    """`role`, written as changed now by the session's user."""
    new = msgspec.structs.replace(
        role,
        name=role.name if name is None else name,
        actions=role.actions if actions is None else actions,
        updated_at=max(tx.now, role.created_at),
        updated_by=session.user_id,
    )
    await tx.replace_role(role, new)
    return new


def staying_managed(unit: Unit[None], client_id: str) -> Unit[None]:
    """`unit`, which must leave a member who can manage the client's roles if there is one now.

    Raises, when run:
        LastManagingRole: it would leave none.
    """

    @wraps(unit)
    async def guarded(tx: Transaction) -> None:
        managed = await tx.is_managed(client_id)
        await unit(tx)
        if managed and not await tx.is_managed(client_id):
            raise LastManagingRole

    return guarded


def _some(actions: Sequence[str]) -> Action:
    if not actions:
        raise MissingActions
    return check_actions(actions)
