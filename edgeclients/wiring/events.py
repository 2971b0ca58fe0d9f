"""Builds the event relay, if the settings name a stream."""

import asyncio

from edgeclients.core.events import STREAMS
from edgeclients.events.relay import Relay
from edgeclients.events.streams import connect
from edgeclients.ops.metrics import Metrics
from edgeclients.ops.reload import Reloading
from edgeclients.ports import Store
from edgeclients.settings import Settings
from edgeclients.wiring.certificates import redis


def start(settings: Settings, store: Store, added: asyncio.Event, owner: str, reloading: Reloading) -> Relay | None:
    """A running relay; None without a stream: events stay in the outbox.

    Args:
        settings: the settings with the stream's URL.
        store: the store with the outbox.
        added: set by commits that added events.
        owner: the name under which it takes the lease; unique among the processes that share the store.
        reloading: reloads the stream's certificates.

    Raises:
        StartError: a package is not installed, or a certificate cannot be used.
    """
    if not settings.event_stream:
        return None
    tls = redis(reloading, settings.event_stream, "MG_CLIENTS_ES_URL")
    relay = Relay(store, connect(settings.event_stream, tls), added, owner, STREAMS)
    relay.start()
    return relay


def watch(metrics: Metrics, relay: Relay) -> None:
    """Add the metrics of `relay`."""
    metrics.before(relay.look)
    metrics.gauge("clients_events_waiting", "Events in the outbox", lambda: relay.waiting)
    metrics.gauge("clients_events_oldest_age_seconds", "Age of the oldest event in the outbox", lambda: relay.oldest_age)
    metrics.gauge("clients_events_dropped", "All events dropped unsent at the outbox's limits", lambda: relay.dropped)
    metrics.gauge(
        "clients_events_last_success_timestamp_seconds",
        "Time when the stream last acknowledged events; 0: not yet",
        lambda: (relay.succeeded_at or 0) / 1e6,
    )
    metrics.counter("clients_events_sent", "Events acknowledged by the stream", lambda: relay.sent)
    metrics.counters("clients_events_failures", "Failed attempts to send events, by kind", "kind", lambda: relay.failures)
