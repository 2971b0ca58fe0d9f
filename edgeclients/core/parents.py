"""Parent groups of clients (schema/README.md#parent-groups, schema/README.md#grpc-parent-groups)."""

from collections.abc import Sequence

from edgeclients.concurrency import map_concurrently
from edgeclients.core import events, journal
from edgeclients.core.authz.access import Access, admitted
from edgeclients.core.authz.permit import Permit
from edgeclients.core.changes import touched
from edgeclients.core.rules import check_id
from edgeclients.errors import Busy, GroupNotEnabled, GroupOfOtherDomain, HasParent, MissingParentGroup, SameParent
from edgeclients.model import Client, Session
from edgeclients.operations import Operation
from edgeclients.ports import Groups, Store, Transaction


class Parents:
    """Sets and removes parent groups.

    Args:
        store: the clients.
        access: checks permissions.
        groups: the service that keeps groups; None: any UUID is a group of the path's domain (schema/README.md#parent-groups).
    """

    def __init__(self, store: Store, access: Access, groups: Groups | None = None) -> None:
        self._store = store
        self._access = access
        self._groups = groups

    async def admit(self, session: Session, group_ids: Sequence[str]) -> None:
        """Return if the caller may create clients in these groups, and the groups are usable.

        Raises:
            Forbidden: the caller may not.
            NotFound, GroupOfOtherDomain, GroupNotEnabled: a group does not exist, or cannot be used.
        """
        if not group_ids:
            return
        for group_id in group_ids:
            check_id(group_id)
        await self._access.place(session)
        await map_concurrently(lambda group_id: self._admit(session, group_id), dict.fromkeys(group_ids))

    async def set(self, session: Session, client_id: str, group_id: str) -> None:
        """Add a client without a parent group to one.

        Raises:
            MissingParentGroup, InvalidId: the group id is missing or not valid.
            SameParent, HasParent: the client is in this group, or in another.
            NotFound: there is no such client in this domain, or no such group.
            GroupOfOtherDomain, GroupNotEnabled: the group cannot be used.
        """
        if not group_id:
            raise MissingParentGroup
        check_id(group_id)

        async def usable(permit: Permit) -> None:
            _check_free(await self._access.admitted(permit, client_id), group_id)
            await self._admit(session, group_id)

        permit = await self._access.permit(session, Operation.SET_PARENT_GROUP, client_id, also=usable, parent_id=group_id)

        async def unit(tx: Transaction) -> None:
            old = await admitted(tx, permit, client_id)
            _check_free(old, group_id)
            new = touched(old, tx, session, parent_group_id=group_id)
            await tx.replace(old, new)
            await tx.append([events.parent_set(session, client_id, group_id)])
            await tx.record([journal.changed(session, journal.SET_PARENT, old, new)])

        await self._store.run(unit)

    async def remove(self, session: Session, client_id: str) -> None:
        """Remove a client from its parent group; does nothing without one.

        Raises:
            NotFound: there is no such client in this domain.
            Busy: the client was added to another group meanwhile.
        """
        permit = await self._access.permit(session, Operation.REMOVE_PARENT_GROUP, client_id)
        left = (await self._access.admitted(permit, client_id)).parent_group_id
        if left is None:
            return
        await self._access.group(session, Operation.REMOVE_CHILD_CLIENT, left)

        async def unit(tx: Transaction) -> None:
            old = await admitted(tx, permit, client_id)
            if old.parent_group_id is None:
                return
            if old.parent_group_id != left:
                raise Busy("another parent group", retry_after=1)
            new = touched(old, tx, session, parent_group_id=None)
            await tx.replace(old, new)
            await tx.append([events.parent_removed(session, client_id)])
            await tx.record([journal.changed(session, journal.REMOVE_PARENT, old, new)])

        await self._store.run(unit)

    async def forget_group(self, group_id: str) -> None:
        """Remove every client from a removed group; for services, which do not authenticate."""

        async def unit(tx: Transaction) -> None:
            left = await tx.unset_parent_group(group_id)
            before, after = ({"parent_group_id": value} for value in (group_id, ""))
            for domain_id, client_ids in journal.by_domain(left).items():
                service = journal.service_in(domain_id)
                await tx.record(journal.one_or_many(service, journal.REMOVE_PARENT, client_ids, before=before, after=after))

        if group_id:
            await self._store.run(unit)

    async def _admit(self, session: Session, group_id: str) -> None:
        await self._access.group(session, Operation.SET_CHILD_CLIENT, group_id)
        if self._groups is None:
            return
        group = await self._groups.group(group_id)
        if group.domain_id != session.domain_id:
            raise GroupOfOtherDomain
        if not group.enabled:
            raise GroupNotEnabled


def _check_free(client: Client, group_id: str) -> None:
    if client.parent_group_id is not None:
        raise SameParent if client.parent_group_id == group_id else HasParent
