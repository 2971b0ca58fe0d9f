"""Several processes of one service on one host: one address, one supervisor, none missed for long (MG_CLIENTS_WORKERS)."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import httpx
import psutil
import pytest

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from tests.support import asking
from tests.support.api import Api, basic
from tests.support.commands import refused
from tests.support.listening import V4, families, just_used, let_in, listening
from tests.support.on_postgres import TOKEN, Cloud
from tests.support.service import Service, started
from tests.support.waiting import PATIENCE, wait_until

WORKERS = 3
CONNECTIONS = 60  # of each kind: that none of them reaches one of three listeners has a chance of 1 in 10^10


@pytest.fixture
def env(cloud: Cloud) -> dict[str, str]:
    return {**cloud.env, "MG_CLIENTS_WORKERS": str(WORKERS), "MG_CLIENTS_DB_MAX_CONNECTIONS": "5"}


@pytest.fixture
def service(env: dict[str, str], tmp_path: Path) -> Iterator[Service]:
    with started(tmp_path / "data", env) as running:
        yield running


@pytest.fixture
def api(service: Service) -> Iterator[Api]:
    with Api(service, token=TOKEN) as caller:
        yield caller


def _workers(service: Service) -> list[psutil.Process]:
    return [child for child in psutil.Process(service.process.pid).children() if child.status() != psutil.STATUS_ZOMBIE]


def _answers(service: Service) -> bool:
    """On a connection of its own."""
    try:
        return asking.get(f"{service.http}/health").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _let_in(service: Service, token: str) -> set[bool]:
    """What the workers say of a token: the answers on many connections."""
    found = set()
    for _ in range(CONNECTIONS):
        options = [("grpc.use_local_subchannel_pool", 1)]  # each a connection of its own
        with grpc.insecure_channel(service.grpc, options) as channel:
            stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
            try:
                found.add(bool(stub.Authenticate(clients_pb2.AuthnReq(token=token)).authenticated))
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
                    raise
                found.add(False)
    return found


def _misses(service: Service) -> str:
    """What the worker that answers says of the tokens it has looked up."""
    lines = asking.get(f"{service.http}/metrics").text.splitlines()
    (found,) = (line for line in lines if line.startswith("clients_authenticate_misses_total"))
    return found


def test_each_worker_answers_on_the_same_two_ports(service: Service, api: Api) -> None:
    assert len(_workers(service)) == WORKERS == service.ready["workers"]
    client = api.create()
    token = basic(client["id"], client["credentials"]["secret"])
    assert _let_in(service, token) == {True}
    for worker in _workers(service):
        ports = {one.laddr.port for one in worker.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
        assert ports == {urlsplit(service.http).port, int(service.grpc.rpartition(":")[2])}
    assert {_misses(service) for _ in range(CONNECTIONS)} == {"clients_authenticate_misses_total 1.0"}  # each looked it up once
    assert len({asking.get(f"{service.http}/health").json()["instance_id"] for _ in range(20)}) == 1
    lines = [line["msg"] for line in service.lines if line["msg"].endswith("ready")]
    assert lines == ["worker ready"] * WORKERS + ["ready"]


def test_what_one_takes_away_is_dead_at_all(service: Service, api: Api) -> None:
    client = api.create()
    token = basic(client["id"], client["credentials"]["secret"])
    assert _let_in(service, token) == {True}
    assert api.request("POST", f"/clients/{client['id']}/disable").status_code == httpx.codes.OK
    wait_until(lambda: _let_in(service, token) == {False}, "it is denied by all of them")


def test_a_worker_that_is_killed_is_replaced_and_the_others_go_on(service: Service, api: Api) -> None:
    before = _workers(service)
    before[0].kill()
    said = service.wait_for("a worker has ended and is restarted")
    assert (said["level"], said["ended_with"], said["seconds"]) == ("ERROR", "SIGKILL", 1.0)
    assert all(_answers(service) for _ in range(CONNECTIONS))
    service.wait_for("worker ready")
    after = _workers(service)
    assert len(after) == WORKERS
    assert set(before[1:]) < set(after)
    assert api.create()["id"]


def test_a_stop_stops_all(service: Service) -> None:
    workers = _workers(service)
    assert service.stop() == 0
    assert not any(worker.is_running() for worker in workers)
    assert [line["msg"] for line in service.lines].count("stopped") == WORKERS + 1


def test_interrupting_the_whole_group_stops_all(env: dict[str, str], tmp_path: Path) -> None:
    """As Ctrl-C at a terminal does, and as systemd stops a unit."""
    with started(tmp_path / "data", env) as service:
        workers = _workers(service)
        for process in (*workers, psutil.Process(service.process.pid)):
            process.send_signal(signal.SIGINT)
        assert service.end() == 0
        assert not any(worker.is_running() for worker in workers)


def test_workers_do_not_outlive_their_supervisor(service: Service) -> None:
    workers = _workers(service)
    os.kill(service.process.pid, signal.SIGKILL)
    assert psutil.wait_procs(workers, timeout=PATIENCE)[1] == []
    service.end()


def test_what_a_worker_cannot_start_with_ends_all_with_its_line(env: dict[str, str], tmp_path: Path) -> None:
    ended = refused(tmp_path / "data", {**env, "MG_CLIENTS_DB_NAME": "no_such_database"})
    assert ended.code == 1
    assert "has no database 'no_such_database'" in ended.line
    assert "worker 1: exit code 1 before it was ready" in ended.out


def test_a_port_that_is_taken_is_an_error(env: dict[str, str], service: Service, tmp_path: Path) -> None:
    """By workers, too, who share it among themselves only."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = {"MG_CLIENTS_GRPC_PORT": str(taken.getsockname()[1])}
        assert "cannot listen on localhost" in refused(tmp_path / "other", {**env, **given}).line
    for variable, port in (("HTTP", urlsplit(service.http).port), ("GRPC", service.grpc.rpartition(":")[2])):
        for workers in ("1", "2"):
            given = {f"MG_CLIENTS_{variable}_PORT": str(port), "MG_CLIENTS_WORKERS": workers}
            assert f"set MG_CLIENTS_{variable}_PORT" in refused(tmp_path / "other", {**env, **given}).line


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_they_listen_on_the_addresses_that_one_would(env: dict[str, str], tmp_path: Path, host: str) -> None:
    """Whichever of them comes first, and after a connection of the other family."""
    http, grpc = just_used(), just_used()
    hosts = {"MG_CLIENTS_HTTP_HOST": host, "MG_CLIENTS_GRPC_HOST": host}
    given = {"MG_CLIENTS_HTTP_PORT": str(http), "MG_CLIENTS_GRPC_PORT": str(grpc), "MG_CLIENTS_WORKERS": "6"}
    with started(tmp_path / "data", {**env, **hosts, **given, "MG_CLIENTS_DB_MAX_CONNECTIONS": "3"}) as service:
        written = "[::]" if host == "::" else host
        assert (service.http, service.grpc) == (f"http://{written}:{http}", f"{written}:{grpc}")
        assert let_in(http) == let_in(grpc) == ({V4} if host == "0.0.0.0" else families())
        for port in (http, grpc):
            assert len({frozenset(listening(one.pid, port)) for one in _workers(service)}) == 1
        if host == "0.0.0.0":
            everywhere = {(socket.AF_INET, "0.0.0.0")}
            assert all(listening(one.pid, port) == everywhere for one in _workers(service) for port in (http, grpc))


def test_connections_are_counted_for_all_of_them(env: dict[str, str], tmp_path: Path) -> None:
    ended = refused(tmp_path / "data", {**env, "MG_CLIENTS_DB_MAX_CONNECTIONS": "50"})
    assert "MG_CLIENTS_DB_MAX_CONNECTIONS is 50 for each of 3 workers" in ended.line
