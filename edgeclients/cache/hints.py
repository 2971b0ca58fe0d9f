"""Hints between processes on one store, through Redis, so that a revoked secret is invalid everywhere at once.

A hint only invalidates: it says that a client lost access, that a client gained access, or that roles changed. The
guarantee comes from the store (`cache.shared`), or from short cache lifetimes; hints make it fast. Hints without a valid
MAC under K_cache are ignored.
"""

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from edgeclients import concurrency
from edgeclients.cache.denials import Denials
from edgeclients.cache.shared import SharedTokenCache
from edgeclients.model import Effects

if TYPE_CHECKING:
    from redis.asyncio import Redis

_log = logging.getLogger(__name__)

_CHANNEL = "edgeclients:hints:"
_CHANNEL_BYTES = 12
_MAC_BYTES = 32
_WAITING = 10_000  # hints that may wait to be published; beyond that only the store's guarantee remains
_PAUSE_SECONDS = 0.5  # before reconnecting
_DENIED_SECONDS = 5.0  # before retrying what the server denies
PING_SECONDS = 1.0
LIVE_SECONDS = 2.0  # how long a subscription counts as live after a PING on it was answered


class _Hint(msgspec.Struct, array_like=True):
    sender: bytes
    revoked: tuple[tuple[str, int], ...]
    granted: bool
    roles: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Hint)


class Hints:
    """Publishes the effects of commits in this process, and applies those of other processes.

    Args:
        redis: the server.
        key: K_cache.
        cache: the cache of this process.
        roles_changed: called when another process has changed roles.
        store_id: the id of the common store; other stores may use the same server.
        sender: an id unique to this process.
    """

    def __init__(
        self,
        redis: "Redis",
        key: bytes,
        cache: SharedTokenCache,
        roles_changed: Callable[[], None],
        store_id: str,
        sender: bytes,
    ) -> None:
        self._redis = redis
        self._key = key
        self._cache = cache
        self._roles_changed = roles_changed
        self._channel = _CHANNEL + hmac.digest(key, b"channel\0" + store_id.encode(), "sha256")[:_CHANNEL_BYTES].hex()
        self._sender = sender
        self._waiting: asyncio.Queue[Effects] = asyncio.Queue(_WAITING)
        self._answered_at = float("-inf")
        self._tasks: list[asyncio.Task[None]] = []
        self._unavailable = False
        self._denials = Denials(f"{_CHANNEL}*")
        self.lost = self.heard = 0

    @property
    def live(self) -> bool:
        """Whether hints of other processes arrive, as far as known."""
        return time.monotonic() - self._answered_at < LIVE_SECONDS

    def publish(self, effects: Effects) -> None:
        """Queue effects for the other processes."""
        if effects.revoked or effects.granted or effects.roles:
            try:
                self._waiting.put_nowait(effects)
            except asyncio.QueueFull:
                self.lost += 1

    def start(self) -> None:
        """Start publishing and listening."""
        self._tasks = [asyncio.ensure_future(self._run_forever(work)) for work in (self._publish, self._listen)]

    async def close(self) -> None:
        """Stop publishing and listening."""
        await concurrency.cancel_and_wait(self._tasks)

    async def _publish(self) -> None:
        while True:
            effects = await self._waiting.get()
            try:
                await self._redis.publish(self._channel, self._seal(effects))
            except BaseException:
                self.lost += 1
                raise

    async def _listen(self) -> None:
        async with self._redis.pubsub() as channel:
            await channel.subscribe(self._channel)
            pinging = asyncio.ensure_future(self._ping(channel))
            try:
                await self._receive(channel)
            finally:
                self._answered_at = float("-inf")
                await concurrency.cancel_and_wait([pinging])
                if not pinging.cancelled():
                    pinging.exception()  # its own failure is not of interest

    async def _ping(self, channel: Any) -> None:
        while True:
            await channel.ping()
            await asyncio.sleep(PING_SECONDS)

    async def _receive(self, channel: Any) -> None:
        while True:
            message = await channel.get_message(timeout=LIVE_SECONDS)
            if message is None:
                raise ConnectionError("the subscription is silent")
            if message["type"] == "subscribe":
                self._cache.forget_all()  # hints published before this moment were missed
                self._roles_changed()
            if message["type"] in {"subscribe", "pong"}:
                self._answered_at = time.monotonic()
                self._note_available()
            elif message["type"] == "message":
                self._apply(message["data"])

    def _apply(self, sealed: bytes) -> None:
        mac, packed = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        if not hmac.compare_digest(mac, hmac.digest(self._key, b"hint\0" + packed, "sha256")):
            _log.warning("ignored a hint in Redis without a valid signature")
            return
        hint = _decoder.decode(packed)
        if hint.sender != self._sender:
            self.heard += 1
            self._cache.hear(Effects(hint.revoked, hint.granted))
            if hint.roles:
                self._roles_changed()

    def _seal(self, effects: Effects) -> bytes:
        packed = _encode(_Hint(self._sender, effects.revoked, effects.granted, effects.roles))
        return hmac.digest(self._key, b"hint\0" + packed, "sha256") + packed

    async def _run_forever(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` forever; restart it after a pause when it fails."""
        from redis.exceptions import RedisError

        while True:
            pause = _PAUSE_SECONDS
            try:
                await work()
            except (RedisError, OSError, TimeoutError, RuntimeError) as error:
                if self._denials.note(error):
                    pause = _DENIED_SECONDS
                else:
                    self._note_unavailable(error)  # uvloop raises RuntimeError for a closed connection
            except Exception:  # noqa: BLE001 - it is logged and restarted
                _log.exception("hints of other processes failed unexpectedly")
            await asyncio.sleep(pause)

    def _note_unavailable(self, error: Exception) -> None:
        """Log it once, without the error's text, which may contain data sent to the server."""
        if not self._unavailable:
            _log.warning(
                "the Redis server of MG_CLIENTS_CACHE_URL is unavailable: continuing without it",
                extra={"error": type(error).__name__},
            )
        self._unavailable = True

    def _note_available(self) -> None:
        if self._unavailable:
            _log.info("the Redis server of MG_CLIENTS_CACHE_URL is available again")
        self._unavailable = False
