"""Builds the token cache, for one process or for several that share a store."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from edgeclients.cache.memory import MemoryTokenCache
from edgeclients.ports import Proofs
from edgeclients.wiring.certificates import redis
from edgeclients.wiring.context import Commits, Context
from edgeclients.wiring.storage import Storage

if TYPE_CHECKING:
    from edgeclients.cache.shared import SharedTokenCache

_SENDER_BYTES = 16


class Cached(NamedTuple):
    """The token cache, the proofs of other processes, and the cache's part of `/ready`."""

    tokens: MemoryTokenCache
    proofs: Proofs | None = None
    document: Callable[[], dict[str, Any]] = lambda: {"backend": "memory"}


async def start(context: Context, storage: Storage, commits: Commits, roles_changed: Callable[[], None]) -> Cached:
    """The cache of the mode, invalidated by commits of this process and, in cloud mode, of others.

    Args:
        context: the parts to build it with.
        storage: the storage with the revocations.
        commits: the commits of this process.
        roles_changed: called when a commit of any process has changed roles.

    Raises:
        StartError: a package is not installed, or a certificate cannot be used.
        DomainError: the store cannot be read.
    """
    if context.settings.mode == "cloud":
        return await _shared(context, storage, commits, roles_changed)
    settings = context.settings
    tokens = MemoryTokenCache(settings.cache_key_duration, settings.cache_size, storage.store.now)
    _listen(commits, tokens, roles_changed)
    return Cached(tokens)


def _listen(commits: Commits, tokens: MemoryTokenCache, roles_changed: Callable[[], None]) -> None:
    commits.add(tokens.apply)
    commits.add(lambda effects: roles_changed() if effects.roles else None)


async def _shared(context: Context, storage: Storage, commits: Commits, roles_changed: Callable[[], None]) -> Cached:
    """The cache of a process that shares its store with others."""
    from edgeclients.cache.shared import RevocationWatch, SharedTokenCache

    settings, store = context.settings, storage.store
    tokens = SharedTokenCache(settings.cache_key_duration, settings.cache_size, store.now)
    _listen(commits, tokens, roles_changed)
    watch = RevocationWatch(store, tokens)
    await watch.start()
    context.stack.push_async_callback(watch.close)
    context.metrics.gauge(
        "clients_cache_trusted", "Whether the cache is trusted: revocations could be read", lambda: tokens.trusted
    )
    if not settings.cache_url:
        return Cached(tokens, document=lambda: {"backend": "memory", "trusted": tokens.trusted})
    return await _with_redis(context, storage, commits, tokens, roles_changed)


async def _with_redis(
    context: Context, storage: Storage, commits: Commits, tokens: "SharedTokenCache", roles_changed: Callable[[], None]
) -> Cached:
    from edgeclients.cache.hints import Hints
    from edgeclients.cache.redis import RedisProofs, connect

    settings, metrics, key = context.settings, context.metrics, storage.keyring.cache_key
    store_id = (await storage.store.outbox_state()).store_id
    server = connect(settings.cache_address, redis(context.reloading, settings.cache_address, "MG_CLIENTS_CACHE_URL"))
    context.stack.push_async_callback(server.aclose)
    hints = Hints(server, key, tokens, roles_changed, store_id, os.urandom(_SENDER_BYTES))
    hints.start()
    context.stack.push_async_callback(hints.close)
    commits.add(hints.publish)
    proofs = RedisProofs(server, key, settings.cache_key_duration)
    metrics.gauge("clients_redis_live", "Whether hints of other processes arrive through Redis", lambda: hints.live)
    metrics.counter("clients_redis_hints_heard", "Hints received from other processes", lambda: hints.heard)
    metrics.counter("clients_redis_hints_lost", "Hints that could not be published", lambda: hints.lost)
    metrics.counter("clients_redis_proofs_found", "Chosen secrets that another process had verified", lambda: proofs.found)

    def document() -> dict[str, Any]:
        return {"backend": "redis", "trusted": tokens.trusted, "redis": "live" if hints.live else "away"}

    return Cached(tokens, proofs, document)
