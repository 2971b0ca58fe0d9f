"""A fleet that comes back all at once: nobody is turned away below the bound that says why (MG_CLIENTS_GRPC_MAX_REQUESTS)."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import grpc

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from tests.support.api import Api, basic
from tests.support.http2 import Http2, fields
from tests.support.service import Service, started
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


async def test_past_the_bound_it_is_said_and_who_has_sent_nothing_does_not_count(tmp_path: Path) -> None:
    bound = {"MG_CLIENTS_GRPC_MAX_REQUESTS": "1"}
    with started(tmp_path / "data", bound) as service, Api(service) as api, Http2(service.grpc) as silent:
        client = api.create()
        # Chosen secrets, which are hashed slowly: while one is, the other calls come.
        chosen = [{"credentials": {"secret": f"open sesame {number}"}} for number in range(10)]
        slow = api.request("POST", "/clients/bulk", json=chosen).json()["clients"]
        for _ in range(3):
            silent.call(fields(), end=False)
        async with grpc.aio.insecure_channel(service.grpc) as channel:
            stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
            right = clients_pb2.AuthnReq(token=basic(client["id"], client["credentials"]["secret"]))
            assert (await stub.Authenticate(right)).id == client["id"]
            wrong = [clients_pb2.AuthnReq(token=basic(one["id"], "not that one")) for one in slow]
            errors = await asyncio.gather(*(stub.Authenticate(one) for one in wrong), return_exceptions=True)
            told = Counter(error.code() for error in errors if isinstance(error, grpc.aio.AioRpcError))
            assert set(told) == {grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.RESOURCE_EXHAUSTED}
            assert (await stub.Authenticate(right)).id == client["id"]
