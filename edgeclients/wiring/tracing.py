"""Builds tracing, if the settings name a collector; else nothing is wrapped."""

from typing import TYPE_CHECKING, cast

from edgeclients.errors import StartError
from edgeclients.http.edge.traced import traced
from edgeclients.http.scope import App
from edgeclients.ops.metrics import Metrics
from edgeclients.ports import Callout, Store
from edgeclients.settings import Settings

if TYPE_CHECKING:
    from edgeclients.ops.tracing import Tracing


def start(settings: Settings, instance_id: str) -> "Tracing | None":
    """The object that creates and sends spans; None without a collector.

    Raises:
        StartError: a package is not installed.
    """
    if not settings.jaeger_url:
        return None
    try:
        from edgeclients.ops.tracing import Tracing
    except ImportError as error:
        raise StartError('MG_JAEGER_URL: tracing needs additional packages: pip install "edgeclients[cloud]"') from error
    return Tracing(settings.jaeger_url, settings.jaeger_ratio, instance_id)


def of_http(tracing: "Tracing | None", app: App) -> App:
    """`app`, with traced requests."""
    return app if tracing is None else traced(app, tracing)


def of_store(tracing: "Tracing | None", store: Store, system: str) -> Store:
    """`store`, with traced calls; `system` is OpenTelemetry's name of the database system: `sqlite`, `postgresql`."""
    if tracing is None:
        return store
    from edgeclients.ops.traced import TracedStore

    return cast("Store", TracedStore(store, system, tracing))


def of_callout(tracing: "Tracing | None", callout: Callout | None) -> Callout | None:
    """`callout`, with traced calls."""
    if tracing is None or callout is None:
        return callout
    from edgeclients.ops.traced import TracedCallout

    return TracedCallout(callout, tracing)


def watch(metrics: Metrics, tracing: "Tracing") -> None:
    """Add the metrics of spans."""
    queue = tracing.queue
    metrics.counter("clients_spans_sent", "Spans that the collector accepted", lambda: queue.sent)
    metrics.counters("clients_spans_dropped", "Spans dropped unsent, by reason", "reason", lambda: queue.dropped)
    metrics.gauge("clients_spans_waiting", "Spans queued for sending", lambda: queue.waiting)
