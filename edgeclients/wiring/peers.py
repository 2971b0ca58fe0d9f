"""The services that are asked over gRPC: which, and whether they can be."""

from collections.abc import Callable, Mapping
from typing import Any

from edgeclients.ops.metrics import Metrics
from edgeclients.peers.channels import ChannelsService
from edgeclients.peers.groups import GroupsService
from edgeclients.peers.link import Link, address_of
from edgeclients.settings import Settings


class Neighbours:
    """The services that are asked whoever says who callers are; None where the settings do not name them.

    Args:
        settings: they say where.

    Raises:
        StartError: a certificate cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        named = (peer for peer in ("groups", "channels") if getattr(settings, f"{peer}_grpc_url"))
        self.links = {peer: Link(address_of(settings, peer)) for peer in named}
        self.groups = GroupsService(self.links["groups"]) if "groups" in self.links else None
        self.channels = ChannelsService(self.links["channels"]) if "channels" in self.links else None

    async def close(self) -> None:
        """Hang up."""
        for link in self.links.values():
            await link.close()


def of_authenticator(auth: object) -> Mapping[str, Link]:
    """The links of an authenticator that asks services; somebody else's need not have any, and may mean others by that."""
    found = getattr(auth, "links", None)
    return {name: link for name, link in found.items() if isinstance(link, Link)} if isinstance(found, dict) else {}


def watch(metrics: Metrics, asked: Mapping[str, Link]) -> Callable[[], dict[str, Any]]:
    """Show whether each service that is asked answers, and give what says so in `/ready`."""
    if not asked:
        return dict
    metrics.gauges(
        "clients_service_up",
        "Whether a service that is asked answers; 0 after several calls without an answer, until one is answered",
        "service",
        lambda: {name: float(not link.is_open) for name, link in asked.items()},
    )
    return lambda: {"services": {name: "away" if link.is_open else "up" for name, link in asked.items()}}
