"""What must hold of the events that arrived, and how a service gets there."""

from typing import Any

from edgeclients.core.events import STREAMS
from tests.support import asking
from tests.support.api import Api
from tests.support.database import kept
from tests.support.redis import RedisServer, Sent
from tests.support.service import Service
from tests.support.waiting import wait_until

GAP = "client.gap"


def arrived(redis: RedisServer) -> list[dict[str, Any]]:
    """The events of all streams by sequence number, each once, after a look at how they came.

    In each stream numbers ascend, but for what had been there before; across streams the server took a client's events in
    order; and an id stands for one event.
    """
    first: dict[str, Sent] = {}
    for stream in STREAMS:
        newest = 0
        for one in redis.entries(stream):
            if one.event["operation"] == GAP:
                continue
            if one.event["event_id"] in first:
                assert one.event == first[one.event["event_id"]].event
                continue
            assert one.event["sequence"] > newest, (stream, one.event)
            newest = one.event["sequence"]
            first[one.event["event_id"]] = one
    ordered = sorted(first.values(), key=lambda one: one.event["sequence"])
    assert len({one.event["sequence"] for one in ordered}) == len(ordered)
    latest: dict[str, int] = {}
    for one in ordered:
        client = one.event.get("entity_id") or one.event["id"]
        assert one.at >= latest.get(client, 0), one
        latest[client] = one.at
    return [one.event for one in ordered]


def create_many(api: Api, count: int) -> list[str]:
    """The ids of clients made with one request, in order."""
    response = api.request("POST", "/clients/bulk", json=[{"name": f"n{number}"} for number in range(count)])
    assert response.status_code == 200, response.text
    return [client["id"] for client in response.json()["clients"]]


def waiting(service: Service) -> int:
    """How many events wait in a service's outbox."""
    return int(kept(service, "SELECT count(*) FROM outbox")[0][0])


def wait_until_all_is_sent(service: Service) -> None:
    """Wait until the outbox is empty."""
    wait_until(lambda: waiting(service) == 0, "an empty outbox")


def relay_of(service: Service) -> dict[str, Any]:
    """What `/ready` says of events; the service is ready whatever that is."""
    answer = asking.get(f"{service.http}/ready")
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()["events"]
    return said


def metric(service: Service, name: str) -> float:
    """A metric without labels, or with them written behind its name."""
    for line in asking.get(f"{service.http}/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split(" ")[1])
    raise AssertionError(name)
