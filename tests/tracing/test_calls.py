"""gRPC calls as spans; an `Authenticate` that the cache answers is none."""

import contextlib
import secrets
import sys
import types
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from edgeclients._pb.common.v1 import common_pb2
from edgeclients.core.authn.authentication import Authentication
from edgeclients.lane.calls import Call, Unary
from edgeclients.ops.metrics import Requests
from edgeclients.ops.tracing import Tracing
from edgeclients.rpc import authenticate as on_bytes
from edgeclients.rpc.calls import Calls
from edgeclients.rpc.traced import TracedCalls
from tests.support.api import Api, basic
from tests.support.callers import calling
from tests.support.collector import collecting
from tests.support.database import write_locked
from tests.support.proving import proving
from tests.support.service import started
from tests.support.streams import metric
from tests.support.waiting import wait_until
from tests.tracing.conftest import Traced

NAME = "clients.v1.ClientsService"
AUTHENTICATE = f"{NAME}/Authenticate"


@pytest.fixture
def stub(traced: Traced) -> Iterator[clients_pb2_grpc.ClientsServiceStub]:
    with calling(traced.service) as (_, broker):
        yield broker


def within(trace: str) -> tuple[tuple[str, str], ...]:
    """Metadata of a call that belongs to a trace."""
    return (("traceparent", f"00-{trace}-{'5' * 16}-01"),)


def ask(stub: clients_pb2_grpc.ClientsServiceStub, token: str, trace: str) -> str:
    """The id behind a token."""
    return str(stub.Authenticate(clients_pb2.AuthnReq(token=token), metadata=within(trace)).id)


def test_a_call_goes_on_with_its_caller_s_trace(traced: Traced, caller: Api, stub: clients_pb2_grpc.ClientsServiceStub) -> None:
    trace = secrets.token_hex(16)
    client = caller.create(name="n")
    stub.RetrieveEntity(common_pb2.RetrieveEntityReq(id=client["id"]), metadata=within(trace))
    call = traced.collector.wait_for(f"{NAME}/RetrieveEntity", trace)
    assert (call.kind, call.parent, call.failed) == ("server", "5" * 16, False)
    assert call.attributes == {"rpc.system": "grpc", "rpc.grpc.status_code": 0}
    assert traced.collector.wait_for("SELECT client", trace).parent == call.id


def test_what_a_caller_did_wrong_is_no_fault(traced: Traced, stub: clients_pb2_grpc.ClientsServiceStub) -> None:
    unknown, malformed = secrets.token_hex(16), secrets.token_hex(16)
    with pytest.raises(grpc.RpcError):
        stub.RetrieveEntity(common_pb2.RetrieveEntityReq(id="nobody"), metadata=within(unknown))
    with grpc.insecure_channel(traced.service.grpc) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary(f"/{NAME}/RetrieveEntity")(b"\xff", metadata=within(malformed))
    for trace, code in ((unknown, grpc.StatusCode.NOT_FOUND), (malformed, grpc.StatusCode.INVALID_ARGUMENT)):
        call = traced.collector.wait_for(f"{NAME}/RetrieveEntity", trace)
        assert (call.attributes["rpc.grpc.status_code"], call.failed) == (code.value[0], False)


def test_changes_over_grpc_are_named(traced: Traced, caller: Api, stub: clients_pb2_grpc.ClientsServiceStub) -> None:
    trace = secrets.token_hex(16)
    stub.UnsetParentGroupFromClient(
        clients_pb2.UnsetParentGroupFromClientReq(parent_group_id=caller.domain), metadata=within(trace)
    )
    call = traced.collector.wait_for(f"{NAME}/UnsetParentGroupFromClient", trace)
    assert traced.collector.wait_for("Parents.forget_group", trace).parent == call.id


def test_a_call_that_its_caller_gave_up_is_told_as_that(traced: Traced, stub: clients_pb2_grpc.ClientsServiceStub) -> None:
    """What it had begun may go on."""
    trace = secrets.token_hex(16)
    forgetting = clients_pb2.UnsetParentGroupFromClientReq(parent_group_id=str(uuid.uuid4()))
    with write_locked(traced.service.data):
        call = stub.UnsetParentGroupFromClient.future(forgetting, metadata=within(trace))
        wait_until(lambda: metric(traced.service, "clients_grpc_requests_active") == 1, "the call to be under way")
        assert call.cancel()
        span = traced.collector.wait_for(f"{NAME}/UnsetParentGroupFromClient", trace)
    assert span.attributes["rpc.grpc.status_code"] == grpc.StatusCode.CANCELLED.value[0]
    assert not span.failed


