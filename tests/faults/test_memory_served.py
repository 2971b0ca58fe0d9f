"""What a service takes of a gateway's memory, at most and afterwards."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeclients._pb.clients.v1 import clients_pb2
from tests.support.api import Api, basic
from tests.support.callers import calling
from tests.support.service import AS_INSTALLED, Service, started
from tests.support.waiting import wait_until

MOST_MIB, REST_MIB = 110, 80
BULK, CLIENTS, AUTHENTICATIONS = 10_000, 30_000, 10_000


def mib(service: Service, what: str) -> int:
    """A line of the process's status: VmRSS is its memory now, VmHWM the most it ever had."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{service.process.pid}/status").read_text().splitlines())
    return int(lines[what].split()[0]) // 1024


def bulks(api: Api) -> Iterator[str]:
    """Tokens of clients created in bulks."""
    for first in range(0, CLIENTS, BULK):
        wanted = [
            {"name": f"sensor {n}", "tags": [f"floor-{n % 10}", "line"], "metadata": {"room": n % 100, "place": {"x": n}}}
            for n in range(first, first + BULK)
        ]
        response = api.request("POST", "/clients/bulk", json=wanted)
        assert response.status_code == 200, response.text
        yield from (basic(client["id"], client["credentials"]["secret"]) for client in response.json()["clients"])


@pytest.mark.source_only("an executable unpacks and loads other things; its memory is measured where it is made")
def test_bulks_lists_and_authentications_fit_a_small_box(tmp_path: Path) -> None:
    with started(tmp_path / "data", AS_INSTALLED) as service, calling(service) as (api, stub):
        tokens = list(bulks(api))
        for token in tokens[:AUTHENTICATIONS]:
            assert stub.Authenticate(clients_pb2.AuthnReq(token=token)).id
        for order in ("name", "created_at", "updated_at", "last_seen_at"):
            for more in ({}, {"tags": "floor-3"}, {"name": "sensor 29"}, {"metadata": '{"room": 7}'}):
                assert len(api.listed(order=order, limit=100, **more)) == 100
        most = mib(service, "VmHWM")
        wait_until(lambda: mib(service, "VmRSS") <= REST_MIB, f"{REST_MIB} MiB")
        print(f"{most} MiB at most, then {mib(service, 'VmRSS')} MiB")
        assert most <= MOST_MIB


@pytest.mark.source_only("likewise")
def test_idle_connections_keep_nothing_of_their_last_request(tmp_path: Path) -> None:
    body = b'["' + b"x" * 8 * 1024 * 1024 + b'"]'
    with started(tmp_path / "data", AS_INSTALLED) as service, contextlib.ExitStack() as stack:
        callers = [stack.enter_context(Api(service)) for _ in range(12)]
        assert callers[0].listed() == []
        before = mib(service, "VmRSS")
        for caller in callers:
            refused = caller.request("POST", "/clients/bulk", content=body, headers={"Content-Type": "application/json"})
            assert refused.status_code == 400
        wait_until(lambda: mib(service, "VmRSS") <= before + 32, "the memory of twelve bodies")
        assert all(caller.listed() == [] for caller in callers)
