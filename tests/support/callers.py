"""Callers over both wires."""

import contextlib
from collections.abc import Iterator

import grpc

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from tests.support.api import Api, basic, error_of
from tests.support.service import Service

_CHOSEN = "chosen by a person"


@contextlib.contextmanager
def calling(service: Service) -> Iterator[tuple[Api, clients_pb2_grpc.ClientsServiceStub]]:
    """An operator in a domain of their own, and a broker."""
    with Api(service) as api, grpc.insecure_channel(service.grpc) as channel:
        yield api, clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]


def use(service: Service) -> None:
    """Let happen what a service counts: calls that succeed and calls that do not, over both wires. It creates two clients."""
    with calling(service) as (api, stub):
        made, chosen = api.create(), api.create(credentials={"secret": _CHOSEN})
        for token in (basic(made["id"], made["credentials"]["secret"]), basic(chosen["id"], _CHOSEN)) * 2:
            assert stub.Authenticate(clients_pb2.AuthnReq(token=token)).authenticated
        for token in ("no token", basic(made["id"], _CHOSEN)):
            with contextlib.suppress(grpc.RpcError):
                stub.Authenticate(clients_pb2.AuthnReq(token=token))
                raise AssertionError("that is nobody's token")
        assert api.listed()
        assert error_of(api.request("GET", "/clients/nobody")) == (404, "not_found")
        wrong = {"Authorization": "Bearer wrong"}
        assert error_of(api.request("GET", "/clients", headers=wrong)) == (401, "unauthenticated")
