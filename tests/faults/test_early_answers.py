"""Answers that come before all of their request has: they arrive, whatever the caller still sends."""

import contextlib
import http.client
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.support import asking
from tests.support.api import error_of
from tests.support.certificates import Authority
from tests.support.database import rows, write_locked
from tests.support.inflight import wait_until_in_flight
from tests.support.raw import Answer, Raw, request
from tests.support.service import Service, started
from tests.support.waiting import PATIENCE, wait_until

MB = 1024 * 1024
SIZES = (9 * MB, 17 * MB)
DRAINED = 64 * MB  # what is read behind an answer at most
WRONG_TOKENS = 3
READ_SECONDS, IDLE_SECONDS = 5, 1


class Served(NamedTuple):
    """A service, and the file of whom its callers trust."""

    service: Service
    authority: Path

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority)


class Sent(NamedTuple):
    """A request with a body nobody waits for."""

    path: str
    headers: dict[str, str]
    method: str = "POST"


@pytest.fixture(scope="module", params=["http", "https"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp(request.param)
    authority = Authority()
    (folder / "ca.pem").write_text(authority.certificate)
    env = {"MG_CLIENTS_HTTP_HOST": "127.0.0.1"}
    if request.param == "https":
        pair = authority.sign("server")
        env |= {"MG_CLIENTS_HTTP_SERVER_CERT": pair.certificate, "MG_CLIENTS_HTTP_SERVER_KEY": pair.key}
    with started(folder / "data", env) as service:
        yield Served(service, folder / "ca.pem")


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with little time."""
    limits = {
        "MG_CLIENTS_HTTP_SERVER_READ_TIMEOUT": f"{READ_SECONDS}s",
        "MG_CLIENTS_HTTP_SERVER_IDLE_TIMEOUT": f"{IDLE_SECONDS}s",
    }
    with started(tmp_path_factory.mktemp("impatient") / "data", limits) as service:
        yield service


Told = tuple[int, str | None]  # status, and what the answer says of the connection
Caller = Callable[[Served, Sent, bytes, Path], Told]


def by_http_client(served: Served, sent: Sent, body: bytes, _: Path) -> Told:
    """Sends all of the body before it reads."""
    url = urlsplit(served.service.http)
    assert url.hostname
    connection = (
        http.client.HTTPSConnection(url.hostname, url.port, timeout=PATIENCE, context=served.context)
        if url.scheme == "https"
        else http.client.HTTPConnection(url.hostname, url.port, timeout=PATIENCE)
    )
    with contextlib.closing(connection):
        connection.request(sent.method, sent.path, body, sent.headers)
        answer = connection.getresponse()
        assert answer.read() or answer.status == 200
        return answer.status, answer.getheader("connection")


def by_httpx(served: Served, sent: Sent, body: bytes, _: Path) -> Told:
    """Sends all of the body, in chunks."""
    chunks = (body[start : start + 65536] for start in range(0, len(body), 65536))
    with asking.client(base_url=served.service.http, verify=served.context, timeout=PATIENCE) as caller:
        answer = caller.request(sent.method, sent.path, content=chunks, headers=sent.headers)
        return answer.status_code, answer.headers.get("connection")


def by_curl(served: Served, sent: Sent, body: bytes, folder: Path) -> Told:
    """Waits for leave to send, for a second."""
    (folder / "body").write_bytes(body)
    headers = [part for name, value in sent.headers.items() for part in ("--header", f"{name}: {value}")]
    command = [
        "curl", "--silent", "--show-error", "--cacert", str(served.authority), "--max-time", str(PATIENCE),
        "--request", sent.method, "--data-binary", f"@{folder / 'body'}", "--output", str(folder / "answer"),
        "--write-out", "%{http_code} %header{connection}", *headers, served.service.http + sent.path,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    status, connection = done.stdout.split(" ")
    return int(status), connection or None


CALLERS: tuple[Caller, ...] = (by_http_client, by_httpx, by_curl)


def early(served: Served) -> dict[int, Sent]:
    """A request for each answer that comes before its body."""
    headers = served.service.headers
    return {
        200: Sent("/health", headers, "GET"),
        400: Sent("/no+domain/clients", headers),
        401: Sent("/d/clients", {"Content-Type": "application/json"}),
        404: Sent("/nowhere", headers),
        405: Sent("/health", headers),
        413: Sent("/d/clients", headers),
        415: Sent("/d/clients", headers | {"Content-Type": "text/plain"}),
    }


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("status", [200, 400, 401, 404, 405, 413, 415])
def test_it_arrives(served: Served, caller: Caller, status: int, tmp_path: Path) -> None:
    sent = early(served)[status]
    last = sent._replace(headers=sent.headers | {"Connection": "close"})
    assert caller(served, last, b"x" * SIZES[0], tmp_path) == (status, "close")


@pytest.mark.parametrize("caller", CALLERS)
def test_it_arrives_where_the_connection_is_kept(served: Served, caller: Caller, tmp_path: Path) -> None:
    for status in (401, 413):
        assert caller(served, early(served)[status], b"x" * SIZES[1], tmp_path)[0] == status


@pytest.mark.parametrize("caller", CALLERS)
def test_a_bulk_that_is_too_large(served: Served, caller: Caller, tmp_path: Path) -> None:
    sent = Sent("/d/clients/bulk", served.service.headers | {"Connection": "close"})
    assert caller(served, sent, b" " * (17 * MB), tmp_path) == (413, "close")


def test_requests_beyond_those_worked_on(tmp_path: Path) -> None:
    trusted = tmp_path / "ca.pem"
    trusted.write_text(Authority().certificate)
    with started(tmp_path / "data", {"MG_CLIENTS_HTTP_MAX_REQUESTS": "1"}) as service, Raw(service) as held:
        held.send(request(service, "POST", "/d/clients", content_length="2"))
        wait_until(lambda: asking.get(f"{service.http}/metrics").status_code == 503, "the held request")
        sent = Sent("/d/clients", service.headers | {"Connection": "close"})
        for caller in CALLERS:
            assert caller(Served(service, trusted), sent, b"x" * SIZES[0], tmp_path) == (503, "close")
        assert held.send(b"{}").answer().status == 201


def test_too_many_wrong_tokens(tmp_path: Path) -> None:
    with started(tmp_path / "data", {"MG_CLIENTS_HTTP_WRONG_TOKENS": str(WRONG_TOKENS)}) as service:
        told = []
        for _ in range(WRONG_TOKENS + 1):
            sent = request(service, "POST", "/d/clients", b"x" * SIZES[0], authorization="Bearer wrong", connection="close")
            with Raw(service) as raw:
                told.append(raw.send(sent).answer().status)
        assert told == [401] * WRONG_TOKENS + [429]


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


@pytest.mark.parametrize("behind", [b"zz\r\n", b"2;x=" + b"y" * 2 * MB], ids=["no chunk", "a long one"])
@pytest.mark.parametrize("answered", [False, True], ids=["first", "behind an answer"])
def test_a_body_that_turns_out_wrong(impatient: Service, behind: bytes, answered: bool) -> None:
    kind = "text/plain" if answered else "application/json"
    head = request(impatient, "POST", "/d/clients", content_length="", transfer_encoding="chunked", content_type=kind)
    with Raw(impatient) as raw:
        raw.send(head)
        if answered:
            assert raw.answer().error == "unsupported_media_type"
        raw.send(behind)
        for _ in range(9):
            raw.send(chunk(b"x" * MB))
        if not answered:
            assert raw.answer().error in {"malformed_request", "headers_too_large"}
        assert raw.closed()


def test_a_body_that_is_too_slow_and_comes_then(impatient: Service) -> None:
    with Raw(impatient) as raw:
        raw.send(request(impatient, "POST", "/d/clients/bulk", content_length=str(SIZES[0])))
        assert raw.answer().error == "request_timed_out"
        raw.send(b"x" * SIZES[0])
        assert raw.closed()


def test_http_1_0(served: Served) -> None:
    """It has no connections that are kept."""
    if served.service.http.startswith("https"):
        return
    sent = request(served.service, "POST", "/nowhere", b"x" * SIZES[1]).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    with Raw(served.service) as raw:
        assert raw.send(sent).answer().status == 404
        assert raw.closed()


class TestTheConnection:
    """What is left of it behind an early answer."""

    @pytest.mark.parametrize("coding", ["", "chunked"], ids=["length", "chunked"])
    def test_serves_the_next_request(self, impatient: Service, coding: str) -> None:
        body = b"x" * SIZES[0]
        length = "" if coding else str(len(body))
        sent = request(impatient, "POST", "/nowhere", content_length=length, transfer_encoding=coding)
        sent += chunk(body) + b"0\r\n\r\n" if coding else body
        health = request(impatient, "GET", "/health")
        with Raw(impatient) as raw:
            for _ in range(2):
                raw.send(sent + health + sent)
                assert [raw.answer().status for _ in range(3)] == [404, 200, 404]
            assert raw.closed(), "and ends when nothing is asked"

    def test_ends_when_nothing_is_asked_behind_a_body(self, impatient: Service) -> None:
        with Raw(impatient) as raw:
            raw.send(request(impatient, "POST", "/nowhere", content_length="2"))
            assert raw.answer().status == 404
            raw.send(b"{}")
            assert raw.closed()

    def test_ends_when_the_body_stops(self, impatient: Service) -> None:
        for last in ("keep-alive", "close"):
            before = _open_files(impatient)
            with Raw(impatient) as raw:
                raw.send(request(impatient, "POST", "/nowhere", content_length="1000", connection=last))
                assert raw.answer().status == 404
                assert raw.closed()
                wait_until(lambda: _open_files(impatient) <= before, "the end of the connection")  # noqa: B023 - at once

    def test_ends_when_too_much_comes(self, impatient: Service) -> None:
        head = request(impatient, "POST", "/nowhere", content_length="", transfer_encoding="chunked")
        many = chunk(b"x" * MB)
        for last in (head, head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), b"no HTTP\r\n\r\n"):
            with Raw(impatient) as raw:
                raw.send(last)
                sent = raw.send_until_refused(many, 2 * DRAINED // MB)
                assert sent < 2 * DRAINED // MB

    def test_is_one_of_those_allowed(self, tmp_path: Path) -> None:
        with started(tmp_path / "data", {"MG_CLIENTS_HTTP_MAX_CONNECTIONS": "5"}) as service, contextlib.ExitStack() as stack:
            for last in ("close", "close", "keep-alive", "keep-alive", "close"):
                raw = stack.enter_context(Raw(service))
                raw.send(request(service, "POST", "/nowhere", content_length="1000", connection=last))
                assert raw.answer().status == 404
            with Raw(service) as sixth:
                assert sixth.closed()

    def test_answers_nothing_behind_the_last(self, impatient: Service) -> None:
        last = request(impatient, "POST", "/nowhere", b"x" * SIZES[0], connection="close")
        with Raw(impatient) as raw:
            raw.send(last + request(impatient, "GET", "/health") * 3)
            assert raw.answer().status == 404
            assert raw.closed()

    def test_closes_if_the_caller_still_waits_for_leave_to_send(self, impatient: Service) -> None:
        """What it sends next could be its body, or a request."""
        sent = request(impatient, "POST", "/nowhere", content_length="100", expect="100-continue")
        with Raw(impatient) as raw:
            answer = raw.send(sent).answer()
            assert (answer.status, answer.headers["connection"]) == (404, "close")
            raw.send(request(impatient, "GET", "/health"))
            assert raw.closed()

    def test_is_kept_if_the_caller_got_leave_to_send(self, impatient: Service) -> None:
        sent = request(impatient, "POST", "/d/clients", content_length="2", expect="100-continue")
        with Raw(impatient) as raw:
            assert raw.send(sent).answer().status == 100
            answer = raw.send(b"{}").answer()
            assert (answer.status, answer.headers.get("connection")) == (201, None)
            assert raw.send(request(impatient, "GET", "/health")).answer().status == 200


def _open_files(service: Service) -> int:
    """Asked over a connection that is closed again: whoever came before has been accepted by then."""
    asking.get(f"{service.http}/health", headers={"Connection": "close"})
    return len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))


@pytest.mark.parametrize(
    "wrong", [b"no HTTP\r\n\r\n", b"GET /health HTTP/1.1\r\nX: ", b"POST /d/clients HTTP/1.1\r\nHost: x\r\n"]
)
def test_what_is_refused_behind_a_request_waits_for_its_turn(tmp_path: Path, wrong: bytes) -> None:
    """Behind a request that takes longer than there is time for it."""
    short = {f"MG_CLIENTS_HTTP_SERVER_{name}_TIMEOUT": "1s" for name in ("READ", "READ_HEADER")}
    with started(tmp_path / "data", short) as service, Raw(service) as raw:
        with write_locked(service.data):
            raw.send(request(service, "POST", "/d/clients", b'{"name":"first"}') + wrong)
            wait_until_in_flight(service, 1)
            with Raw(service) as other:
                assert other.send(b"GET /health HTTP/1.1\r\nX: ").answer().status == 408  # so much time has gone by
        first, second = raw.answer(), raw.answer()
        assert first.status == 201
        assert second.error in {"malformed_request", "request_timed_out"}
        assert raw.closed()
        assert rows(service.data, "SELECT name FROM clients") == [("first",)]


def test_what_is_thrown_away_takes_no_memory(served: Served) -> None:
    sent = Sent("/nowhere", {"Connection": "close"})
    by_http_client(served, sent, b"x" * MB, Path())
    before = _peak_kib(served.service)
    for _ in range(2):
        assert by_http_client(served, sent, b"x" * 2 * SIZES[1], Path())[0] == 404
    assert _peak_kib(served.service) - before < 16 * 1024


def _peak_kib(service: Service) -> int:
    """The most memory it has ever had."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


@pytest.mark.parametrize("last", ["keep-alive", "close"])
def test_a_stop_does_not_wait_for_it(tmp_path: Path, last: str) -> None:
    patient = {"MG_CLIENTS_HTTP_SERVER_READ_TIMEOUT": "1h"}
    with started(tmp_path / "data", patient) as service, Raw(service) as raw:
        raw.send(request(service, "POST", "/nowhere", content_length=str(SIZES[0]), connection=last))
        service.process.terminate()
        service.wait_for("stopping")
        raw.send(b"x" * (SIZES[0] - 1))
        answer: Answer = raw.answer()
        assert answer.error == "no_route"
        assert raw.closed()
        assert service.end() == 0
        assert not [line for line in service.lines if line.get("level") in {"ERROR", "WARNING"} and "wait" in line["msg"]]


def test_they_are_the_answers_of_always(served: Served) -> None:
    with asking.client(base_url=served.service.http, verify=served.context) as caller:
        assert error_of(caller.post("/nowhere", content=b"x" * SIZES[0])) == (404, "no_route")
