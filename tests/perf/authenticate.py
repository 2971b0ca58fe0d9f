"""Authenticate: what a hit costs against a bare handler, and a first time against a hit."""

import functools
import re

from edgeclients._pb.clients.v1 import clients_pb2
from tests.perf import callers, load
from tests.perf.bare import bare
from tests.perf.fleet import BULK, DOMAIN, create
from tests.perf.homes import serving
from tests.perf.measure import Figure, Row, Run, in_turns, pair, per_cpu_second
from tests.support import asking
from tests.support.api import Api
from tests.support.service import Service

_CONSTANT = clients_pb2.AuthnRes(authenticated=True, id="4b9e8a0c-0a55-4d53-8d8a-1b6a9d3c5e7f").SerializeToString()
_REHEARSAL = 200


def hit(run: Run) -> list[Row]:
    """Authenticate from the cache."""
    count, rounds = run.pick(6_000, 200), run.pick(3, 1)
    with serving(run.home, "hit") as service, bare("grpc", _CONSTANT) as constant:
        (token,) = _create(service, range(1))

        def rate(pid: int, port: int) -> float:
            work = functools.partial(load.authenticate, port, token, count, run.folder)
            return per_cpu_second(pid, count, work)

        before = _hits(service)
        found = in_turns(
            rounds,
            lambda: rate(constant.pid, constant.port),
            lambda: rate(service.process.pid, _port(service)),
        )
        asked = (rounds + 1) * count
        missed = asked - (_hits(service) - before)  # the first, and where a cloud's cache could not be trusted for a while
    return [
        Row(
            "hit",
            f"Authenticate, cache hit: {found.ours.median:,.0f} calls per CPU-second, bare grpc.aio handler "
            f"{found.base.median:,.0f}; {rounds} rounds of {count:,}, {load.DRIVER}; {missed:,} of {asked:,} were no hits",
            Figure(found.ratio, 2),
            "≥ 0.85",
            found.ratio.median >= 0.85 and missed <= asked // 50,
        )
    ]


def cold(run: Run) -> list[Row]:
    """Every client once after a restart, and once more."""
    count, rounds = run.pick(BULK, 200), run.pick(2, 1)
    with serving(run.home, "cold") as service:
        tokens = _create(service, range(count))
        others = _create(service, range(_REHEARSAL))
    measured = []
    for _ in range(rounds):
        with serving(run.home, "cold") as service:
            callers.authenticate(_port(service), others, 2)
            ask = functools.partial(callers.authenticate, _port(service), tokens, 1)
            first, again = (per_cpu_second(service.process.pid, count, ask) for _ in range(2))
            measured.append((again, first))
    found = pair(measured)
    return [
        Row(
            "cold",
            f"Authenticate, {count:,} clients once each after a restart: {found.ours.median:,.0f} calls per CPU-second, once "
            f"more from the cache {found.base.median:,.0f}; {rounds} restarts, Python callers",
            Figure(found.ratio, 2),
            "≥ 0.50",
            found.ratio.median >= 0.5,
        )
    ]


def _create(service: Service, numbers: range) -> list[str]:
    api = Api(service, DOMAIN)
    try:
        return create(api, numbers)
    finally:
        api.close()


def _port(service: Service) -> int:
    return int(service.grpc.rpartition(":")[2])


def _hits(service: Service) -> int:
    text = asking.get(f"{service.http}/metrics").text
    found = re.search(r"^clients_authenticate_hits_total (\S+)", text, re.MULTILINE)
    assert found
    return int(float(found[1]))
