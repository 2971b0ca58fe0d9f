"""Proofs that processes on one store share in Redis: that a token passed argon2 for one stored hash.

Proofs are unreadable, and ignored without a valid MAC under K_cache. A proof saves the hash, but not reading the row: the
row must still have the hash that the proof was made for.
"""

import asyncio
import hmac
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from edgeclients.cache.denials import Denials
from edgeclients.errors import StartError
from edgeclients.ports import Proofs
from edgeclients.redis_tls import follow

if TYPE_CHECKING:
    from redis.asyncio import Redis

_PROOF = "edgeclients:proof:"
_MAC_BYTES = 32
_CALL_SECONDS = 0.25  # to read or to write a proof
_PAUSE_SECONDS = 1.0  # after a failure, before Redis is used again
_ANSWER_SECONDS = 2.0


class RedisProofs(Proofs):
    """`ports.Proofs` in Redis.

    Args:
        redis: the server.
        key: K_cache.
        seconds: how long a proof is kept.
    """

    def __init__(self, redis: "Redis", key: bytes, seconds: float) -> None:
        self._redis = redis
        self._key = key
        self._milliseconds = max(1, int(seconds * 1000))
        self._paused_until = float("-inf")
        self._denials = Denials(f"{_PROOF}*")
        self.found = 0

    @override
    async def recall(self, token: bytes) -> tuple[str, bytes] | None:
        if time.monotonic() < self._paused_until:
            return None
        value = await self._try(self._redis.get(self._name(token)))
        if value is None or len(value) <= _MAC_BYTES:
            return None
        self.found += 1
        return value[_MAC_BYTES:].decode("utf-8", "replace"), value[:_MAC_BYTES]

    @override
    def vouches(self, tag: bytes, token: bytes, client_id: str, stored_hash: str) -> bool:
        return hmac.compare_digest(tag, self._tag(token, client_id, stored_hash))

    @override
    async def keep(self, token: bytes, client_id: str, stored_hash: str) -> None:
        if time.monotonic() >= self._paused_until:
            value = self._tag(token, client_id, stored_hash) + client_id.encode()
            await self._try(self._redis.set(self._name(token), value, px=self._milliseconds))

    def _name(self, token: bytes) -> str:
        return _PROOF + hmac.digest(self._key, b"token\0" + token, "sha256").hex()

    def _tag(self, token: bytes, client_id: str, stored_hash: str) -> bytes:
        parts = (b"proof", hmac.digest(self._key, b"token\0" + token, "sha256"), client_id.encode(), stored_hash.encode())
        return hmac.digest(self._key, b"\0".join(parts), "sha256")

    async def _try(self, call: Awaitable[Any]) -> Any:
        """The result of a call; None if it fails or takes too long, and then Redis is not used for a while."""
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(_CALL_SECONDS):
                return await call
        except (RedisError, OSError, TimeoutError, RuntimeError) as error:  # uvloop: RuntimeError for a closed connection
            self._denials.note(error)
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            return None


def connect(url: str, tls: Callable[[], ssl.SSLContext] | None = None) -> "Redis":
    """Redis at `redis[s]://[[user]:password@]host[:port][/database]`; connects on first use.

    Args:
        url: the URL of the server.
        tls: returns the TLS context for a new connection; None: it is made from `url`.

    Raises:
        StartError: redis-py is not installed.
    """
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        raise StartError('Redis needs the package redis: install "edgeclients[cloud]"') from error
    redis = Redis.from_url(
        url, protocol=2, retry=Retry(NoBackoff(), 0), socket_connect_timeout=_ANSWER_SECONDS, socket_timeout=_ANSWER_SECONDS
    )
    if tls is not None:
        follow(redis, tls)
    return redis
