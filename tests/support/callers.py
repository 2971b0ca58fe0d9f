"""Callers over both wires."""

import contextlib
from collections.abc import Iterator

import grpc

from edgeclients._pb.clients.v1 import clients_pb2_grpc
from tests.support.api import Api
from tests.support.service import Service


@contextlib.contextmanager
def calling(service: Service) -> Iterator[tuple[Api, clients_pb2_grpc.ClientsServiceStub]]:
    """An operator in a domain of their own, and a broker."""
    with Api(service) as api, grpc.insecure_channel(service.grpc) as channel:
        yield api, clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
