"""What is shown of the storage and of time, in `/metrics` and `/ready`."""

from collections.abc import Callable
from typing import Any

from edgeclients.ops.metrics import Metrics
from edgeclients.store.clock import Clock
from edgeclients.wiring.storage import Storage


def watch_storage(metrics: Metrics, storage: Storage) -> None:
    """Show how it goes with changes, and whether some were lost."""
    metrics.counter("clients_store_commits", "Transactions committed", lambda: storage.writes.commits)
    metrics.counter(
        "clients_activity_flushes", "Times that was written when clients were seen", lambda: storage.activity.flushes
    )
    metrics.gauge("clients_store_writable", "Whether the last change could be committed", lambda: not storage.writes.failing)
    metrics.gauge(
        "clients_store_incomplete",
        "Whether the database was found without its newest changes, or begun anew beside files of an earlier one",
        lambda: bool(storage.incomplete),
    )


def watch_clock(metrics: Metrics, clock: Clock) -> Callable[[], dict[str, Any]]:
    """Show how far the clock is from what it should say, and give what says so in `/ready`."""
    metrics.gauge(
        "clients_clock_difference_seconds",
        "How far the clock is ahead of what it should say, or was within a day; 0 for up to a minute",
        clock.difference,
    )

    def document() -> dict[str, Any]:
        seconds = round(clock.difference())
        return {"clock": {"status": "differs" if seconds else "ok", "difference_seconds": seconds}}

    return document
