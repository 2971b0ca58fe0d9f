"""Connections to a Redis server over TLS, each with the certificates and keys of its time."""

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis.asyncio import Redis


def follow(redis: "Redis", current: Callable[[], ssl.SSLContext]) -> None:
    """Have each connection that `redis` makes from now on take what `current` gives then; redis-py keeps what it read first."""
    from redis.asyncio.connection import RedisSSLContext, SSLConnection

    class Current(RedisSSLContext):
        def get(self) -> ssl.SSLContext:
            return current()

    class Connection(SSLConnection):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.ssl_context = Current()

    redis.connection_pool.connection_class = Connection
