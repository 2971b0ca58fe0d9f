"""TLS connections to a Redis server that use the current certificates and keys."""

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis.asyncio import Redis


def follow(redis: "Redis", current: Callable[[], ssl.SSLContext]) -> None:
    """Make each new connection of `redis` use the result of `current` at that time; redis-py keeps what it read first."""
    from redis.asyncio.connection import RedisSSLContext, SSLConnection

    class Current(RedisSSLContext):
        def get(self) -> ssl.SSLContext:
            return current()

    class Connection(SSLConnection):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.ssl_context = Current()

    redis.connection_pool.connection_class = Connection
