"""The loop that takes gRPC calls has ended, for whatever reason: it begins again, or the process ends."""

import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from tests.support import asking
from tests.support.api import Api, basic
from tests.support.service import Service, started
from tests.support.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.source_only("a fault is put into the program")


def breaking(how: str) -> list[str]:
    return [sys.executable, "-m", "tests.support.breaking", how]


def _denied(stub: Any) -> bool:
    """Whether a call is answered; it may be lost while nobody takes calls."""
    try:
        stub.Authenticate(clients_pb2.AuthnReq(token="nobody"), timeout=PATIENCE)
    except grpc.RpcError as error:
        failed: Any = error
        return bool(failed.code() is grpc.StatusCode.PERMISSION_DENIED)
    raise AssertionError("nobody was let in")


def _served_again(service: Service, stub: Any, times: int) -> bool:
    _denied(stub)  # the next call may be what ends it
    return _told(service, "gRPC server restarted") == times


def _told(service: Service, message: str) -> int:
    return sum(line.get("msg") == message for line in service.lines)


@pytest.mark.parametrize("how", ["cancelled", "failing"])
def test_calls_are_answered_again_on_the_same_port(tmp_path: Path, how: str) -> None:
    with started(tmp_path / "data", command=breaking(how)) as service, grpc.insecure_channel(service.grpc) as channel:
        stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
        with Api(service) as api:
            client = api.create()
        for times in range(1, 4):
            assert _denied(stub)
            service.process.send_signal(signal.SIGWINCH)
            wait_until(partial(_served_again, service, stub, times), "another beginning")
            assert _told(service, "gRPC server ended, restarting") == times
            wait_until(lambda: _denied(stub), "an answer")
            health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="clients"))
            assert health.status == health_pb2.HealthCheckResponse.SERVING
            response = asking.get(f"{service.http}/ready")
            assert (response.status_code, response.json()["grpc"]) == (200, "serving")
        request = clients_pb2.AuthnReq(token=basic(client["id"], client["credentials"]["secret"]))
        assert stub.Authenticate(request, timeout=PATIENCE).id == client["id"]
        assert service.stop() == 0


def test_a_process_that_cannot_serve_again_says_so_and_ends(tmp_path: Path) -> None:
    service = Service.launch(tmp_path / "data", command=breaking("for_good")).wait_ready()
    try:
        service.process.send_signal(signal.SIGWINCH)
        service.wait_for("gRPC server ended, restarting")
        response = asking.get(f"{service.http}/ready")
        assert (response.status_code, response.json()["grpc"]) == (503, "not serving")
        port = service.grpc.rpartition(":")[2]
        assert service.end() == 1
        (line,) = (line for line in service.lines if f":{port} again" in line.get("msg", ""))
        assert line["level"] == "ERROR"
        assert "exception" not in line
    finally:
        if service.process.poll() is None:
            service.kill()


def test_a_process_that_serves_only_to_end_again_says_so_and_ends(tmp_path: Path) -> None:
    service = Service.launch(tmp_path / "data", command=breaking("ever_again")).wait_ready()
    try:
        service.process.send_signal(signal.SIGWINCH)
        assert service.end() == 1
        assert _told(service, "gRPC server restarted") > 3
        assert _told(service, "gRPC server keeps ending (CancelledError)") == 1
    finally:
        if service.process.poll() is None:
            service.kill()
