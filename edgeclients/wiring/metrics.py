"""What is shown of storage, time and authentication, in `/metrics` and `/ready`."""

from collections.abc import Callable, Sized
from typing import Any

from edgeclients.core.authn.authentication import Authentication
from edgeclients.core.authn.queue import CheckQueue
from edgeclients.ops import disk
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


def watch_authentication(metrics: Metrics, cache: Sized, authentication: Authentication) -> None:
    """Show how often the cache answered."""
    counts = authentication.counts
    metrics.counter("clients_authenticate_hits", "Authenticate answered from the cache", lambda: counts.hits)
    metrics.counter("clients_authenticate_misses", "Authenticate answered from the store", lambda: counts.misses)
    metrics.gauge("clients_cache_entries", "Successes remembered", lambda: len(cache))
    metrics.counter("clients_disk_written_bytes", "Bytes written to disk by this process", disk.written_bytes)


def watch_checks(metrics: Metrics, authentication: Authentication, checks: CheckQueue) -> None:
    """Show what became of the tokens that the cache did not answer."""
    counts = authentication.counts
    metrics.counters("clients_authenticate_denied", "Authenticate denied, by reason", "reason", lambda: counts.denied)
    metrics.counter(
        "clients_authenticate_put_off", "Authenticate put off: too many chosen secrets to check", lambda: counts.put_off
    )
    metrics.counter("clients_argon2_checks", "Chosen secrets hashed to be checked", lambda: checks.runs)
    metrics.gauge("clients_argon2_waiting", "Chosen secrets waiting to be checked", lambda: checks.waiting)
