"""`domains.v1.DomainsService`: the state of a domain (schema/README.md#domain-states)."""

from enum import IntEnum

from edgeclients._pb.common.v1 import common_pb2
from edgeclients.errors import InvalidStatus
from edgeclients.peers.link import Link

_STATUS = "/domains.v1.DomainsService/RetrieveStatus"


class DomainStatus(IntEnum):
    """Who may act in a domain: its members, its admins, or the platform's admins only."""

    ENABLED = 0
    DISABLED = 1
    FROZEN = 2


class DomainsService:
    """Calls the domains service.

    Args:
        link: the link to the service.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def status(self, domain_id: str) -> DomainStatus:
        """The state of a domain.

        Raises:
            NotFound: there is none with this id.
            InvalidStatus: it is deleted, or in an unknown state.
            DomainError: see `Link.call`.
        """
        found = await self._link.call(_STATUS, common_pb2.RetrieveEntityReq(id=domain_id), common_pb2.RetrieveEntityRes)
        try:
            return DomainStatus(found.entity.status)
        except ValueError as error:
            raise InvalidStatus("domain") from error
