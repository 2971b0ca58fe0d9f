"""Latency and throughput of Authenticate and of a client by its id, against how many ask at a time; drawn as PNG."""

import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.perf import fleet, load
from tests.perf.homes import serving
from tests.perf.measure import Run
from tests.support.api import Api

CALLERS = (1, 2, 4, 8, 16, 32, 64)


class Point(NamedTuple):
    """What so many callers at a time get."""

    callers: int
    rate: float  # answers a second
    median: float  # ms
    p99: float  # ms


def draw(run: Run, picture: Path) -> None:
    """Measure and draw."""
    count = run.pick(4_000, max(CALLERS))
    with serving(run.home, "curves") as service:
        with Api(service, fleet.DOMAIN) as api:
            (token,) = fleet.create(api, range(1))
            client_id = api.create(**fleet.body(1))["id"]
        grpc_port, http_port = int(service.grpc.rpartition(":")[2]), urlsplit(service.http).port or 0
        headers = [f"authorization: Bearer {service.token}"]
        path = f"/{fleet.DOMAIN}/clients/{client_id}"
        lines = {
            "Authenticate, cache hit (gRPC)": _line(
                lambda callers: load.authenticate_times(grpc_port, token, count, callers, run.folder)
            ),
            "client by id (HTTP)": _line(lambda callers: load.get_times(http_port, path, headers, count, callers, run.folder)),
        }
    _draw(lines, picture)


def _line(measure: Callable[[int], load.Times]) -> list[Point]:
    measure(1)
    return [_point(callers, measure(callers)) for callers in CALLERS]


def _point(callers: int, times: load.Times) -> Point:
    ordered = sorted(times.each_ms)
    return Point(callers, len(ordered) / times.seconds, statistics.median(ordered), ordered[len(ordered) * 99 // 100])


def _draw(lines: dict[str, list[Point]], picture: Path) -> None:
    os.environ.setdefault("MPLBACKEND", "Agg")
    from matplotlib import pyplot as plt

    figure, (throughput, latency) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for name, points in lines.items():
        callers = [point.callers for point in points]
        throughput.plot(callers, [point.rate for point in points], marker="o", label=name)
        (line,) = latency.plot(callers, [point.median for point in points], marker="o", label=f"{name}, median")
        latency.plot(callers, [point.p99 for point in points], linestyle=":", color=line.get_color(), label="99th percentile")
    throughput.set(title="Throughput", xlabel="requests at a time", ylabel="answers a second", ylim=(0, None))
    latency.set(title="Latency", xlabel="requests at a time", ylabel="ms", yscale="log")
    for axes in (throughput, latency):
        axes.set_xscale("log", base=2)
        axes.set_xticks(CALLERS, [str(callers) for callers in CALLERS])
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(picture, dpi=120)
