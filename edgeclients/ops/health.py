"""Alive, and ready to change things."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from edgeclients import __version__
from edgeclients.errors import DomainError
from edgeclients.model import rfc3339

_log = logging.getLogger(__name__)

PROBE_SECONDS = 3600  # a probe is a write, and SD cards wear


def health_document(instance_id: str) -> dict[str, str]:
    """What `GET /health` says of a process that is alive (contract 1.8)."""
    return {
        "status": "pass",
        "version": __version__,
        "commit": "ffffffff",
        "description": "clients service",
        "build_time": "1970-01-01_00:00:00",
        "instance_id": instance_id or str(uuid.uuid4()),
    }


class StorageState(NamedTuple):
    """How the last attempts to change things went."""

    backend: str
    failing: bool
    last_commit_at: int | None
    incomplete: str = ""
    """What has been lost before, if that can be seen: one word."""


async def no_relay() -> dict[str, Any]:
    """How it goes with events where none leave."""
    return {"relay": "off"}


class Readiness:
    """Whether the process can do its work, from what its last changes met.

    Args:
        storage: how they went.
        probe: makes a change that means nothing.
        events: how it goes with events that leave.
        cache: how it goes with the cache.
        parts: more of the document: how it goes with services that are asked, with the clock.
        every: seconds between probes, and for which a change that was made proves that others can be.
        now: the clock that changes are timed by.
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
        self.grpc: Callable[[], bool] = lambda: True  # whether that is served

    async def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether it is ready, and the document that says so; may wait for a probe that all callers share."""
        state = self._storage()
        if self.serving and self._stale(state):
            await self._probe_once()
            state = self._storage()
        ready = self.serving and self.grpc() and not state.failing
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

    async def _probe_once(self) -> None:
        if self._probing is None:
            if time.monotonic() - self._probed_at < self._every:
                return
            self._probed_at = time.monotonic()
            self._probing = asyncio.ensure_future(self._try_probe())
        await asyncio.shield(self._probing)

    async def _try_probe(self) -> None:
        try:
            await self._probe()
        except DomainError as error:
            _log.warning("probe write failed", extra={"error": type(error).__name__})
        finally:
            self._probing = None

    def _stale(self, state: StorageState) -> bool:
        # A clock that was set back meanwhile says nothing of how long it was.
        return (
            state.failing or state.last_commit_at is None or abs(self._now() - state.last_commit_at) > self._every * 1_000_000
        )
