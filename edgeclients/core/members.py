"""Members of roles (schema/README.md#members): a user has one role on a client at most."""

from collections.abc import Sequence

from edgeclients.core import events, journal
from edgeclients.core.authz.access import Access
from edgeclients.core.authz.callouts import page_query
from edgeclients.core.authz.permit import Permit
from edgeclients.core.roles import changed, role_of, staying_managed
from edgeclients.core.rules import check_members
from edgeclients.errors import MemberOfOtherRole, MemberOfRole, MissingMembers, NotFound
from edgeclients.model import MemberFilter, MemberPage, MembershipPage, Session
from edgeclients.operations import Operation
from edgeclients.ports import Store, Transaction


class Members:
    """The use cases of members.

    Args:
        store: the roles.
        access: checks permissions.
    """

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    async def add(self, session: Session, client_id: str, role_id: str, members: Sequence[str]) -> None:
        """Add members to a role, all or none; they must have no role on this client.

        Raises:
            MissingMembers, MalformedRequest, TooManyElements: the ids are not valid.
            Forbidden: a user is not a member of the domain.
            MemberOfRole, MemberOfOtherRole: a user has this role, or another one on this client.
            NotFound: the client is not in this domain, or has no such role.
        """
        added = _some(members)

        async def domain_members(permit: Permit) -> None:
            await self._access.admitted(permit, client_id)
            await self._access.members(session, added)

        permit = await self._access.permit(
            session, Operation.ROLE_ADD_MEMBERS, client_id, also=domain_members, role_id=role_id, members=members
        )

        async def unit(tx: Transaction) -> None:
            role = await role_of(tx, permit, client_id, role_id)
            held = (await tx.roles_held(client_id, added)).values()
            if held:
                raise MemberOfRole if role_id in held else MemberOfOtherRole
            await tx.add_members(role, added)
            await changed(tx, session, role)
            await tx.append([events.members_added(session, role, added)])
            await tx.record([journal.of_role(session, "members.add", role, after=journal.of_members(added))])

        await self._store.run(unit)

    async def page(self, session: Session, client_id: str, role_id: str, offset: int, limit: int) -> MemberPage:
        """One page of a role's members.

        Raises:
            NotFound: the client is not in this domain, or has no such role.
        """
        permit = await self._access.permit(
            session, Operation.ROLE_LIST_MEMBERS, client_id, role_id=role_id, offset=offset, limit=limit
        )
        await self._access.admitted(permit, client_id)
        role = await self._store.role(client_id, role_id)
        if role is None:
            raise NotFound
        return await self._store.members(role, offset, limit)

    async def effective(self, session: Session, client_id: str, wanted: MemberFilter) -> MembershipPage:
        """One page of the members that have a role with an action on a client.

        Raises:
            NotFound: there is no such client in this domain.
        """
        permit = await self._access.permit(
            session, Operation.ROLE_LIST_ENTITY_MEMBERS, client_id, page_query=page_query(wanted)
        )
        await self._access.admitted(permit, client_id)
        return await self._store.memberships(client_id, wanted)

    async def remove(self, session: Session, client_id: str, role_id: str, members: Sequence[str]) -> None:
        """Remove members from a role; users who are not members are ignored.

        Raises:
            MissingMembers, MalformedRequest, TooManyElements: the ids are not valid.
            LastManagingRole: no member could manage the client's roles any more.
            NotFound: the client is not in this domain, or has no such role.
        """
        unwanted = _some(members)
        permit = await self._access.permit(session, Operation.ROLE_REMOVE_MEMBERS, client_id, role_id=role_id, members=members)

        async def unit(tx: Transaction) -> None:
            role = await role_of(tx, permit, client_id, role_id)
            removed = await tx.remove_members(role, unwanted)
            if removed:
                await changed(tx, session, role)
                await tx.append([events.members_removed(session, role, removed)])
                await tx.record([journal.of_role(session, journal.REMOVE_MEMBERS, role, journal.of_members(removed))])

        await self._store.run(staying_managed(unit, client_id))

    async def remove_all(self, session: Session, client_id: str, role_id: str) -> None:
        """Remove all members from a role.

        Raises:
            LastManagingRole: no member could manage the client's roles any more.
            NotFound: the client is not in this domain, or has no such role.
        """
        permit = await self._access.permit(session, Operation.ROLE_REMOVE_ALL_MEMBERS, client_id, role_id=role_id)

        async def unit(tx: Transaction) -> None:
            role = await role_of(tx, permit, client_id, role_id)
            if removed := await tx.remove_members(role, None):
                await changed(tx, session, role)
                await tx.append([events.all_members_removed(session, role)])
                await tx.record([journal.of_role(session, "members.remove_all", role, journal.of_members(removed))])

        await self._store.run(staying_managed(unit, client_id))


def _some(members: Sequence[str]) -> tuple[str, ...]:
    if not members:
        raise MissingMembers
    return check_members(members)
