"""Servers that events are sent to."""

from collections.abc import Iterator

import pytest

from tests.support.redis import RedisServer


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """An empty server."""
    with RedisServer() as server:
        yield server
