"""A service whose callers have taken every file descriptor there is."""

import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import authenticate
from tests.support.api import Api, basic
from tests.support.callers import calling
from tests.support.service import Service, started
from tests.support.waiting import wait_until

LIMIT = 64
SERVING = 45  # of them, at most, without callers


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with started(tmp_path / "data") as running:
        with Api(running) as api:
            assert api.listed() == []  # whose routes are there, as soon as there is an answer
        # The hard limit stays: it would raise the other to that only at its start.
        hard = resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (LIMIT, hard))
        yield running


@contextlib.contextmanager
def exhausted(service: Service) -> Iterator[None]:
    """Idle connections to gRPC hold all that are left; more of them wait."""
    process = psutil.Process(service.process.pid)
    host, port = service.grpc.rsplit(":", 1)
    with contextlib.ExitStack() as stack:
        for _ in range(2 * LIMIT):
            stack.enter_context(socket.create_connection((host, int(port))))
        wait_until(lambda: process.num_fds() >= LIMIT, "the last descriptor to be taken")
        yield


def test_who_is_connected_is_served_and_the_rest_later(service: Service) -> None:
    with calling(service) as (api, stub):
        client = api.create()
        token = basic(client["id"], client["credentials"]["secret"])
        assert authenticate(stub, token) == client["id"]
        with exhausted(service):
            assert authenticate(stub, token) == client["id"]
            other = api.create()
            assert set(api.listed()) == {client["id"], other["id"]}
        # Who came too late is let in as soon as somebody has gone; until then the event loop hangs up on everybody.
        process = psutil.Process(service.process.pid)
        wait_until(lambda: process.num_fds() < LIMIT // 2 + SERVING // 2, "descriptors to be free")
        with Api(service) as late:
            assert late.create()["id"]
