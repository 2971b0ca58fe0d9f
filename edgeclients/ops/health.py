"""Health and readiness: the documents of `/health` and `/ready`."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from edgeclients import __version__
from edgeclients.build import this_build
from edgeclients.errors import DomainError
from edgeclients.model import rfc3339

_log = logging.getLogger(__name__)

PROBE_SECONDS = 3600  # a probe is a write, and SD cards wear out


def health_document(instance_id: str) -> dict[str, str]:
    """The document that `GET /health` returns (schema/README.md#health)."""
    build = this_build()
    return {
        "status": "pass",
        "version": __version__,
        "commit": build.commit,
        "description": "clients service",
        "build_time": build.time,
        "instance_id": instance_id or str(uuid.uuid4()),
    }


class StorageState(NamedTuple):
    """The outcome of the last writes."""

    backend: str
    failing: bool
    last_commit_at: int | None
    incomplete: str = ""
    """The kind of data that was lost before, as one word; empty if no loss is known."""
    fault: str = ""
    """Why writes fail, in words; empty if they do not."""


async def no_relay() -> dict[str, Any]:
    """The state of events in `/ready` without a relay."""
    return {"relay": "off"}


class Readiness:
    """Whether the process can work, judged by its last writes.

    Args:
        storage: the outcome of the last writes.
        probe: an empty write.
        events: the state of the event relay.
        cache: the state of the cache.
        parts: further parts of the document, such as the peers and the clock.
        every: seconds between probes; a write proves for as long that the storage is writable.
        now: the clock that times writes.
    """

    def __init__(
        self,
        storage: Callable[[], StorageState],
        probe: Callable[[], Awaitable[None]],
        events: Callable[[], Awaitable[dict[str, Any]]] = no_relay,
        cache: Callable[[], dict[str, Any]] = lambda: {"backend": "memory"},
        parts: Sequence[Callable[[], dict[str, Any]]] = (),
        every: float = PROBE_SECONDS,
        now: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._storage = storage
        self._probe = probe
        self._events = events
        self._cache = cache
        self._parts = parts
        self._every = every
        self._now = now
        self._probed_at = float("-inf")
        self._probing: asyncio.Task[None] | None = None
        self.serving = False
        self.grpc: Callable[[], bool] = lambda: True  # whether gRPC is served

    async def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether the process is ready, and the document of `/ready`; may wait for a probe that all callers share."""
        if probing := self._probing_if_due():
            await asyncio.shield(probing)
        state, ready = self._storage(), self.is_ready()
        incomplete = {"incomplete": state.incomplete} if state.incomplete else {}
        last = None if state.last_commit_at is None else rfc3339(state.last_commit_at)
        return ready, {
            "status": "ready" if ready else "not ready",
            "storage": {"backend": state.backend, "writable": not state.failing, "last_commit": last, **incomplete},
            "grpc": "serving" if self.grpc() else "not serving",
            "cache": self._cache(),
            "events": await self._events(),
            **{key: value for part in self._parts for key, value in part().items()},
        }

    async def look(self) -> None:
        """Start a probe if one is due, and do not wait for it: what reads `is_ready` again and again learns the outcome."""
        self._probing_if_due()

    def is_ready(self) -> bool:
        """Whether the process is ready, as last known."""
        return self.serving and not self.fault()

    def fault(self) -> str:
        """Why the process is not ready, judged without a probe; empty if it is."""
        state = self._storage()
        faults = (f"storage fails: {state.fault}" if state.failing else "", "" if self.grpc() else "gRPC is not served")
        return "; ".join(filter(None, faults))

    def _probing_if_due(self) -> "asyncio.Task[None] | None":
        """The probe in progress; begins one if the last is old enough, and no write since has proved anything."""
        if not self.serving or not self._stale(self._storage()):
            return None
        if self._probing is None and time.monotonic() - self._probed_at >= self._every:
            self._probed_at = time.monotonic()
            self._probing = asyncio.ensure_future(self._try_probe())
        return self._probing

    async def _try_probe(self) -> None:
        try:
            await self._probe()
        except DomainError as error:
            _log.warning("probe write failed", extra={"error": type(error).__name__})
        finally:
            self._probing = None

    def _stale(self, state: StorageState) -> bool:
        # The absolute difference, because the clock may have been set back since.
        return (
            state.failing or state.last_commit_at is None or abs(self._now() - state.last_commit_at) > self._every * 1_000_000
        )
