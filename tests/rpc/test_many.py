"""A fleet that comes back all at once: nobody is turned away below the bound that says why (MG_CLIENTS_GRPC_MAX_REQUESTS)."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import grpc

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from tests.support.api import Api, basic
from tests.support.service import Service
from tests.support.waiting import PATIENCE

CONNECTIONS = 8
CALLS = 3000  # gRPC itself, left alone, begins to cancel some at 1000


async def test_thousands_of_calls_at_a_time_are_answered(service: Service) -> None:
    with Api(service) as api:
        client = api.create(name="everybody")
    request = clients_pb2.AuthnReq(token=basic(client["id"], client["credentials"]["secret"]))
    told: Counter[str] = Counter()

    async def call(stub: clients_pb2_grpc.ClientsServiceStub) -> None:
        try:
            told[(await stub.Authenticate(request, timeout=PATIENCE)).id] += 1
        except grpc.aio.AioRpcError as error:
            told[error.code().name] += 1

    async with AsyncExitStack() as stack:
        alone = [("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.aio.insecure_channel(service.grpc, alone) for _ in range(CONNECTIONS)]
        stubs = [clients_pb2_grpc.ClientsServiceStub(await stack.enter_async_context(one)) for one in channels]  # type: ignore[no-untyped-call]
        await asyncio.gather(*(call(stub) for _ in range(CALLS // CONNECTIONS) for stub in stubs))
    assert told == {client["id"]: CALLS}
