"""The cache of tokens: of one process, or of one of several that share a store."""

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

from edgeclients.cache.memory import MemoryTokenCache
from edgeclients.core.credentials import Keyring
from edgeclients.model import Effects
from edgeclients.ops.metrics import Metrics
from edgeclients.ops.reload import Reloading
from edgeclients.ports import Proofs, Store
from edgeclients.settings import Settings
from edgeclients.wiring.certificates import Contexts, redis

_SENDER_BYTES = 16


class Caching(NamedTuple):
    """What goes with a cache: proofs of other processes, what tells them of commits, and how it all goes, for people."""

    proofs: Proofs | None = None
    publish: Callable[[Effects], None] | None = None
    document: Callable[[], dict[str, Any]] = lambda: {"backend": "memory"}


def make(settings: Settings, now: Callable[[], int]) -> MemoryTokenCache:
    """A cache that fits the mode; that of cloud mode says nothing before it is `joined`."""
    if settings.mode != "cloud":
        return MemoryTokenCache(settings.cache_key_duration, settings.cache_size, now)
    from edgeclients.cache.shared import SharedTokenCache

    return SharedTokenCache(settings.cache_key_duration, settings.cache_size, now)


@contextlib.asynccontextmanager
async def joined(
    settings: Settings,
    cache: MemoryTokenCache,
    store: Store,
    keyring: Keyring,
    metrics: Metrics,
    roles_changed: Callable[[], None],
    reloading: Reloading,
) -> AsyncIterator[Caching]:
    """`cache`, kept true to what other processes do, where there may be others; `roles_changed` is called when they did that.

    Raises:
        StartError: what it takes is not installed, or a certificate cannot be used.
        DomainError: the store cannot be read.
    """
    if settings.mode != "cloud":
        yield Caching()
        return
    from edgeclients.cache.shared import RevocationWatch, SharedTokenCache

    if not isinstance(cache, SharedTokenCache):
        raise TypeError("not a cache of cloud mode")
    shared = cache
    async with contextlib.AsyncExitStack() as stack:
        watch = RevocationWatch(store, shared)
        await watch.start()
        stack.push_async_callback(watch.close)
        metrics.gauge(
            "clients_cache_trusted", "Whether the cache is believed: revocations could be read", lambda: shared.trusted
        )
        if not settings.cache_url:
            yield Caching(document=lambda: {"backend": "memory", "trusted": shared.trusted})
            return
        store_id = (await store.outbox_state()).store_id
        tls = redis(reloading, settings.cache_address, "MG_CLIENTS_CACHE_URL")
        yield _with_redis(settings, shared, keyring, metrics, roles_changed, store_id, tls, stack)


def _with_redis(
    settings: Settings,
    cache: Any,
    keyring: Keyring,
    metrics: Metrics,
    roles_changed: Callable[[], None],
    store_id: str,
    tls: Contexts | None,
    stack: contextlib.AsyncExitStack,
) -> Caching:
    from edgeclients.cache.hints import Hints
    from edgeclients.cache.redis import RedisProofs, connect

    server = connect(settings.cache_address, tls)
    stack.push_async_callback(server.aclose)
    hints = Hints(server, keyring.cache_key, cache, roles_changed, store_id, os.urandom(_SENDER_BYTES))
    hints.start()
    stack.push_async_callback(hints.close)
    proofs = RedisProofs(server, keyring.cache_key, settings.cache_key_duration)
    metrics.gauge("clients_redis_live", "Whether hints of other processes arrive through Redis", lambda: hints.live)
    metrics.counter("clients_redis_hints_heard", "Hints of other processes", lambda: hints.heard)
    metrics.counter("clients_redis_hints_lost", "Hints that could not be published", lambda: hints.lost)
    metrics.counter("clients_redis_proofs_found", "Chosen secrets that another process had found right", lambda: proofs.found)

    def document() -> dict[str, Any]:
        return {"backend": "redis", "trusted": cache.trusted, "redis": "live" if hints.live else "away"}

    return Caching(proofs, hints.publish, document)
