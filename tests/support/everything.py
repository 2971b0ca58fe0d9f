"""A service with all that can be set besides an Auth service."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.cloud.server import Cloud as Neighbours
from tests.support.cloud.world import World
from tests.support.collector import collecting
from tests.support.on_postgres import cloud_on
from tests.support.postgres import Server
from tests.support.redis import RedisServer
from tests.support.service import Service, started


class Everything(NamedTuple):
    """The service, and the server of its cache and its events."""

    service: Service
    redis: RedisServer


@contextlib.contextmanager
def with_everything(postgres: Server, folder: Path) -> Iterator[Everything]:
    """A process in the cloud with a shared cache, events, traces and a service that it asks; `folder` is for its files."""
    with (
        cloud_on(postgres, folder) as cloud,
        RedisServer() as redis,
        Neighbours(World()) as neighbours,
        collecting() as collector,
    ):
        env = {
            "MG_CLIENTS_CACHE_URL": redis.address,
            "MG_CLIENTS_ES_URL": redis.address,
            "MG_GROUPS_GRPC_URL": neighbours.address,
            "MG_JAEGER_URL": collector.url,
        }
        with started(folder / "none", {**cloud.env, **env}) as service:
            yield Everything(service, redis)
