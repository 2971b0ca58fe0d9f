"""The services called over gRPC, and their availability."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from edgeclients.ops.metrics import Metrics
from edgeclients.peers.addresses import address_of
from edgeclients.settings import Settings

if TYPE_CHECKING:
    from edgeclients.peers.channels import ChannelsService
    from edgeclients.peers.groups import GroupsService
    from edgeclients.peers.link import Link


class Neighbours:
    """The services that are called with any authenticator; None for those that the settings do not name.

    Args:
        settings: the settings with their addresses.

    Raises:
        StartError: a certificate cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.links: dict[str, Link] = {}
        self.groups: GroupsService | None = None
        self.channels: ChannelsService | None = None
        if settings.groups_grpc_url or settings.channels_grpc_url:
            self._connect(settings)

    def _connect(self, settings: Settings) -> None:
        from edgeclients.peers.channels import ChannelsService  # these import the gRPC library
        from edgeclients.peers.groups import GroupsService
        from edgeclients.peers.link import Link

        named = (peer for peer in ("groups", "channels") if getattr(settings, f"{peer}_grpc_url"))
        self.links = {peer: Link(address_of(settings, peer)) for peer in named}
        self.groups = GroupsService(self.links["groups"]) if "groups" in self.links else None
        self.channels = ChannelsService(self.links["channels"]) if "channels" in self.links else None

    async def close(self) -> None:
        """Close all connections."""
        for link in self.links.values():
            await link.close()


def of_authenticator(auth: object) -> "Mapping[str, Link]":
    """The links of an authenticator that calls services; a plug-in may have no `links`, or use the name otherwise."""
    found = getattr(auth, "links", None)
    if not isinstance(found, dict):
        return {}
    from edgeclients.peers.link import Link

    return {name: link for name, link in found.items() if isinstance(link, Link)}


def watch(metrics: Metrics, links: "Mapping[str, Link]") -> Callable[[], dict[str, Any]]:
    """Add the metric of each service's availability, and return the services' part of `/ready`."""
    if not links:
        return dict
    metrics.gauges(
        "clients_service_up",
        "Whether a called service is available; 0 after several failed calls, until one succeeds",
        "service",
        lambda: {name: float(not link.is_open) for name, link in links.items()},
    )
    return lambda: {"services": {name: "away" if link.is_open else "up" for name, link in links.items()}}
