"""Hints of other processes, where the package that speaks with Redis is in the way."""

import asyncio
import contextlib
from typing import Any, cast

from redis.asyncio import Redis

from edgeclients.cache.hints import Hints
from edgeclients.cache.shared import SharedTokenCache
from edgeclients.model import Effects
from tests.support.waiting import PATIENCE, come_true


class Losing:
    """A Redis to which nothing can be sent, and on the way a cancellation is lost, as by `asyncio.wait_for` of Python 3.11."""

    def __init__(self) -> None:
        self.sending = asyncio.Event()

    async def publish(self, *_: object) -> None:
        self.sending.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        raise ConnectionError

    def pubsub(self) -> Any:
        raise ConnectionError


async def test_they_end_though_a_cancellation_is_lost() -> None:
    redis = Losing()
    hints = Hints(cast("Redis", redis), bytes(32), SharedTokenCache(60, 10, lambda: 0), lambda: None, "a store", b"sender")
    hints.start()
    hints.publish(Effects(granted=True))
    async with asyncio.timeout(PATIENCE):
        await redis.sending.wait()
        await hints.close()


class Channel:
    """A subscription that breaks while it is asked whether it lives."""

    def __init__(self) -> None:
        self.begun = 0
        self.pinging = asyncio.Event()

    async def __aenter__(self) -> "Channel":
        self.begun += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self.pinging.clear()

    async def subscribe(self, _: str) -> None:
        pass

    async def ping(self) -> None:
        self.pinging.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async def get_message(self, timeout: float) -> None:
        await self.pinging.wait()
        raise ConnectionError


async def test_they_listen_anew_though_a_cancellation_is_lost() -> None:
    redis = Losing()
    channel = Channel()
    redis.pubsub = lambda: channel  # type: ignore[method-assign]
    hints = Hints(cast("Redis", redis), bytes(32), SharedTokenCache(60, 10, lambda: 0), lambda: None, "a store", b"sender")
    hints.start()

    async def again() -> bool:
        return channel.begun > 2

    await come_true(again, "another subscription")
    await hints.close()
