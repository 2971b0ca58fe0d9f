"""Events that leave, where the settings say where to."""

import asyncio

from edgeclients.core.events import STREAMS
from edgeclients.events.relay import Relay
from edgeclients.events.streams import connect
from edgeclients.ops.metrics import Metrics
from edgeclients.ops.reload import Reloading
from edgeclients.ports import Store
from edgeclients.settings import Settings
from edgeclients.wiring.certificates import redis


def start(settings: Settings, store: Store, news: asyncio.Event, owner: str, reloading: Reloading) -> Relay | None:
    """A relay that sends from now on; None where events are to stay.

    Args:
        settings: they say where to.
        store: whose outbox.
        news: set by commits that brought events.
        owner: as whom it sends; no two processes that share the store have the same.
        reloading: of the server's certificates.

    Raises:
        StartError: what it takes is not installed, or a certificate cannot be used.
    """
    if not settings.event_stream:
        return None
    tls = redis(reloading, settings.event_stream, "MG_CLIENTS_ES_URL")
    relay = Relay(store, connect(settings.event_stream, tls), news, owner, STREAMS)
    relay.start()
    return relay


def watch(metrics: Metrics, relay: Relay) -> None:
    """Show how far `relay` is."""
    metrics.before(relay.look)
    metrics.gauge("clients_events_waiting", "Events in the outbox", lambda: relay.waiting)
    metrics.gauge("clients_events_oldest_age_seconds", "Since the oldest event that waits", lambda: relay.oldest_age)
    metrics.gauge("clients_events_dropped", "Events dropped unsent at the outbox's bounds, ever", lambda: relay.dropped)
    metrics.gauge(
        "clients_events_last_success_timestamp_seconds",
        "When a stream last acknowledged events; 0: not yet",
        lambda: (relay.succeeded_at or 0) / 1e6,
    )
    metrics.counter("clients_events_sent", "Events acknowledged by a stream", lambda: relay.sent)
    metrics.counters("clients_events_failures", "Attempts to send events that failed", "kind", lambda: relay.failures)
