"""Callers who are slow, endless or talk something else: told by the table where that is possible, and never in the way."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import asking
from tests.support.api import Api
from tests.support.raw import Raw, request
from tests.support.service import Service, started
from tests.support.waiting import PATIENCE

HEADER_SECONDS, READ_SECONDS, WRITE_SECONDS, IDLE_SECONDS = 1.0, 1.5, 1.0, 1.0
CONNECTIONS = 60


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with little time."""
    limits = {
        "MG_CLIENTS_HTTP_SERVER_READ_HEADER_TIMEOUT": f"{HEADER_SECONDS}s",
        "MG_CLIENTS_HTTP_SERVER_READ_TIMEOUT": f"{READ_SECONDS}s",
        "MG_CLIENTS_HTTP_SERVER_WRITE_TIMEOUT": f"{WRITE_SECONDS}s",
        "MG_CLIENTS_HTTP_SERVER_IDLE_TIMEOUT": f"{IDLE_SECONDS}s",
        "MG_CLIENTS_HTTP_MAX_CONNECTIONS": str(CONNECTIONS),
    }
    with started(tmp_path_factory.mktemp("impatient") / "data", limits) as running:
        yield running


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with started(tmp_path_factory.mktemp("patient") / "data", {"MG_CLIENTS_HTTP_SERVER_READ_TIMEOUT": "1h"}) as running:
        yield running


