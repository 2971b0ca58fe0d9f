"""What fails a million times leaves nothing that only the garbage collector could find: that runs rarely."""

import gc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from edgeclients._pb.clients.v1 import clients_pb2
from edgeclients.lane.calls import Call, CallFailed, Unary
from edgeclients.ops.metrics import Requests
from edgeclients.rpc import authenticate
from edgeclients.rpc.calls import Calls
from tests.support.api import basic
from tests.support.proving import proving

NONE = cast("Call", None)
TIMES = 20


async def at_once(method: Unary, message: bytes) -> None:
    assert method.at_once is not None
    method.at_once(message, NONE)


async def later(method: Unary, message: bytes) -> None:
    await method.later(message, NONE)


@pytest.mark.parametrize("ask", [at_once, later])
async def test_a_denial(tmp_path: Path, ask: Callable[[Unary, bytes], Awaitable[None]]) -> None:
    async with proving(tmp_path / "clients.db") as registry:
        known = await registry.create()
        method = authenticate.method(Calls(Requests(), 1), registry.authentication)
        token = basic(known.client.id, "00000000-aaaa-4bbb-8ccc-123456789012")
        message = clients_pb2.AuthnReq(token=token).SerializeToString()
        gc.collect()
        gc.disable()
        try:
            for _ in range(TIMES):
                with pytest.raises(CallFailed):
                    await ask(method, message)
            left = gc.collect()
        finally:
            gc.enable()
    assert left < TIMES
