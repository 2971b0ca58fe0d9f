"""`ports.EventSink`: Redis Streams."""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgeclients.errors import NotSent, StartError

if TYPE_CHECKING:
    from redis.asyncio import Redis

_log = logging.getLogger(__name__)

STREAM_ENTRIES = 1_000_000  # about as many are kept of each stream (contract 10.1)
_SOCKET_SECONDS = 5.0
_SEND_SECONDS = 10.0  # for a whole batch, whatever a half-open connection does


class RedisStreams:
    """Streams of a Redis server.

    Args:
        redis: the server.
    """

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    async def send(self, entries: Sequence[tuple[str, bytes]]) -> None:  # noqa: D102 - see ports.EventSink, here and below
        from redis import exceptions

        try:
            async with asyncio.timeout(_SEND_SECONDS), self._redis.pipeline(transaction=True) as pipeline:
                for key, data in entries:
                    pipeline.xadd(key, {"data": data}, maxlen=STREAM_ENTRIES, approximate=True)
                await pipeline.execute()
        except (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError) as error:
            raise NotSent("denied", type(error).__name__) from error
        except (exceptions.TimeoutError, TimeoutError) as error:
            raise NotSent("timed_out", type(error).__name__) from error
        except (exceptions.ConnectionError, OSError) as error:
            raise NotSent("unreachable", str(error)) from error
        except exceptions.RedisError as error:
            # What a server says of a command may repeat the command, and an event is in it.
            raise NotSent("refused", type(error).__name__) from error

    async def close(self) -> None:  # noqa: D102
        await self._redis.aclose()


def connect(url: str) -> RedisStreams:
    """The streams of the server at `url`; nothing is asked of it yet.

    Raises:
        StartError: the package `redis` is not installed.
    """
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        raise StartError('sending events to Redis needs a package more: pip install "edgeclients[cloud]"') from error
    redis = Redis.from_url(
        url,
        client_name="edgeclients-events",
        protocol=2,  # any server speaks it
        socket_timeout=_SOCKET_SECONDS,
        socket_connect_timeout=_SOCKET_SECONDS,
        retry=Retry(NoBackoff(), 0),  # the relay knows better when to try again
        max_connections=1,
    )
    return RedisStreams(redis)
