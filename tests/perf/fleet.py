"""Clients to measure with, over HTTP or in a store without a server."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from edgeclients.core.clients import Clients
from edgeclients.model import ClientDraft, Session
from edgeclients.ports import Store
from tests.support.api import Api, basic

DOMAIN = "fleet"
SESSION = Session("operator", DOMAIN, super_admin=True, request_id="measured")
LOOPBACK = {"MG_CLIENTS_HTTP_HOST": "127.0.0.1", "MG_CLIENTS_GRPC_HOST": "127.0.0.1"}
BULK = 10_000

# Which clients have what, independently of each other.
TAGS = 10
ROOMS = 100
MODELS = 5


class Registry(NamedTuple):
    """A store, and the use cases on it."""

    store: Store
    clients: Clients


def body(number: int) -> dict[str, Any]:
    """A client as a caller sends it: two tags, three metadata leaves."""
    return {
        "name": f"sensor {number:06d}",
        "tags": [f"floor-{number % TAGS}", f"line-{number % 7}"],
        "metadata": {
            "site": {"room": f"room-{number // TAGS % ROOMS}", "position": number},
            "model": f"model-{number // (TAGS * ROOMS) % MODELS}",
        },
    }


def drafts(numbers: Iterable[int]) -> list[ClientDraft]:
    """The same clients as the use case takes them."""
    return [ClientDraft(**body(number)) for number in numbers]


def bulk_body(numbers: Iterable[int]) -> bytes:
    """The body of a bulk create."""
    return msgspec.json.encode([body(number) for number in numbers])


def create(api: Api, numbers: Iterable[int]) -> list[str]:
    """Clients created over HTTP: the tokens they present."""
    response = api.request("POST", "/clients/bulk", content=bulk_body(numbers))
    response.raise_for_status()
    return [basic(client["id"], client["credentials"]["secret"]) for client in response.json()["clients"]]
