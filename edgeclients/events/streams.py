"""`ports.EventSink` with Redis Streams."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from typing_extensions import override

from edgeclients.acl import missing
from edgeclients.errors import NotSent, StartError
from edgeclients.events.entries import PREFIX
from edgeclients.ports import EventSink
from edgeclients.redis_tls import follow

if TYPE_CHECKING:
    from redis.asyncio import Connection, Redis

_NAME = "edgeclients-events"
STREAM_ENTRIES = 1_000_000  # the approximate length of each stream (schema/README.md#event-streams)
_SOCKET_SECONDS = 5.0
_CLOSE_SECONDS = 1.0
_SEND_SECONDS = 10.0  # for a whole batch, even on a half-open connection


class RedisStreams(EventSink):
    """Streams of a Redis server.

    Args:
        redis: the server.
    """

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    @override
    async def send(self, entries: Sequence[tuple[str, bytes]]) -> None:
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(_SEND_SECONDS), self._redis.pipeline(transaction=True) as pipeline:
                for key, data in entries:
                    pipeline.xadd(key, {"data": data}, maxlen=STREAM_ENTRIES, approximate=True)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            await self.close()  # a late answer must not reach the next attempt, which uses a new connection
            raise _not_sent(error) from error

    @override
    async def close(self) -> None:
        from redis.exceptions import RedisError

        with contextlib.suppress(RedisError, OSError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._redis.connection_pool.disconnect()


def _not_sent(error: Exception) -> NotSent:
    from redis import exceptions

    if right := missing(error, f"{PREFIX}*"):
        return NotSent("denied", f"the right {right} is missing")
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
        return NotSent("denied", type(error).__name__)
    if isinstance(error, exceptions.TimeoutError | TimeoutError):
        return NotSent("timed_out", type(error).__name__)
    if isinstance(error, exceptions.ConnectionError | OSError):
        return NotSent("unreachable", str(error))
    # A server's error text may repeat the command, which contains an event.
    return NotSent("refused", type(error).__name__)


async def _begin(connection: "Connection") -> None:
    """Authenticate, and set the connection's name where that is allowed; nothing depends on the name."""
    from redis.exceptions import ResponseError

    await connection.on_connect()
    with contextlib.suppress(ResponseError):
        await connection.send_command("CLIENT", "SETNAME", _NAME)
        await connection.read_response()


def connect(url: str, tls: Callable[[], ssl.SSLContext] | None = None) -> RedisStreams:
    """The streams of the server at `url`; connects on first use.

    Args:
        url: the URL of the server.
        tls: returns the TLS context for a new connection; None: it is made from `url`.

    Raises:
        StartError: the package `redis` is not installed.
    """
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        raise StartError('sending events to Redis needs an additional package: pip install "edgeclients[cloud]"') from error
    redis = Redis.from_url(
        url,
        redis_connect_func=_begin,
        protocol=2,  # every server supports it
        socket_timeout=_SOCKET_SECONDS,
        socket_connect_timeout=_SOCKET_SECONDS,
        retry=Retry(NoBackoff(), 0),  # the relay retries itself
        max_connections=1,
    )
    if tls is not None:
        follow(redis, tls)
    return RedisStreams(redis)
