"""`groups.v1.GroupsService`: the domain and the state of a group (schema/README.md#services-asked)."""

from typing_extensions import override

from edgeclients._pb.common.v1 import common_pb2
from edgeclients.model import Group
from edgeclients.peers.link import Link
from edgeclients.ports import Groups

_RETRIEVE = "/groups.v1.GroupsService/RetrieveEntity"
_ENABLED = 0


class GroupsService(Groups):
    """`ports.Groups`.

    Args:
        link: the link to the service.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    @override
    async def group(self, group_id: str) -> Group:
        found = await self._link.call(_RETRIEVE, common_pb2.RetrieveEntityReq(id=group_id), common_pb2.RetrieveEntityRes)
        return Group(group_id, found.entity.domain_id, enabled=found.entity.status == _ENABLED)