@pytest.fixture(autouse=True)
def others_are_served(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a caller does: others are answered, nothing went wrong inside."""
    used: Service = request.getfixturevalue("patient" if "patient" in request.fixturenames else "impatient")
    lines = len(used.lines)
    yield
    assert asking.get(f"{used.http}/health").status_code == 200
    assert used.process.poll() is None
    wrong = [line for line in used.lines[lines:] if line.get("level") == "ERROR" or "exception" in line]
    assert not wrong


@contextlib.contextmanager
def takes(least: float, most: float = PATIENCE) -> Iterator[None]:
    """What is inside takes so many seconds; `most` is generous, for busy machines."""
    began = time.monotonic()
    yield
    assert least * 0.9 <= time.monotonic() - began <= most


def drip(raw: Raw, content: bytes, seconds: float = 0.2) -> None:
    """Send byte by byte until the other side says something; it is the slowness that is tested here."""
    raw.socket.settimeout(seconds)
    for position in range(len(content)):
        with contextlib.suppress(OSError):
            raw.socket.send(content[position : position + 1])
        with contextlib.suppress(TimeoutError):
            raw._more()
            break
    else:
        pytest.fail("it was patient to the end")
    raw.socket.settimeout(PATIENCE)


def test_headers_byte_by_byte(impatient: Service) -> None:
    with Raw(impatient) as raw, takes(HEADER_SECONDS):
        drip(raw, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 1000)
        answer = raw.answer()
        assert (answer.status, answer.error) == (408, "request_timed_out")
        assert answer.headers["connection"] == "close"
        assert raw.closed()


def test_headers_byte_by_byte_behind_another_request(impatient: Service) -> None:
    with Raw(impatient) as raw:
        assert raw.send(request(impatient, "GET", "/health")).answer().status == 200
        with takes(HEADER_SECONDS):
            drip(raw, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 1000)
            assert raw.answer().error == "request_timed_out"
            assert raw.closed()


def test_a_connection_that_asks_nothing_is_closed(impatient: Service) -> None:
    with Raw(impatient) as raw, takes(HEADER_SECONDS):
        assert raw.closed()


@pytest.mark.parametrize(
    ("length", "coding", "begun"), [("1000", "", b'{"name":'), ("", "chunked", b'8\r\n{"name":\r\n')], ids=["length", "chunked"]
)
def test_a_body_that_stops(impatient: Service, length: str, coding: str, begun: bytes) -> None:
    with Raw(impatient) as raw, takes(READ_SECONDS):
        raw.send(request(impatient, "POST", "/d/clients", content_length=length, transfer_encoding=coding) + begun)
        answer = raw.answer()
        assert (answer.status, answer.error) == (408, "request_timed_out")
        assert raw.closed()


def test_a_body_byte_by_byte(impatient: Service) -> None:
    with Raw(impatient) as raw, takes(READ_SECONDS):
        raw.send(request(impatient, "POST", "/d/clients", content_length="1000"))
        drip(raw, b'{"name":"' + b"x" * 900)
        assert raw.answer().error == "request_timed_out"
        assert raw.closed()


def test_a_body_nobody_asked_for_that_stops(impatient: Service) -> None:
    """The answer needed no body; its connection ends all the same."""
    with Raw(impatient) as raw:
        raw.send(request(impatient, "GET", "/health", content_length="1000") + b"x")
        assert raw.answer().status == 200
        assert raw.closed()


def test_a_reader_who_never_reads_is_cut_off(impatient: Service) -> None:
    with Api(impatient) as api:
        big = {"p": "x" * 60_000}
        bulk = [{"name": f"n{n}", "metadata": big} for n in range(100)]
        assert api.request("POST", "/clients/bulk", json=bulk).status_code == 200
        list_all = request(impatient, "GET", f"/{api.domain}/clients?limit=100")
        with Raw(impatient, receive_buffer=4096) as raw:
            raw.send(list_all)
            wait_for_the_end(raw)
        with Raw(impatient) as reading:
            assert len(reading.send(list_all).answer().body) > 6_000_000


def test_pipelined_requests_whose_answers_nobody_reads(impatient: Service) -> None:
    with Raw(impatient, receive_buffer=4096) as raw:
        raw.socket.settimeout(1)
        ask = request(impatient, "GET", "/docs/swagger-ui-bundle.js")
        assert raw.send_until_refused(ask * 10, 20) <= 20
        wait_for_the_end(raw)


def wait_for_the_end(raw: Raw) -> None:
    """Send now and then until the connection is found to be cut; read nothing."""
    raw.socket.settimeout(0.1)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            raw.socket.send(b" ")
            time.sleep(0.05)  # a reader who never reads has nothing to wait for
        except TimeoutError:
            continue
        except OSError:
            return
    pytest.fail("the connection is still there")


BIG = 2 * 1024 * 1024
GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    "head",
    [
        GET + b"X-Big: " + b"x" * BIG + b"\r\n\r\n",
        GET + b"".join(b"X-Small-%d: y\r\n" % number for number in range(150_000)) + b"\r\n",
        GET + b"x" * BIG,
        b"GET /" + b"x" * BIG + b" HTTP/1.1\r\n\r\n",
        GET + b"X-Big: " + b"x" * BIG,
    ],
    ids=["one header", "many headers", "one name", "a path", "without an end"],
)
@pytest.mark.parametrize("fresh", [True, False], ids=["first", "second"])
def test_two_megabytes_of_headers(impatient: Service, head: bytes, fresh: bool) -> None:
    with Raw(impatient) as raw:
        if not fresh:
            assert raw.send(request(impatient, "GET", "/health")).answer().status == 200
        raw.send_until_refused(head, 1)
        answer = raw.answer()
        assert (answer.status, answer.error) == (431, "headers_too_large")
        assert raw.closed()


@pytest.mark.parametrize(
    "trailers",
    [b"".join(b"X-Small-%d: y\r\n" % number for number in range(150_000)), b"X-Big: " + b"x" * BIG, b"x" * BIG],
    ids=["many", "one", "one name"],
)
def test_two_megabytes_of_trailers(patient: Service, trailers: bytes) -> None:
    """It is the size that counts, not the time."""
    chunked = request(patient, "POST", "/d/clients", content_length="", transfer_encoding="chunked")
    with Raw(patient) as raw:
        raw.send_until_refused(chunked + b"2\r\n{}\r\n0\r\n" + trailers, 1)
        answer = raw.answer()
        assert (answer.status, answer.error) in {(431, "headers_too_large"), (400, "malformed_request")}
        assert raw.closed()


def test_trailers_without_end_take_no_memory(impatient: Service) -> None:
    before = peak_kib(impatient)
    chunked = request(impatient, "POST", "/d/clients", content_length="", transfer_encoding="chunked")
    with Raw(impatient) as raw:
        raw.send(chunked + b"2\r\n{}\r\n0\r\nX-Big: ")
        raw.send_until_refused(b"x" * BIG, 40)
    assert peak_kib(impatient) - before < 24 * 1024


def test_a_chunk_extension_without_end_takes_no_memory(impatient: Service) -> None:
    before = peak_kib(impatient)
    chunked = request(impatient, "POST", "/d/clients", content_length="", transfer_encoding="chunked")
    with Raw(impatient) as raw:
        raw.send(chunked + b"2;x=")
        raw.send_until_refused(b"x" * BIG, 40)
    assert peak_kib(impatient) - before < 24 * 1024


def peak_kib(service: Service) -> int:
    """The most memory it has ever had."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def test_an_idle_connection_is_closed(impatient: Service) -> None:
    with Raw(impatient) as raw:
        assert raw.send(request(impatient, "GET", "/health")).answer().status == 200
        with takes(IDLE_SECONDS):
            assert raw.closed()


NO_HTTP = {
    "noise": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a space in a name": b"GET /health HTTP/1.1\r\nBad Name: x\r\n\r\n",
    "NUL in a value": b"GET /health HTTP/1.1\r\nX: a\0b\r\n\r\n",
    "two lengths": b"POST /d/clients HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "length and chunked": b"POST /d/clients HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length that is none": b"POST /d/clients HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    "a negative length": b"POST /d/clients HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "a URL that is none": b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
}
NO_ROUTE = {
    "bytes beyond ASCII in a path": b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "no path": b"GET http://localhost HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a port that is none": b"GET //localhost:x/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a tunnel": b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("name", NO_HTTP | NO_ROUTE)
@pytest.mark.parametrize("fresh", [True, False], ids=["first", "second"])
def test_what_is_no_http(impatient: Service, name: str, fresh: bool) -> None:
    with Raw(impatient) as raw:
        if not fresh:
            assert raw.send(request(impatient, "GET", "/health")).answer().status == 200
        answer = raw.send((NO_HTTP | NO_ROUTE)[name]).answer()
        assert (answer.status, answer.error) in {(400, "malformed_request"), (404, "no_route")}
        if name in NO_HTTP:
            assert answer.status == 400
            assert raw.closed()


def test_a_chunk_that_is_none(impatient: Service) -> None:
    chunked = request(impatient, "POST", "/d/clients", content_length="", transfer_encoding="chunked")
    with Raw(impatient) as raw:
        answer = raw.send(chunked + b"zz\r\n{}\r\n").answer()
        assert (answer.status, answer.error) == (400, "malformed_request")
        assert raw.closed()


@pytest.mark.parametrize("announced", [2 * 1024 * 1024, 10**15], ids=["2 MiB", "1 PB"])
def test_a_body_that_says_it_is_huge(impatient: Service, announced: int) -> None:
    with Raw(impatient) as raw:
        raw.send(request(impatient, "POST", "/d/clients", content_length=str(announced)))
        answer = raw.answer()
        assert (answer.status, answer.error) == (413, "body_too_large")


@pytest.mark.parametrize(("path", "size"), [("/d/clients", 2), ("/d/clients/bulk", 20)])
def test_a_body_that_is_huge(impatient: Service, path: str, size: int) -> None:
    chunked = request(impatient, "POST", path, content_length="", transfer_encoding="chunked")
    with Raw(impatient) as raw:
        raw.send(chunked)
        raw.send_until_refused(b"100000\r\n" + b"x" * 0x100000 + b"\r\n", size)
        answer = raw.answer()
        assert (answer.status, answer.error) == (413, "body_too_large")


def test_a_huge_body_sent_whole_is_answered_and_the_next_request_too(impatient: Service) -> None:
    with Raw(impatient) as raw:
        answer = raw.send(request(impatient, "POST", "/d/clients", b'{"name":"' + b"x" * BIG + b'"}')).answer()
        assert (answer.status, answer.error) == (413, "body_too_large")
        if answer.headers.get("connection") != "close":
            assert raw.send(request(impatient, "GET", "/health")).answer().status == 200


def test_a_caller_who_waits_for_leave_to_send(impatient: Service) -> None:
    body = b'{"name":"patient"}'
    with Raw(impatient) as raw:
        raw.send(request(impatient, "POST", "/d/clients", content_length=str(len(body)), expect="100-continue"))
        assert raw.answer().status == 100
        assert raw.send(body).answer().status == 201


def test_too_many_connections(impatient: Service) -> None:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(Raw(impatient)) for _ in range(CONNECTIONS)]
        first = held[0].send(request(impatient, "GET", "/health")).answer()
        assert first.status == 200
        refused = [stack.enter_context(Raw(impatient)) for _ in range(20)]
        assert all(raw.closed() for raw in refused[10:])
        for raw in held[1:]:
            raw.socket.close()
    with Raw(impatient) as raw:
        assert raw.send(request(impatient, "GET", "/health")).answer().status == 200


def test_the_slow_do_not_keep_the_others_waiting(impatient: Service) -> None:
    kinds: list[Callable[[Raw], object]] = [
        lambda raw: raw.send(GET),
        lambda raw: raw.send(request(impatient, "POST", "/d/clients", content_length="1000")),
        lambda _: None,
    ]
    with contextlib.ExitStack() as stack:
        for number in range(45):
            kinds[number % 3](stack.enter_context(Raw(impatient)))
        with Api(impatient) as api:
            for _ in range(10):
                assert api.listed() == []
