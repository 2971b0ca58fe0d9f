"""`channels.v1.ChannelsService`: stores connections too (schema/README.md#services-asked)."""

from typing_extensions import override

from edgeclients._pb.channels.v1 import channels_pb2
from edgeclients.peers.link import Link
from edgeclients.ports import Channels

_REMOVE = "/channels.v1.ChannelsService/RemoveClientConnections"


class ChannelsService(Channels):
    """`ports.Channels`.

    Args:
        link: the link to the service.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    @override
    async def forget_client(self, client_id: str) -> None:
        request = channels_pb2.RemoveClientConnectionsReq(client_id=client_id)
        await self._link.call(_REMOVE, request, channels_pb2.RemoveClientConnectionsRes)
