"""Reflection, as grpcurl, ghz and Postman use it, in the version that each of them knows."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection_pb2

from tests.support.service import Service

SERVICES = {
    "clients.v1.ClientsService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
}
SYMBOLS = {
    "clients.v1.ClientsService": "clients/v1/clients.proto",
    "clients.v1.ClientsService.Authenticate": "clients/v1/clients.proto",
    "clients.v1.ClientsService.RetrieveEntity": "clients/v1/clients.proto",
    "clients.v1.AuthnReq": "clients/v1/clients.proto",
    "clients.v1.AuthnReq.token": "clients/v1/clients.proto",
    "common.v1.Connection": "common/v1/common.proto",
    "grpc.health.v1.Health.List": "grpc_health/v1/health.proto",
    "grpc.health.v1.HealthCheckResponse.ServingStatus": "grpc_health/v1/health.proto",
    "grpc.health.v1.HealthCheckResponse.SERVING": "grpc_health/v1/health.proto",
    "grpc.reflection.v1.ServerReflection": "grpc/reflection/v1/reflection.proto",
    "grpc.reflection.v1.ServerReflection.ServerReflectionInfo": "grpc/reflection/v1/reflection.proto",
    "grpc.reflection.v1.ServerReflectionRequest": "grpc/reflection/v1/reflection.proto",
}

Request = reflection_pb2.ServerReflectionRequest
Ask: TypeAlias = Callable[..., list[Any]]


@pytest.fixture(params=["v1", "v1alpha"])
def ask(request: pytest.FixtureRequest, service: Service) -> Iterator[Ask]:
    """The messages of both versions are the same on the wire."""
    with grpc.insecure_channel(service.grpc) as channel:
        info = channel.stream_stream(
            f"/grpc.reflection.{request.param}.ServerReflection/ServerReflectionInfo",
            request_serializer=Request.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        yield lambda *requests: list(info(iter(requests)))


def test_services(ask: Ask) -> None:
    (answer,) = ask(Request(list_services=""))
    assert {one.name for one in answer.list_services_response.service} == SERVICES


def test_symbols_of_every_kind_in_one_stream(ask: Ask) -> None:
    answers = ask(*(Request(file_containing_symbol=symbol) for symbol in SYMBOLS))
    files = [
        FileDescriptorProto.FromString(answer.file_descriptor_response.file_descriptor_proto[0]).name for answer in answers
    ]
    assert dict(zip(SYMBOLS, files, strict=True)) == SYMBOLS


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_is_told_is_whole(ask: Ask, name: str) -> None:
    """A pool that knows nothing else can make the service of it."""
    (answer,) = ask(Request(file_containing_symbol=name))
    pool = DescriptorPool()
    for content in reversed(answer.file_descriptor_response.file_descriptor_proto):
        pool.AddSerializedFile(content)
    assert pool.FindServiceByName(name).methods


@pytest.mark.parametrize(
    "symbol", ["", ".", "nope", "clients.v1.Nope", "clients.v1.ClientsService.Nope", "clients.v1.ClientsService.", "clients.v1"]
)
def test_what_is_not_there(ask: Ask, symbol: str) -> None:
    (answer,) = ask(Request(file_containing_symbol=symbol))
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
