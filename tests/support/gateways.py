"""A gateway's data directory that holds something of everything, and what its users know."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.conftest import authenticate
from tests.support.api import basic
from tests.support.callers import calling
from tests.support.commands import run
from tests.support.database import keep_events
from tests.support.raw import Raw, request
from tests.support.service import Service, started

DOMAIN = "plant"
CHOSEN = "open sesame, please"


class Gateway(NamedTuple):
    """A data directory, stopped. `badge` is a token of the operator Ann, who is an admin of the domain."""

    data: Path
    clients: dict[str, dict[str, Any]]
    badge: str
    token: str

    @classmethod
    def made(cls, data: Path) -> Self:
        """With some clients, one of which has authenticated, and one of which was deleted."""
        with started(data) as service, calling(service) as (api, stub):
            keep_events(service)
            there = api.within(DOMAIN)
            clients = {
                "random": there.create(name="random", tags=["meter"], metadata={"room": "b1"}),
                "chosen": there.create(name="chosen", credentials={"secret": CHOSEN}),
                "disabled": there.create(name="disabled"),
            }
            assert there.request("POST", f"/clients/{clients['disabled']['id']}/disable").status_code == 200
            gone = there.create(name="gone")
            assert there.request("DELETE", f"/clients/{gone['id']}").status_code == 204
            authenticate(stub, basic(clients["random"]["id"], clients["random"]["credentials"]["secret"]))
            assert run("operators", "add", "ann", "--domain", f"{DOMAIN}=admin", data=data).code == 0
            badge = run("operators", "token", "add", "ann", "laptop", data=data).out.strip()
            token = service.token
        return cls(data, clients, badge, token)

    def copied(self, data: Path) -> "Gateway":
        """The same in a directory of its own."""
        shutil.copytree(self.data, data, ignore=shutil.ignore_patterns("*.sock"))
        return self._replace(data=data)

    @property
    def secrets(self) -> list[str]:
        """All that a stranger must not see."""
        pepper = (self.data / "pepper").read_bytes()
        ours = [client["credentials"]["secret"] for client in self.clients.values()]
        return [*ours, self.badge, self.token, pepper.hex()]

    def assert_works(self, service: Service) -> None:
        """The same secrets and tokens work, and what was disabled still is."""
        with Raw(service) as raw:
            asked = request(service, "GET", f"/{DOMAIN}/clients", authorization=f"Bearer {self.badge}")
            assert raw.send(asked).answer().status == 200
        with calling(service) as (api, stub):
            there = api.within(DOMAIN)
            for name in ("random", "chosen"):
                client = self.clients[name]
                assert authenticate(stub, basic(client["id"], client["credentials"]["secret"])) == client["id"]
            assert there.listed(tags="meter") == [self.clients["random"]["id"]]
            assert set(there.listed(status="all")) == {client["id"] for client in self.clients.values()}
            assert there.request("GET", f"/clients/{self.clients['disabled']['id']}").json()["status"] == "disabled"


def content(data: Path) -> dict[str, bytes]:
    """The files of a directory."""
    return {path.name: path.read_bytes() for path in data.iterdir() if path.is_file()}
