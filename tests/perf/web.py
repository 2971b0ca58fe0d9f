"""HTTP: a bulk create, and a client by its id against a bare application."""

import functools
import time
from urllib.parse import urlsplit

from tests.perf import fleet, load
from tests.perf.bare import bare
from tests.perf.homes import serving
from tests.perf.measure import Figure, Row, Run, Spread, cpu_seconds, in_turns, per_cpu_second
from tests.support.api import Api


def bulk(run: Run) -> list[Row]:
    """10,000 clients in one request."""
    count, rounds = run.pick(fleet.BULK, 200), run.pick(3, 1)
    content = fleet.bulk_body(range(count))
    rates, costs = [], []
    with serving(run.home, "bulk") as service:
        pid = service.process.pid
        for _ in range(rounds + 1):
            api = Api(service)
            api.request("GET", "/clients").raise_for_status()
            before, began = cpu_seconds(pid), time.perf_counter()
            api.request("POST", "/clients/bulk", content=content).raise_for_status()
            rates.append(count / (time.perf_counter() - began))
            costs.append((cpu_seconds(pid) - before) / count * 1_000_000)
            api.close()
    rate, cost = Spread.of(rates[1:]), Spread.of(costs[1:])
    return [
        Row(
            "bulk",
            f"{count:,} clients in one request over HTTP, 2 tags and 3 metadata leaves each, {cost.median:.0f} µs of CPU time "
            f"a client; {rounds} times",
            Figure(rate, 0, "/s"),
            "≥ 8,000/s",
            rate.median >= 8000,
        )
    ]


def get(run: Run) -> list[Row]:
    """A client by its id."""
    count, rounds = run.pick(8_000, 200), run.pick(3, 1)
    with serving(run.home, "get") as service:
        api = Api(service)
        client_id = api.create(**fleet.body(1))["id"]
        path = f"/{api.domain}/clients/{client_id}"
        content = api.request("GET", f"/clients/{client_id}").content
        api.close()
        headers = [f"authorization: Bearer {service.token}"]
        with bare("http", content) as constant:

            def rate(pid: int, port: int) -> float:
                return per_cpu_second(pid, count, functools.partial(load.get, port, path, headers, count))

            found = in_turns(
                rounds,
                lambda: rate(constant.pid, constant.port),
                lambda: rate(service.process.pid, urlsplit(service.http).port or 0),
            )
    return [
        Row(
            "get",
            f"HTTP GET by id: {found.ours.median:,.0f} requests per CPU-second, bare application with the same {len(content)} "
            f"bytes {found.base.median:,.0f}; {rounds} rounds of {count:,}, {load.DRIVER}",
            Figure(found.ratio, 2),
            "≥ 0.40",
            found.ratio.median >= 0.4,
        )
    ]
