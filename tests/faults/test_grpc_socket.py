"""gRPC on a Unix socket (schema/README.md#grpc-socket): who may connect, what is in its place, what is left of it."""

import os
import socket
import stat
from pathlib import Path

import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from tests.support import certificates
from tests.support.api import Api, basic
from tests.support.commands import ready_to_run, refused
from tests.support.http2 import AUTHENTICATE
from tests.support.service import Service, started

LANE = {"MG_CLIENTS_GRPC_SERVER": "lane"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run" / "grpc.sock"


def at(path: Path) -> dict[str, str]:
    return {**LANE, "MG_CLIENTS_GRPC_SOCKET": str(path)}


def is_let_in(service: Service, target: str) -> bool:
    """Whether a new client is, over this socket."""
    with Api(service) as api:
        client = api.create()
    with grpc.insecure_channel(target) as channel:
        stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
        token = basic(client["id"], client["credentials"]["secret"])
        return bool(stub.Authenticate(clients_pb2.AuthnReq(token=token)).id == client["id"])


def test_it_serves_beside_the_port_and_is_removed_at_the_stop(tmp_path: Path, path: Path) -> None:
    with started(tmp_path / "data", at(path)) as service:
        assert is_let_in(service, f"unix:{path}")
        assert is_let_in(service, service.grpc)
        assert service.stop() == 0
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_it_is_for_the_service_and_its_group(tmp_path: Path, path: Path, mask: int) -> None:
    """Whatever the umask."""
    before = os.umask(mask)
    try:
        with started(tmp_path / "data", at(path)):
            found = path.lstat()
    finally:
        os.umask(before)
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o660
    assert (found.st_uid, found.st_gid) == (os.getuid(), os.getgid())


def test_it_has_no_tls(tmp_path: Path, path: Path) -> None:
    authority = certificates.Authority()
    pair = authority.sign("server")
    tls = {"MG_CLIENTS_GRPC_SERVER_CERT": pair.certificate, "MG_CLIENTS_GRPC_SERVER_KEY": pair.key}
    with started(tmp_path / "data", at(path) | tls) as service:
        assert is_let_in(service, f"unix:{path}")


def test_what_a_killed_service_has_left_is_replaced(tmp_path: Path, path: Path) -> None:
    with started(tmp_path / "data", at(path)) as service:
        service.kill()
    assert path.is_socket()
    with started(tmp_path / "data", at(path)) as service:
        assert is_let_in(service, f"unix:{path}")


def test_a_socket_somebody_listens_on_stays_his(tmp_path: Path, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as theirs, ready_to_run():
        theirs.bind(str(path))
        theirs.listen()
        mark = path.lstat().st_ino
        line = refused(tmp_path / "data", at(path)).line
        assert f"cannot listen on {path}: another program does" in line
        assert "MG_CLIENTS_GRPC_SOCKET" in line
        assert path.lstat().st_ino == mark


def test_two_services_do_not_take_each_others(tmp_path: Path, path: Path) -> None:
    with started(tmp_path / "data", at(path)) as service, ready_to_run():
        assert f"cannot listen on {path}: another program does" in refused(tmp_path / "second", at(path)).line
        assert is_let_in(service, f"unix:{path}")


def test_a_file_in_its_place_is_kept(tmp_path: Path, path: Path) -> None:
    path.write_text("not yours")
    with ready_to_run():
        assert f"cannot listen on {path}: there is something that is not a socket" in refused(tmp_path / "data", at(path)).line
    assert path.read_text() == "not yours"


def test_another_socket_in_its_place_at_the_stop_is_kept(tmp_path: Path, path: Path) -> None:
    with started(tmp_path / "data", at(path)) as service, socket.socket(socket.AF_UNIX) as theirs:
        path.unlink()
        theirs.bind(str(path))
        assert service.stop() == 0
        assert path.is_socket()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere" / "grpc.sock"
    with ready_to_run():
        line = refused(tmp_path / "data", at(missing)).line
    assert f"cannot listen on {missing} (No such file or directory)" in line


def test_a_path_that_is_longer_than_an_address_may_be(tmp_path: Path) -> None:
    """It listens there; callers have to find a way of their own."""
    folder = tmp_path / ("x" * 100) / ("y" * 100)
    folder.mkdir(parents=True)
    with started(tmp_path / "data", at(folder / "grpc.sock")):
        assert (folder / "grpc.sock").is_socket()


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ({"MG_CLIENTS_GRPC_SERVER": "grpcio"}, "MG_CLIENTS_GRPC_SOCKET needs MG_CLIENTS_GRPC_SERVER=lane"),
        ({"MG_CLIENTS_GRPC_SERVER": "other"}, "MG_CLIENTS_GRPC_SERVER"),
    ],
)
def test_settings_that_do_not_go_together(tmp_path: Path, path: Path, others: dict[str, str], told: str) -> None:
    with ready_to_run():
        ended = refused(tmp_path / "data", at(path) | others)
    assert ended.code == os.EX_CONFIG
    assert told in ended.err
    assert not path.exists()


def test_a_caller_over_it_that_breaks_the_rules_harms_nobody(tmp_path: Path, path: Path) -> None:
    with started(tmp_path / "data", at(path)) as service, socket.socket(socket.AF_UNIX) as hostile:
        hostile.connect(str(path))
        hostile.sendall(b"GET " + AUTHENTICATE + b" HTTP/1.1\r\n\r\n")
        while hostile.recv(65536):
            pass
        assert is_let_in(service, f"unix:{path}")
        assert [line for line in service.lines if line.get("level") not in {"INFO", "WARN", "WARNING"}] == []
