"""What systemd hears of a service with `Type=notify`, at a socket of the test's own."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from edgeclients.store.postgres.migration import _LOCK
from tests.support import asking
from tests.support.commands import run
from tests.support.notified import Notified
from tests.support.on_postgres import Cloud, held
from tests.support.program import PROGRAM
from tests.support.service import Service, started
from tests.support.terminals import WITHOUT

STATES = ("READY", "RELOADING", "STOPPING")
PERIOD = 0.5  # seconds within which a ping has to come
WORKERS = {"MG_CLIENTS_WORKERS": "2", "MG_CLIENTS_DB_MAX_CONNECTIONS": "5"}


@pytest.fixture
def notified(tmp_path: Path) -> Iterator[Notified]:
    with Notified(tmp_path) as listening:
        yield listening


def serves(service: Service) -> bool:
    """Whether both ports answer."""
    with grpc.insecure_channel(service.grpc) as channel:
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=60)
    return (
        asking.get(f"{service.http}/ready").status_code == httpx.codes.OK
        and health.status == health_pb2.HealthCheckResponse.SERVING
    )


@pytest.fixture(params=["gateway", "cloud", "workers"])
def storage(request: pytest.FixtureRequest) -> dict[str, str]:
    """What a service is told of its storage."""
    if request.param == "gateway":
        return {}
    cloud: Cloud = request.getfixturevalue("cloud")
    return {**cloud.env, **(WORKERS if request.param == "workers" else {})}


@pytest.mark.parametrize("abstract", [False, True])
def test_the_states_are_told_in_order(storage: dict[str, str], abstract: bool, tmp_path: Path) -> None:
    with Notified(None if abstract else tmp_path) as notified:
        service = Service.launch(tmp_path / "data", {**storage, **notified.env()}, WITHOUT)
        try:
            ready = notified.wait_for("READY")
            service.wait_ready()
            assert serves(service)
            assert service.http in ready["STATUS"]
            assert service.grpc in ready["STATUS"]
            service.process.send_signal(signal.SIGHUP)
            reloading = notified.wait_for("RELOADING")
            assert int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
            assert "reloading" in reloading["STATUS"]
            assert notified.wait_for("READY") == ready
            for _ in range(int(storage.get("MG_CLIENTS_WORKERS", "1"))):
                service.wait_for("certificates and keys reloaded")
        finally:
            assert service.stop() == 0
        assert notified.wait_for("STOPPING")["STATUS"] == "stopping"
        assert notified.told(*STATES) == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
        assert notified.messages[0].fields == {"STATUS": "starting"}
        assert {one.sender for one in notified.messages} == {service.process.pid}


def test_children_do_not_inherit_the_socket(cloud: Cloud, notified: Notified, tmp_path: Path) -> None:
    with started(tmp_path / "data", {**cloud.env, **WORKERS, **notified.env(PERIOD)}) as service:
        workers = psutil.Process(service.process.pid).children()
        assert workers
        for worker in workers:
            assert "NOTIFY_SOCKET" not in worker.environ()


def test_a_start_that_fails_tells_why(notified: Notified, tmp_path: Path) -> None:
    with started(tmp_path / "data"):
        ended = run("serve", data=tmp_path / "data", env=notified.env())
    assert ended.code == 1
    assert "in use by another edgeclients" in notified.wait_for("STATUS", "in use")["STATUS"]
    assert notified.told(*STATES) == []


def test_a_storage_that_cannot_be_written_is_not_ready(notified: Notified, tmp_path: Path) -> None:
    with started(tmp_path / "data"):
        pass
    command = ["prlimit", "--fsize=1", *PROGRAM, "serve"]
    service = Service.launch(tmp_path / "data", notified.env(), command)
    assert service.end() == 1
    notified.wait_for("STATUS", "cannot be")
    assert notified.told(*STATES) == []


def test_a_stop_before_it_is_ready(cloud: Cloud, notified: Notified, tmp_path: Path) -> None:
    with held(cloud, _LOCK):
        service = Service.launch(tmp_path / "data", {**cloud.env, **notified.env()})
        service.wait_for("another edgeclients starts on this database: waiting for it")
        assert service.stop() == 0
    notified.wait_for("STOPPING")
    assert notified.told(*STATES) == ["STOPPING=1"]


def test_nobody_listens(tmp_path: Path) -> None:
    """A service that cannot tell anyone serves all the same, and logs it once."""
    with started(tmp_path / "data", {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1000"}) as service:
        assert serves(service)
        assert service.stop() == 0
    (line,) = [line for line in service.lines if line["msg"] == "systemd cannot be notified"]
    assert line["level"] == "ERROR"
