"""`domains.v1.DomainsService`: in what state a domain is (contract 6, 12.3)."""

from enum import IntEnum

from edgeclients._pb.common.v1 import common_pb2
from edgeclients.errors import InvalidStatus
from edgeclients.peers.link import Link

_STATUS = "/domains.v1.DomainsService/RetrieveStatus"


class DomainStatus(IntEnum):
    """Whether anybody may act in a domain: its members, its admins, or the platform's only."""

    ENABLED = 0
    DISABLED = 1
    FROZEN = 2


class DomainsService:
    """Asks the domains service.

    Args:
        link: to it.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def status(self, domain_id: str) -> DomainStatus:
        """The state of a domain.

        Raises:
            NotFound: there is none with this id.
            InvalidStatus: it is deleted, or in a state of which nothing is known.
            DomainError: as `Link.call` has it.
        """
        found = await self._link.call(_STATUS, common_pb2.RetrieveEntityReq(id=domain_id), common_pb2.RetrieveEntityRes)
        try:
            return DomainStatus(found.entity.status)
        except ValueError as error:
            raise InvalidStatus("domain") from error
