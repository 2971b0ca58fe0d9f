"""What callers do with a connection that no client library would (schema/README.md#http-limits)."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import asking
from tests.support.api import Api
from tests.support.service import Service, started
from tests.support.waiting import PATIENCE, wait_until

SHORT = {f"MG_CLIENTS_HTTP_SERVER_{name}_TIMEOUT": "1s" for name in ("READ", "WRITE", "READ_HEADER", "IDLE")}


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with started(tmp_path_factory.mktemp("impatient") / "data", SHORT) as service:
        yield service


def _connect(service: Service, receive_buffer: int = 0) -> socket.socket:
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(PATIENCE)
    connection.connect(("127.0.0.1", int(service.http.rsplit(":", 1)[1])))
    return connection


def _all(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


def test_answers_that_nobody_reads_are_given_up(impatient: Service) -> None:
    """Also when what is left is too little for the transport to complain of."""
    asking.get(f"{impatient.http}/openapi.json")  # what the first answer loads may stay open: in a bundle Python's own library
    before = _open_files(impatient)
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            connection = stack.enter_context(_connect(impatient, receive_buffer=2048))
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 8)

        def given_up() -> bool:
            assert asking.get(f"{impatient.http}/health").status_code == 200
            return _open_files(impatient) <= before

        wait_until(given_up, "the connections to be closed")


def _open_files(service: Service) -> int:
    """Asked over a connection that is closed again: whoever came before has been accepted by then."""
    asking.get(f"{service.http}/health", headers={"Connection": "close"})
    return len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))


def test_a_flood_of_requests_on_one_connection_is_refused(impatient: Service) -> None:
    with _connect(impatient) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n" * 5000)
        answers = _all(connection)
    assert answers.count(b"HTTP/1.1 ") < 20
    assert asking.get(f"{impatient.http}/health").status_code == 200


def test_the_body_of_an_upgrade_is_not_the_next_request(impatient: Service) -> None:
    head = b"POST /d1/clients HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 35\r\n\r\n"
    with _connect(impatient) as connection:
        connection.sendall(head)
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: y\r\n\r\n")
        answers = _all(connection)
    assert answers.startswith(b"HTTP/1.1 400 ")
    assert b"malformed_request" in answers
    assert b"pass" not in answers


def test_an_upgrade_without_a_body_is_ignored(impatient: Service) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "h2c"}
    assert asking.get(f"{impatient.http}/health", headers=headers).status_code == 200


def test_headers_that_come_at_once_have_their_size_too(tmp_path: Path) -> None:
    limit = {"MG_CLIENTS_HTTP_SERVER_MAX_HEADER_BYTES": "2048"}
    with started(tmp_path / "data", limit) as service, Api(service) as api:
        assert asking.get(f"{service.http}/health", headers={"x": "y" * 10_000}).status_code == 431
        assert api.request("GET", "/clients", headers={"x": "y" * 1000}).status_code == 200
