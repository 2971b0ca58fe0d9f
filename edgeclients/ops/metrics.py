"""Metrics: plain integers while serving, rendered as Prometheus text for each scrape.

The first scrape imports `prometheus_client`, because the import takes 80 ms.
"""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from prometheus_client.core import Metric

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram:
    """A distribution of durations in seconds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


class Requests:
    """Requests of one transport: counts by operation and code, durations by operation."""

    def __init__(self) -> None:
        self.by_code: dict[tuple[str, str], int] = {}
        self.seconds: dict[str, Histogram] = {}
        self.active = 0

    @property
    def total(self) -> int:
        """How many have finished."""
        return sum(self.by_code.values())

    def count(self, operation: str, code: str, seconds: float) -> None:
        """Count one finished request."""
        key = (operation, code)
        self.by_code[key] = self.by_code.get(key, 0) + 1
        histogram = self.seconds.get(operation)
        if histogram is None:
            histogram = self.seconds[operation] = Histogram()
        histogram.observe(seconds)


class _Watched(NamedTuple):
    name: str
    help: str
    is_counter: bool
    read: Callable[[], float]


class _Labelled(NamedTuple):
    name: str
    help: str
    label: str
    is_counter: bool
    read: Callable[[], Mapping[str, float]]


class Metrics:
    """Every metric of the process."""

    def __init__(self) -> None:
        self.http = Requests()
        self.grpc = Requests()
        self._watched: list[_Watched] = []
        self._labelled: list[_Labelled] = []
        self._before: list[Callable[[], Awaitable[None]]] = []

    def counter(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Add the counter `name` (without `_total`), whose value `read` returns."""
        self._watched.append(_Watched(name, text, is_counter=True, read=read))

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Add the gauge `name`, whose value `read` returns."""
        self._watched.append(_Watched(name, text, is_counter=False, read=read))

    def counters(self, name: str, text: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Add the counter `name` (without `_total`), whose values by `label` `read` returns."""
        self._labelled.append(_Labelled(name, text, label, is_counter=True, read=read))

    def gauges(self, name: str, text: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Add the gauge `name`, whose values by `label` `read` returns."""
        self._labelled.append(_Labelled(name, text, label, is_counter=False, read=read))

    def before(self, look: Callable[[], Awaitable[None]]) -> None:
        """Await `look` before each rendering, to refresh values that `read` functions return."""
        self._before.append(look)

    async def look(self) -> None:
        """Await every function added with `before`."""
        for look in self._before:
            await look()

    def render(self) -> bytes:
        """Every metric in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator["Metric"]:
        """The metric families, as `prometheus_client` expects of a collector."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        yield from _families("clients_api", "HTTP", self.http)
        yield from _families("clients_grpc", "gRPC", self.grpc)
        for one in self._watched:
            family = CounterMetricFamily if one.is_counter else GaugeMetricFamily
            yield family(one.name, one.help, value=one.read())
        for several in self._labelled:
            labelled = CounterMetricFamily if several.is_counter else GaugeMetricFamily
            values = labelled(several.name, several.help, labels=(several.label,))
            for label, value in several.read().items():
                values.add_metric((label,), value)
            yield values


def _families(prefix: str, transport: str, requests: Requests) -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    counts = CounterMetricFamily(f"{prefix}_requests", f"Finished {transport} requests", labels=("operation", "code"))
    for labels, count in requests.by_code.items():
        counts.add_metric(labels, count)
    yield counts
    seconds = HistogramMetricFamily(
        f"{prefix}_request_duration_seconds", f"Duration of {transport} requests", labels=("operation",)
    )
    for operation, histogram in requests.seconds.items():
        seconds.add_metric((operation,), _cumulative(histogram), histogram.total)
    yield seconds
    yield GaugeMetricFamily(f"{prefix}_requests_active", f"Active {transport} requests", value=requests.active)


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    edges = [*(str(bucket) for bucket in BUCKETS), "+Inf"]
    sums = []
    so_far = 0
    for count in histogram.counts:
        so_far += count
        sums.append(float(so_far))
    return list(zip(edges, sums, strict=True))
