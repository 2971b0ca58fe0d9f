"""A running service that asks the services of a `Cloud`, and callers of it."""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tests.support.api import Api
from tests.support.cloud.server import Cloud
from tests.support.cloud.world import SUPER_ADMIN, World
from tests.support.database import keep_events
from tests.support.service import Service, started


class Plant:
    """The service, the cloud it asks, and one domain with a super admin called `root`."""

    def __init__(self, service: Service, cloud: Cloud) -> None:
        self.service, self.cloud, self.world = service, cloud, cloud.world
        self._open: list[Api] = []
        self.domain = self.world.domain()
        root = self.world.super_admin()
        self.root = self.caller(self.world.token(root, role=SUPER_ADMIN), root)

    def caller(self, token: str, user_id: str = "", domain: str = "") -> Api:
        """Whose token it is, in a domain."""
        api = Api(self.service, domain or self.domain, token, user_id)
        self._open.append(api)
        return api

    def member(self, actions: Collection[str] = (), domain: str = "") -> Api:
        """A new member of a domain who may do these things there."""
        domain = domain or self.domain
        user_id = self.world.member(domain, actions)
        return self.caller(self.world.token(user_id), user_id, domain)

    def stranger(self) -> Api:
        """Somebody who is a member of another domain only."""
        return self.member(domain=self.world.domain()).within(self.domain)

    def elsewhere(self) -> Api:
        """The super admin in a domain of its own."""
        return self.root.within(self.world.domain())

    @contextlib.contextmanager
    def visited(self) -> Iterator[None]:
        """Whoever calls meanwhile for the first time hangs up at the end; no fault is left to the next."""
        before, self._open = self._open, []
        try:
            yield
        finally:
            self.close()
            self._open = before
            self.cloud.faults.clear()

    def close(self) -> None:
        """Hang up."""
        for one in self._open:
            one.close()


@contextlib.contextmanager
def planted(
    data: Path,
    asked: Sequence[str] = (),
    env: Mapping[str, str] = MappingProxyType({}),
    cloud: Cloud | None = None,
    command: Sequence[str] = (),
) -> Iterator[Plant]:
    """A service, in gateway storage if `env` does not say otherwise, that asks Auth and these other services."""
    with cloud or Cloud(World()) as running:
        urls = {f"MG_{peer.upper()}_GRPC_URL": running.address for peer in ("auth", *asked)}
        timeouts = {f"MG_{peer.upper()}_GRPC_TIMEOUT": "20s" for peer in ("auth", *asked)}
        with started(data, {"MG_CLIENTS_MODE": "gateway", **urls, **timeouts, **env}, command) as service:
            plant = Plant(service, running)
            if service.env["MG_CLIENTS_MODE"] == "gateway":
                keep_events(service)
            yield plant
            plant.close()
