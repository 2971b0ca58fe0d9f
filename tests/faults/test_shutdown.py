"""SIGTERM and SIGINT: what has begun is finished, what is written is kept, and it takes less than 10 s."""

import contextlib
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.conftest import authenticate
from tests.support.api import basic
from tests.support.callers import calling
from tests.support.database import rows, write_locked
from tests.support.disks import no_file_grows
from tests.support.inflight import wait_until_in_flight
from tests.support.raw import Raw, request
from tests.support.service import Service, started
from tests.support.waiting import PATIENCE

SIGNALS = [signal.SIGTERM, signal.SIGINT]


@contextlib.contextmanager
def stopping(service: Service, number: int = signal.SIGTERM) -> Iterator[None]:
    """The service has been told to stop and has said so; at the end it is gone, with code 0."""
    service.process.send_signal(number)
    service.wait_for("stopping")
    yield
    assert service.end() == 0
    assert service.lines[-1]["msg"] == "stopped"
    assert not [line for line in service.lines if line.get("level") == "ERROR" or "Traceback" in line["msg"]]


def test_it_ends_though_callers_keep_their_connections(tmp_path: Path) -> None:
    with started(tmp_path / "data") as service, calling(service) as (api, stub), Raw(service) as silent, Raw(service) as slow:
        client = api.create(name="kept")
        assert authenticate(stub, basic(client["id"], client["credentials"]["secret"])) == client["id"]
        slow.send(b"GET /health HTTP/1.1\r\nX-Half: ")
        with stopping(service, signal.SIGINT):
            assert silent.closed()
            assert slow.closed()


def test_it_waits_for_those_who_are_served_and_for_nobody_else(tmp_path: Path) -> None:
    """Of two that are told at the same time the one ends first that nobody has asked anything."""
    patient = {"MG_CLIENTS_HTTP_SERVER_READ_TIMEOUT": "1h"}
    with started(tmp_path / "idle") as idle, started(tmp_path / "busy", patient) as busy, Raw(idle), Raw(busy) as raw:
        raw.send(request(busy, "POST", "/d/clients", content_length="100"))
        wait_until_in_flight(busy, 1)
        for service in (busy, idle):
            service.process.terminate()
        assert idle.end() == 0
        assert busy.process.poll() is None
        assert busy.end() == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_request_in_flight_is_finished(tmp_path: Path, number: int) -> None:
    with started(tmp_path / "data") as service, Raw(service) as raw:
        whole = request(service, "POST", "/d/clients", b'{"name":"in flight"}')
        raw.send(whole[:-4])
        wait_until_in_flight(service, 1)
        with stopping(service, number):
            raw.send(whole[-4:])
            answer = raw.answer()
            assert answer.status == 201
            assert raw.closed()
        assert rows(service.data, "SELECT name FROM clients") == [("in flight",)]


def test_changes_that_wait_are_committed_and_answered(tmp_path: Path) -> None:
    with started(tmp_path / "data") as service, contextlib.ExitStack() as stack:
        with write_locked(service.data):
            raws = [stack.enter_context(Raw(service)) for _ in range(20)]
            for number, raw in enumerate(raws):
                raw.send(request(service, "POST", "/d/clients", b'{"name":"%d"}' % number))
            wait_until_in_flight(service, 20)
            service.process.terminate()
            service.wait_for("stopping")
        assert {raw.answer().status for raw in raws} == {201}
        assert service.end() == 0
        assert rows(service.data, "SELECT count(*) FROM clients") == [(20,)]


def test_callers_who_never_finish_are_told_but_not_waited_for(tmp_path: Path) -> None:
    """One stops within a body, one watches the health of the service."""
    told: list[Any] = []
    serving = threading.Event()

    def watch(channel: grpc.Channel) -> None:
        asked = health_pb2.HealthCheckRequest(service="clients")
        with contextlib.suppress(grpc.RpcError):
            for answer in health_pb2_grpc.HealthStub(channel).Watch(asked):
                told.append(answer.status)
                serving.set()

    patient = {"MG_CLIENTS_HTTP_SERVER_READ_TIMEOUT": "1h"}
    with started(tmp_path / "data", patient) as service, grpc.insecure_channel(service.grpc) as channel, Raw(service) as raw:
        watcher = threading.Thread(target=watch, args=(channel,))
        watcher.start()
        assert serving.wait(PATIENCE)
        raw.send(request(service, "POST", "/d/clients", content_length="100"))
        wait_until_in_flight(service, 1)
        service.process.terminate()
        assert service.end() == 0
        assert not [line for line in service.lines if "Traceback" in line["msg"]]
        watcher.join(PATIENCE)
    response = health_pb2.HealthCheckResponse
    assert told == [response.SERVING, response.NOT_SERVING]


def test_ready_says_no_while_it_stops(tmp_path: Path) -> None:
    """The answer waits for a probe write; when that is done the service has begun to stop."""
    with started(tmp_path / "data") as service, Raw(service) as raw:
        fail_once(service)
        with write_locked(service.data):
            raw.send(request(service, "GET", "/ready"))
            wait_until_in_flight(service, 1)
            service.process.terminate()
            service.wait_for("stopping")
        answer = raw.answer()
        assert answer.status == 503
        assert b'"status":"not ready"' in answer.body
        assert service.end() == 0


def test_all_is_in_the_one_file_afterwards(tmp_path: Path) -> None:
    with started(tmp_path / "data") as service, calling(service) as (api, _):
        created = [api.create(name=f"n{n}", metadata={"n": n})["id"] for n in range(50)]
        with stopping(service):
            pass
    log = tmp_path / "data" / "clients.db-wal"
    assert not log.exists() or log.stat().st_size == 0
    (tmp_path / "alone").mkdir()
    shutil.copy(tmp_path / "data" / "clients.db", tmp_path / "alone")
    assert sorted(row[0] for row in rows(tmp_path / "alone", "SELECT id FROM clients")) == sorted(created)
    assert rows(tmp_path / "alone", "PRAGMA integrity_check") == [("ok",)]


def test_a_second_signal_changes_nothing(tmp_path: Path) -> None:
    with started(tmp_path / "data") as service, Raw(service) as raw:
        whole = request(service, "POST", "/d/clients", b'{"name":"in flight"}')
        raw.send(whole[:-4])
        wait_until_in_flight(service, 1)
        with stopping(service):
            for number in (signal.SIGTERM, signal.SIGINT):
                service.process.send_signal(number)
            raw.send(whole[-4:])
            assert raw.answer().status == 201


def fail_once(service: Service) -> None:
    """Let one change fail, so that readiness is in doubt."""
    with no_file_grows(service), Raw(service) as raw:
        assert raw.send(request(service, "POST", "/d/clients", b"{}")).answer().status == 503
