"""What several processes tell each other through Redis (design 6): hints, which only take away, and proofs.

Nothing here is readable, and nothing is believed that was not written with K_cache. A hint says that a client lost access or
that somebody gained it; the guarantee is the store's (`cache.shared`). A proof says that a token was found right, by argon2,
for one stored hash: whoever reads it still reads the row, and the row must still have that hash.
"""

import asyncio
import contextlib
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from edgeclients.cache.shared import SharedTokenCache
from edgeclients.errors import StartError
from edgeclients.model import Effects

if TYPE_CHECKING:
    from redis.asyncio import Redis

_log = logging.getLogger(__name__)

_CHANNEL = "edgeclients:hints"
_PROOF = "edgeclients:proof:"
_MAC_BYTES = 32
_WAITING = 10_000  # hints that may wait to be published; beyond, the store's guarantee has to do
_CALL_SECONDS = 0.25  # of a look for a proof, or its writing
_PAUSE_SECONDS = 1.0  # without Redis, before it is tried again
PING_SECONDS = 1.0
LIVE_SECONDS = 2.0  # a subscription counts as live for so long after PING on it was answered


class _Hint(msgspec.Struct, array_like=True):
    sender: bytes
    revoked: tuple[tuple[str, int], ...]
    granted: bool


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Hint)


class Hints:
    """Publishes what commits of this process cause, and makes felt here what those of others cause.

    Args:
        redis: where.
        key: K_cache.
        cache: of this process.
        sender: what no other process has.
    """

    def __init__(self, redis: "Redis", key: bytes, cache: SharedTokenCache, sender: bytes) -> None:
        self._redis = redis
        self._key = key
        self._cache = cache
        self._sender = sender
        self._waiting: asyncio.Queue[Effects] = asyncio.Queue(_WAITING)
        self._answered_at = float("-inf")
        self._tasks: list[asyncio.Task[None]] = []
        self.lost = 0

    @property
    def live(self) -> bool:
        """Whether hints of others arrive, as far as can be known."""
        return time.monotonic() - self._answered_at < LIVE_SECONDS

    def publish(self, effects: Effects) -> None:
        """Tell the others, soon."""
        if effects.revoked or effects.granted:
            try:
                self._waiting.put_nowait(effects)
            except asyncio.QueueFull:
                self.lost += 1

    def start(self) -> None:
        """Begin."""
        self._tasks = [asyncio.ensure_future(_again_and_again(work)) for work in (self._publish, self._listen)]

    async def close(self) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _publish(self) -> None:
        while True:
            effects = await self._waiting.get()
            try:
                await self._redis.publish(_CHANNEL, self._seal(effects))
            except BaseException:
                self.lost += 1
                raise

    async def _listen(self) -> None:
        async with self._redis.pubsub() as channel:
            await channel.subscribe(_CHANNEL)
            pinging = asyncio.ensure_future(self._ping(channel))
            try:
                await self._hear(channel)
            finally:
                self._answered_at = float("-inf")
                pinging.cancel()
                await asyncio.wait([pinging])

    async def _ping(self, channel: Any) -> None:
        while True:
            await channel.ping()
            await asyncio.sleep(PING_SECONDS)

    async def _hear(self, channel: Any) -> None:
        while True:
            message = await channel.get_message(timeout=LIVE_SECONDS)
            if message is None:
                raise ConnectionError("the subscription is silent")
            if message["type"] == "subscribe":
                self._cache.forget_all()  # whatever was said before this moment was not heard
            if message["type"] in {"subscribe", "pong"}:
                self._answered_at = time.monotonic()
            elif message["type"] == "message":
                self._feel(message["data"])

    def _feel(self, sealed: bytes) -> None:
        mac, packed = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        if not hmac.compare_digest(mac, hmac.digest(self._key, b"hint\0" + packed, "sha256")):
            _log.warning("a hint in Redis was not written by one of us")
            return
        hint = _decoder.decode(packed)
        if hint.sender != self._sender:
            self._cache.apply(Effects(hint.revoked, hint.granted))

    def _seal(self, effects: Effects) -> bytes:
        packed = _encode(_Hint(self._sender, effects.revoked, effects.granted))
        return hmac.digest(self._key, b"hint\0" + packed, "sha256") + packed


class RedisProofs:
    """`ports.Proofs` in Redis.

    Args:
        redis: where.
        key: K_cache.
        seconds: how long a proof is kept.
    """

    def __init__(self, redis: "Redis", key: bytes, seconds: float) -> None:
        self._redis = redis
        self._key = key
        self._milliseconds = max(1, int(seconds * 1000))
        self._paused_until = float("-inf")
        self.found = 0

    async def recall(self, token: bytes) -> tuple[str, bytes] | None:  # noqa: D102 - see ports.Proofs, here and below
        if time.monotonic() < self._paused_until:
            return None
        value = await self._try(self._redis.get(self._name(token)))
        if value is None or len(value) <= _MAC_BYTES:
            return None
        self.found += 1
        return value[_MAC_BYTES:].decode("utf-8", "replace"), value[:_MAC_BYTES]

    def vouches(self, tag: bytes, token: bytes, client_id: str, kept: str) -> bool:  # noqa: D102
        return hmac.compare_digest(tag, self._tag(token, client_id, kept))

    async def keep(self, token: bytes, client_id: str, kept: str) -> None:  # noqa: D102
        if time.monotonic() >= self._paused_until:
            value = self._tag(token, client_id, kept) + client_id.encode()
            await self._try(self._redis.set(self._name(token), value, px=self._milliseconds))

    def _name(self, token: bytes) -> str:
        return _PROOF + hmac.digest(self._key, b"token\0" + token, "sha256").hex()

    def _tag(self, token: bytes, client_id: str, kept: str) -> bytes:
        parts = (b"proof", hmac.digest(self._key, b"token\0" + token, "sha256"), client_id.encode(), kept.encode())
        return hmac.digest(self._key, b"\0".join(parts), "sha256")

    async def _try(self, call: Awaitable[Any]) -> Any:
        """What Redis says; None if it does not say it soon, and then it is left alone for a while."""
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(_CALL_SECONDS):
                return await call
        except (RedisError, OSError, TimeoutError):
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            return None


def connect(url: str) -> "Redis":
    """Redis at `redis[s]://[[user]:password@]host[:port][/database]`; nothing is sent before it is needed.

    Raises:
        StartError: redis-py is not installed.
    """
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        raise StartError('Redis takes the package redis: install "edgeclients[cloud]"') from error
    return Redis.from_url(
        url, protocol=2, retry=Retry(NoBackoff(), 0), socket_connect_timeout=LIVE_SECONDS, socket_timeout=LIVE_SECONDS
    )


async def _again_and_again(work: Callable[[], Awaitable[None]]) -> None:
    """Do it for ever; when it fails, once more after a moment."""
    from redis.exceptions import RedisError

    while True:
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await work()
        await asyncio.sleep(_PAUSE_SECONDS / 2)
