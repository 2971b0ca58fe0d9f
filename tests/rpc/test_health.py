"""`grpc.health.v1` of the whole server, and by the names that callers know its service by."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.service import Service

NAMES = ("", "clients", "clients.v1.ClientsService")
SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.fixture
def health(service: Service) -> Iterator[Any]:
    with grpc.insecure_channel(service.grpc) as channel:
        yield health_pb2_grpc.HealthStub(channel)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_served(health: Any, name: str) -> None:
    assert health.Check(health_pb2.HealthCheckRequest(service=name)).status == SERVING


@pytest.mark.parametrize("name", ["nope", "clients.v1", "clients.v1.ClientsService.Authenticate", "grpc.health.v1.Health"])
def test_what_is_not_there(health: Any, name: str) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        health.Check(health_pb2.HealthCheckRequest(service=name))
    error: Any = failed.value
    assert error.code() is grpc.StatusCode.NOT_FOUND


def test_all_of_it(health: Any) -> None:
    statuses = health.List(health_pb2.HealthListRequest()).statuses
    assert {name: answer.status for name, answer in statuses.items()} == dict.fromkeys(NAMES, SERVING)


@pytest.mark.parametrize(("name", "status"), [("clients", SERVING), ("nope", health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)])
def test_watching_begins_with_how_it_is(health: Any, name: str, status: int) -> None:
    """How it ends is told in tests/faults/test_shutdown.py."""
    watch = health.Watch(health_pb2.HealthCheckRequest(service=name))
    assert next(watch).status == status
    watch.cancel()
