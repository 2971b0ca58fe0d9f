"""Reads the journal (schema/README.md#journal)."""

import msgspec

from edgeclients.core.authz.access import Access
from edgeclients.core.rules import check_id
from edgeclients.errors import Forbidden, SuperAdminOnly
from edgeclients.model import JournalFilter, JournalPage, Session
from edgeclients.operations import Operation
from edgeclients.ports import Store


class History:
    """The journal, for administrators of domains.

    Args:
        store: the journal.
        access: checks permissions.
    """

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    async def of_client(self, session: Session, client_id: str, wanted: JournalFilter) -> JournalPage:
        """What was done to a client of the session's domain, also after it was removed.

        Raises:
            Forbidden: the caller may not manage the roles of every client of the domain.
            InvalidId: no client has such an id.
        """
        check_id(client_id)
        return await self.of_domain(session, msgspec.structs.replace(wanted, client_id=client_id))

    async def of_domain(self, session: Session, wanted: JournalFilter) -> JournalPage:
        """What was done in the session's domain.

        Raises:
            Forbidden: the caller may not manage the roles of every client of the domain.
        """
        if not (await self._access.permit(session, Operation.VIEW_JOURNAL)).granted:
            raise Forbidden
        return await self._store.journal(msgspec.structs.replace(wanted, domain_id=session.domain_id))

    async def of_all(self, session: Session, wanted: JournalFilter) -> JournalPage:
        """What was done in any domain, and to local operators.

        Raises:
            SuperAdminOnly: the caller is no super admin, or uses a personal access token, which is for single domains.
        """
        if not session.super_admin or session.pat_id:
            raise SuperAdminOnly
        return await self._store.journal(wanted)
