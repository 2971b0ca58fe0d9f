"""Hints that processes on one store give each other through Redis, so that a revoked secret is dead everywhere at once.

A hint only takes away: it says that a client lost access, or that somebody gained it, or that roles changed. The guarantee is
the store's (`cache.shared`), or that nothing is kept for long; hints are fast. None is believed that was not written with
K_cache.
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
_WAITING = 10_000  # hints that may wait to be published; beyond, the store's guarantee has to do
_PAUSE_SECONDS = 0.5  # before a connection that broke is made again
_DENIED_SECONDS = 5.0  # before what the server does not allow is tried again
PING_SECONDS = 1.0
LIVE_SECONDS = 2.0  # a subscription counts as live for so long after PING on it was answered


class _Hint(msgspec.Struct, array_like=True):
    sender: bytes
    revoked: tuple[tuple[str, int], ...]
    granted: bool
    roles: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Hint)


class Hints:
    """Publishes what commits of this process cause, and makes felt here what those of others cause.

    Args:
        redis: where.
        key: K_cache.
        cache: of this process.
        roles_changed: called when another has changed roles.
        store_id: of the store all of them share; others may use the same server.
        sender: what no other process has.
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
        self._away = False
        self._denials = Denials(f"{_CHANNEL}*")
        self.lost = self.heard = 0

    @property
    def live(self) -> bool:
        """Whether hints of others arrive, as far as can be known."""
        return time.monotonic() - self._answered_at < LIVE_SECONDS

    def publish(self, effects: Effects) -> None:
        """Tell the others, soon."""
        if effects.revoked or effects.granted or effects.roles:
            try:
                self._waiting.put_nowait(effects)
            except asyncio.QueueFull:
                self.lost += 1

    def start(self) -> None:
        """Begin."""
        self._tasks = [asyncio.ensure_future(self._again_and_again(work)) for work in (self._publish, self._listen)]

    async def close(self) -> None:
        """Stop."""
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
                await self._hear(channel)
            finally:
                self._answered_at = float("-inf")
                await concurrency.cancel_and_wait([pinging])
                if not pinging.cancelled():
                    pinging.exception()  # that it failed, too, is no news

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
                self._roles_changed()
            if message["type"] in {"subscribe", "pong"}:
                self._answered_at = time.monotonic()
                self._note_back()
            elif message["type"] == "message":
                self._feel(message["data"])

    def _feel(self, sealed: bytes) -> None:
        mac, packed = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        if not hmac.compare_digest(mac, hmac.digest(self._key, b"hint\0" + packed, "sha256")):
            _log.warning("a hint in Redis was not written by one of us")
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

    async def _again_and_again(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it for ever; when it fails, once more after a moment."""
        from redis.exceptions import RedisError

        while True:
            pause = _PAUSE_SECONDS
            try:
                await work()
            except (RedisError, OSError, TimeoutError, RuntimeError) as error:
                if self._denials.note(error):
                    pause = _DENIED_SECONDS
                else:
                    self._note_away(error)  # a RuntimeError is what uvloop says of a connection that was closed
            except Exception:  # noqa: BLE001 - it goes on, and the log has it all
                _log.exception("hints of other processes failed unexpectedly")
            await asyncio.sleep(pause)

    def _note_away(self, error: Exception) -> None:
        """Say so once; the error's text may hold what the server was told."""
        if not self._away:
            _log.warning(
                "the Redis server of MG_CLIENTS_CACHE_URL is away, and done without", extra={"error": type(error).__name__}
            )
        self._away = True

    def _note_back(self) -> None:
        if self._away:
            _log.info("the Redis server of MG_CLIENTS_CACHE_URL answers again")
        self._away = False
