"""Which retiring secrets a domain has, and when they were last used (schema/README.md#retiring-secrets)."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from edgeclients.core import limits
from edgeclients.core.authz.access import Access
from edgeclients.errors import Forbidden
from edgeclients.model import ClientFilter, RetiringPlace, RetiringSecret, Session
from edgeclients.operations import Operation
from edgeclients.ports import Store
from edgeclients.times import ends_at


class RetiringPage(Struct, frozen=True):
    """Retiring secrets that are valid, each with its end; and the place behind which the next page begins, None for none."""

    secrets: Sequence[RetiringSecret]
    next: RetiringPlace | None = None


class Retiring:
    """Lists retiring secrets.

    Args:
        store: the secrets.
        access: checks permissions.
    """

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    async def page(self, session: Session, after: RetiringPlace, limit: int) -> RetiringPage:
        """Those of the domain behind a place, about `limit` of them: none of a client's is left out between two pages.

        Raises:
            Forbidden: the caller does not see every client of the domain.
        """
        if not (await self._access.viewer(session, ClientFilter())).everything and not session.super_admin:
            raise Forbidden
        found = await self._store.retiring(session.domain_id, after, limit + limits.RETIRING_SECRETS)
        part = found[:limit]
        part += tuple(one for one in found[limit:] if one.place == part[-1].place)
        return RetiringPage(self._valid(part), part[-1].place if len(found) > len(part) else None)

    async def of_client(self, session: Session, client_id: str) -> RetiringPage:
        """Those of one client.

        Raises:
            NotFound: there is no such client in this domain.
        """
        permit = await self._access.permit(session, Operation.VIEW, client_id)
        await self._access.admitted(permit, client_id)
        return RetiringPage(self._valid(await self._store.retiring_of(client_id)))

    def _valid(self, found: Sequence[RetiringSecret]) -> list[RetiringSecret]:
        now = self._store.now()
        ends = (ends_at(one.retired_at, one.expires_at, one.counted_from, now) for one in found)
        return [msgspec.structs.replace(one, expires_at=end) for one, end in zip(found, ends, strict=True) if end > now]