@pytest.mark.parametrize("secret", ["", "chosen by a person"])
def test_what_the_cache_answers_is_no_span(tmp_path: Path, secret: str) -> None:
    """Everything was sent when the service has ended: there is the one that had to be proven, and nothing else."""
    traces = [secrets.token_hex(16) for _ in range(5)]
    with collecting() as collector:
        with started(tmp_path / "data", {"MG_JAEGER_URL": collector.url}) as service, calling(service) as (api, stub):
            client = api.create(name="n", credentials={"secret": secret} if secret else {})
            token = basic(client["id"], secret or client["credentials"]["secret"])
            for trace in traces:
                assert ask(stub, token, trace) == client["id"]
        (proven,) = collector.named(AUTHENTICATE)
        assert (proven.trace, proven.parent, proven.failed) == (traces[0], "5" * 16, False)
        assert {span.parent for span in collector.spans if span.trace == traces[0]} == {"5" * 16, proven.id}
        assert not {span.trace for span in collector.spans} & set(traces[1:])


def test_a_denial_is_no_fault(traced: Traced, caller: Api, stub: clients_pb2_grpc.ClientsServiceStub) -> None:
    trace = secrets.token_hex(16)
    client = caller.create(name="n")
    with pytest.raises(grpc.RpcError):
        ask(stub, basic(client["id"], "00000000-aaaa-4bbb-8ccc-123456789012"), trace)
    span = traced.collector.wait_for(AUTHENTICATE, trace)
    assert (span.attributes["rpc.grpc.status_code"], span.failed) == (grpc.StatusCode.PERMISSION_DENIED.value[0], False)


def _method(authentication: Authentication, traced: TracedCalls | None) -> Unary:
    return on_bytes.method(Calls(Requests(), 1), authentication, traced)


async def _answer(method: Unary, message: bytes, call: Call) -> bytes:
    """The answer of a method, as a server asks for it."""
    assert method.at_once is not None
    return method.at_once(message, call) or await method.later(message, call)


@pytest.mark.source_only("it calls parts of the program, without the program")
async def test_a_hit_runs_nothing_of_tracing(tmp_path: Path) -> None:
    """Function by function, it is what it is without; of a miss the same look shows that it would be seen."""
    with collecting() as collector:
        tracing = Tracing(collector.url, 1.0, "gateway-7")
        async with proving(tmp_path / "clients.db") as registry:
            known = await registry.create()
            message = clients_pb2.AuthnReq(token=basic(known.client.id, known.secret)).SerializeToString()
            ran = []
            for calls in (None, TracedCalls(NAME, tracing)):
                method = _method(registry.authentication, calls)
                await _answer(method, message, cast("Call", Silent()))
                with running() as files:
                    await _answer(method, message, cast("Call", Unasked()))
                ran.append(files)
            other = await registry.create()
            message = clients_pb2.AuthnReq(token=basic(other.client.id, other.secret)).SerializeToString()
            method = _method(registry.authentication, TracedCalls(NAME, tracing))
            with running() as missed:
                await _answer(method, message, cast("Call", Silent()))
        await tracing.close(10)
    assert ran[0] == ran[1]
    assert not [one for one in ran[1] if "opentelemetry" in one or "trac" in one]
    assert [one for one in missed if "opentelemetry" in one]
    assert [span.name for span in collector.spans] == [AUTHENTICATE]


@contextlib.contextmanager
def running() -> Iterator[list[str]]:
    """Every Python function that is called meanwhile, in order; this one's own end not counted."""
    called: list[str] = []

    def note(frame: types.FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_globals["__name__"] not in {__name__, "contextlib"}:
            called.append(f"{frame.f_globals['__name__']}.{frame.f_code.co_qualname}")

    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)


class Unasked:
    """A call of which nothing may be asked."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


class Silent(Unasked):
    """The same of a call without headers."""

    fields = ()
