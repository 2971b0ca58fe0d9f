"""Metrics and readiness of storage, clock and authentication."""

from collections.abc import Callable, Sized
from pathlib import Path
from typing import Any

from edgeclients import __version__
from edgeclients.core.authn.authentication import Authentication
from edgeclients.core.authn.queue import CheckQueue
from edgeclients.ops import disk
from edgeclients.ops.health import Readiness
from edgeclients.ops.metrics import Metrics
from edgeclients.store.clock import Clock
from edgeclients.wiring.storage import Storage


def watch_service(metrics: Metrics, readiness: Readiness, data_dir: Path | None) -> None:
    """Add the metrics of the process as a whole; `data_dir` is None if it has none."""
    metrics.before(readiness.look)
    metrics.gauge("clients_ready", "Whether changes can be made and gRPC is served, as last known", readiness.is_ready)
    metrics.gauges("clients_build_info", "The version of the program; always 1", "version", lambda: {__version__: 1})
    if data_dir is not None:
        metrics.gauge(
            "clients_disk_free_bytes", "Free bytes of the disk with the data directory", lambda: disk.free_bytes(data_dir)
        )


def watch_storage(metrics: Metrics, storage: Storage) -> None:
    """Add the metrics of writes, and of known losses."""
    metrics.counter("clients_store_commits", "Transactions committed", lambda: storage.writes.commits)
    metrics.gauge("clients_store_changes_active", "Changes queued or being written", lambda: storage.writes.active)
    metrics.counter("clients_activity_flushes", "Writes of the clients' last-seen times", lambda: storage.activity.flushes)
    metrics.gauge("clients_store_writable", "Whether the last write was committed", lambda: not storage.writes.failing)
    metrics.gauge(
        "clients_store_incomplete",
        "Whether the database lacks its newest changes, or is new although files of an earlier one exist",
        lambda: bool(storage.incomplete),
    )


def watch_clock(metrics: Metrics, clock: Clock) -> Callable[[], dict[str, Any]]:
    """Add the metric of the clock's difference, and return the clock's part of `/ready`."""
    metrics.gauge(
        "clients_clock_difference_seconds",
        "How far the clock is ahead of the expected time, or was within a day; 0 for up to a minute",
        clock.difference,
    )

    def document() -> dict[str, Any]:
        seconds = round(clock.difference())
        return {"clock": {"status": "differs" if seconds else "ok", "difference_seconds": seconds}}

    return document


def watch_authentication(metrics: Metrics, cache: Sized, authentication: Authentication) -> None:
    """Add the metrics of cache hits and misses."""
    counts = authentication.counts
    metrics.counter("clients_authenticate_hits", "Authenticate answered from the cache", lambda: counts.hits)
    metrics.counter("clients_authenticate_misses", "Authenticate answered from the store", lambda: counts.misses)
    metrics.gauge("clients_cache_entries", "Cached Authenticate results", lambda: len(cache))
    metrics.counter("clients_disk_written_bytes", "Bytes written to disk by this process", disk.written_bytes)


def watch_checks(metrics: Metrics, authentication: Authentication, checks: CheckQueue) -> None:
    """Add the metrics of Authenticate calls beyond the cache."""
    counts = authentication.counts
    metrics.counters("clients_authenticate_denied", "Authenticate denied, by reason", "reason", lambda: counts.denied)
    metrics.counter(
        "clients_authenticate_put_off", "Authenticate deferred: too many chosen secrets to check", lambda: counts.put_off
    )
    metrics.counter("clients_argon2_checks", "Chosen secrets hashed for checks", lambda: checks.runs)
    metrics.gauge("clients_argon2_waiting", "Chosen secrets queued for checks", lambda: checks.waiting)
