"""A service whose callers would take every file descriptor there is."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.conftest import authenticate
from tests.support.api import Api, basic
from tests.support.callers import calling
from tests.support.program import PROGRAM
from tests.support.service import Service, started
from tests.support.waiting import wait_until

LIMIT = 64
FEW = 7  # connections that each port has at least
LIMITED = ("/bin/sh", "-c", f'ulimit -n {LIMIT} && exec "$@"', "sh", *PROGRAM, "serve")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with started(tmp_path / "data", command=LIMITED) as running:
        yield running


@contextlib.contextmanager
def crowded(service: Service) -> Iterator[int]:
    """Idle callers want more connections to either port than there are descriptors; how many have one to gRPC."""
    addresses = [urlsplit(service.http), urlsplit(f"//{service.grpc}")]
    with contextlib.ExitStack() as stack:
        callers = [
            [stack.enter_context(socket.create_connection((one.hostname or "", one.port or 0))) for _ in range(2 * LIMIT)]
            for one in addresses
        ]
        yield sum(_is_let_in(caller) for caller in callers[1])


def _is_let_in(caller: socket.socket) -> bool:
    """gRPC says its settings first, to who may stay."""
    try:
        return caller.recv(1) != b""
    except ConnectionResetError:
        return False


def test_who_is_connected_is_served_and_the_rest_later(service: Service) -> None:
    process = psutil.Process(service.process.pid)
    with calling(service) as (api, stub):
        client = api.create()
        token = basic(client["id"], client["credentials"]["secret"])
        assert authenticate(stub, token) == client["id"]
        with crowded(service) as let_in:
            assert let_in == FEW - 1, "besides the broker"
            assert authenticate(stub, token) == client["id"]
            other = api.create()
            assert set(api.listed()) == {client["id"], other["id"]}
            assert process.num_fds() < LIMIT

        def is_let_in() -> bool:
            with Api(service) as late, contextlib.suppress(httpx.TransportError):
                return late.request("GET", "/clients").status_code == 200
            return False

        wait_until(is_let_in, "those who came too late to be let in")
    assert not [line for line in service.lines if "descriptor" in str(line)]


def test_it_can_be_stopped_meanwhile(service: Service) -> None:
    """gRPC would end with SIGBUS, now and then, if it had no descriptor for who calls."""
    with crowded(service):
        assert service.stop() == 0, service.lines[-5:]
    assert service.lines[-1]["msg"] == "stopped"
    assert not [line for line in service.lines if "descriptor" in str(line)]
