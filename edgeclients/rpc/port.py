"""The gRPC port: what is served on it, whatever serves it."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from edgeclients.lane.calls import Method
from edgeclients.rpc import health, reflection
from edgeclients.rpc.health import Health
from edgeclients.rpc.services import NAME, ClientsService


class Served(NamedTuple):
    """The services of a port: their methods, by the names of service and method."""

    health: Health
    services: dict[str, dict[str, Method]]


def served(service: ClientsService, max_active: int) -> Served:
    """What the port serves: the service, health and reflection.

    Args:
        service: the service.
        max_active: maximum number of its calls in progress.
    """
    status = Health(("", "clients", NAME))
    reflects = {reflection.METHOD: reflection.method((NAME, health.NAME))}
    services = {
        NAME: service.methods(max_active),
        health.NAME: status.methods(),
        reflection.V1: reflects,
        reflection.V1ALPHA: reflects,
    }
    return Served(status, services)


class GrpcPort(ABC):
    """A server on the gRPC port.

    Args:
        status: reports whether it serves.
    """

    port: int

    def __init__(self, status: Health) -> None:
        self._status = status
        self.serving = False

    @abstractmethod
    async def start(self) -> None:
        """Start to accept calls."""

    @abstractmethod
    async def ended(self) -> None:
        """Wait while the server serves or restarts.

        Raises:
            EndedError: the server cannot be restarted.
        """

    @abstractmethod
    async def stop(self, grace: float) -> None:
        """Report NOT_SERVING, stop accepting calls, and give the calls in progress `grace` seconds."""

    def set_serving(self, *, serving: bool) -> None:
        """Report whether it serves."""
        self.serving = serving
        self._status.set_status(serving=serving)
