"""The group a client belongs to (contract 3.9, 3.10, 5.6)."""

import msgspec

from edgeclients.core import events
from edgeclients.core.access import Access, admitted
from edgeclients.core.rules import check_id
from edgeclients.errors import HasParent, MissingParentGroup, SameParent
from edgeclients.model import Session
from edgeclients.ports import Store, Transaction


class Parents:
    """Sets and removes parent groups. Standalone, a group is any UUID, taken as of the path's domain (contract A4).

    Args:
        store: where clients are kept.
        access: who may do what.
    """

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    async def set(self, session: Session, client_id: str, group_id: str) -> None:
        """Put a client without a parent group into one.

        Raises:
            MissingParentGroup, InvalidId: no group, or none that could be.
            SameParent, HasParent: the client is in this group, or in another.
            NotFound: there is no such client in this domain.
        """
        if not group_id:
            raise MissingParentGroup
        check_id(group_id)
        permit = await self._access.permit(session, "set_parent_group", client_id, parent_id=group_id)

        async def unit(tx: Transaction) -> None:
            old = await admitted(tx, permit, client_id)
            if old.parent_group_id is not None:
                raise SameParent if old.parent_group_id == group_id else HasParent
            new = msgspec.structs.replace(old, parent_group_id=group_id, updated_at=tx.now, updated_by=session.user_id)
            await tx.replace(old, new)
            await tx.append([events.parent_set(session, client_id, group_id)])

        await self._store.run(unit)

    async def remove(self, session: Session, client_id: str) -> None:
        """Take a client out of its parent group; without one nothing happens.

        Raises:
            NotFound: there is no such client in this domain.
        """
        permit = await self._access.permit(session, "remove_parent_group", client_id)

        async def unit(tx: Transaction) -> None:
            old = await admitted(tx, permit, client_id)
            if old.parent_group_id is None:
                return
            new = msgspec.structs.replace(old, parent_group_id=None, updated_at=tx.now, updated_by=session.user_id)
            await tx.replace(old, new)
            await tx.append([events.parent_removed(session, client_id)])

        await self._store.run(unit)

    async def forget_group(self, group_id: str) -> None:
        """Take every client out of a group that is no more; for services, which are not asked who they are."""
        if group_id:
            await self._store.run(lambda tx: tx.unset_parent_group(group_id))
