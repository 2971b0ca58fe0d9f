"""Upgrades that nobody here speaks: the request is served as if it had asked for none (RFC 9110 7.8)."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.asking import get
from tests.support.raw import Raw, request
from tests.support.service import Service

# Byte for byte what they send to an address of which they do not know whether it speaks HTTP/2, but for path and token.
JDK = (
    "{method} {path} HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\n{framing}"
    "Host: 127.0.0.1:9006\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\nUpgrade: h2c\r\n"
    "User-Agent: Java-http-client/17.0.15\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\r\n"
)
CURL = (
    "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:9006\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
    "Authorization: Bearer {token}\r\nContent-Type: application/json\r\n{framing}\r\n"
)
WEBSOCKET = (
    "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:9006\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Authorization: Bearer {token}\r\nContent-Type: application/json\r\n{framing}\r\n"
)
HEADS = pytest.mark.parametrize("head", [JDK, CURL, WEBSOCKET], ids=["JDK", "curl", "websocket"])


def asking(service: Service, head: str, method: str, path: str, body: bytes = b"", framing: str = "") -> bytes:
    """A request that asks for an upgrade."""
    framing = framing or (f"Content-Length: {len(body)}\r\n" if body else "")
    return head.format(method=method, path=path, token=service.token, framing=framing).encode() + body


def warnings(service: Service) -> list[str]:
    return [line["msg"] for line in service.lines if "upgrade" in line["msg"].lower() or "WebSocket" in line["msg"]]


@HEADS
def test_a_client_is_created_and_read(service: Service, api: Api, head: str) -> None:
    path = f"/{api.domain}/clients"
    with Raw(service) as raw:
        created = raw.send(asking(service, head, "POST", path, b'{"name":"upgraded"}')).answer()
        assert created.status == 201
        client = json.loads(created.body)["id"]
        viewed = raw.send(asking(service, head, "GET", f"{path}/{client}")).answer()
        assert json.loads(viewed.body)["name"] == "upgraded"
        assert raw.send(asking(service, head, "DELETE", f"{path}/{client}")).answer().status == 204
        assert raw.send(request(service, "GET", "/health")).answer().status == 200
    assert warnings(service) == []


@HEADS
def test_a_chunked_body(service: Service, api: Api, head: str) -> None:
    begun = asking(service, head, "POST", f"/{api.domain}/clients", framing="Transfer-Encoding: chunked\r\n")
    with Raw(service) as raw:
        raw.send(begun + b"8\r\n" + b'{"name":')
        assert raw.send(b'\r\n7\r\n"parts"\r\n2\r\n}\n\r\n0\r\nX-Trailer: x\r\n\r\n').answer().status == 201
    assert [client["name"] for client in api.request("GET", "/clients").json()["clients"]] == ["parts"]


@HEADS
def test_byte_by_byte(service: Service, api: Api, head: str) -> None:
    with Raw(service) as raw:
        for byte in asking(service, head, "POST", f"/{api.domain}/clients", b'{"name":"slow"}'):
            raw.send(bytes([byte]))
        assert raw.answer().status == 201


@HEADS
@pytest.mark.parametrize("whole", [True, False], ids=["at once", "head and body"])
def test_others_may_follow(service: Service, api: Api, head: str, whole: bool) -> None:
    """A body is a body, whatever is in it, and what is behind it is the next request."""
    path = f"/{api.domain}/clients"
    inner = asking(service, head, "DELETE", f"{path}/{api.create()['id']}")
    posted = asking(service, head, "POST", path, inner)
    requests = posted + asking(service, head, "POST", path, b'{"name":"b"}') + request(service, "GET", "/health")
    split = 0 if whole else len(posted) - len(inner)
    with Raw(service) as raw:
        if split:
            raw.send(requests[:split])
        raw.send(requests[split:])
        assert [raw.answer().status for _ in range(3)] == [400, 201, 200]
        assert raw.send(asking(service, head, "GET", "/health")).answer().status == 200
    assert len(api.listed()) == 2


@HEADS
def test_only_what_is_an_upgrade_is_left_out(service: Service, api: Api, head: str) -> None:
    path = f"/{api.domain}/clients"
    last = asking(service, head, "POST", path, b"{}").replace(b"Upgrade,", b"Upgrade, close,").replace(b"keep-alive", b"close")
    waiting = asking(service, head, "POST", path, framing="Content-Length: 2\r\nExpect: 100-continue\r\n")
    with Raw(service) as raw:
        assert raw.send(waiting).answer().status == 100
        assert raw.send(b"{}").answer().status == 201
        answer = raw.send(last).answer()
        assert (answer.status, answer.headers["connection"]) == (201, "close")
        assert raw.closed()
    with Raw(service) as raw:
        assert raw.send(asking(service, head, "POST", path, b"{}").replace(b"HTTP/1.1", b"HTTP/1.0", 1)).answer().status == 201
        assert raw.closed()


@HEADS
def test_a_body_nobody_waits_for(service: Service, head: str) -> None:
    with Raw(service) as raw:
        raw.send(asking(service, head, "POST", "/nowhere", b"x" * 9 * 1024 * 1024) + request(service, "GET", "/health"))
        assert [raw.answer().status for _ in range(2)] == [404, 200]


@HEADS
def test_headers_have_their_size(service: Service, head: str) -> None:
    with Raw(service) as raw:
        raw.send(asking(service, head, "POST", "/d/clients", b"{}", f"Content-Length: 2\r\nX: {'y' * 1024 * 1024}\r\n"))
        assert raw.answer().error == "headers_too_large"
        assert raw.closed()


UNCLEAR = {
    "no settings": (b"HTTP2-Settings: ", b"X-Settings: "),
    "settings twice": (b"HTTP2-Settings: ", b"HTTP2-Settings: x\r\nHTTP2-Settings: "),
    "two lengths": (b"Content-Length: ", b"Content-Length: 3\r\nContent-Length: "),
    "length and chunked": (b"Content-Length: ", b"Transfer-Encoding: chunked\r\nContent-Length: "),
    "a folded header": (b"Upgrade: h2c", b"X: y\r\n Upgrade: h2c\r\nUpgrade: h2c"),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_what_is_unclear_is_refused_with_all_behind_it(service: Service, api: Api, name: str) -> None:
    posted = asking(service, JDK, "POST", f"/{api.domain}/clients", b'{"name":"x"}')
    assert UNCLEAR[name][0] in posted
    with Raw(service) as raw:
        raw.send(posted.replace(*UNCLEAR[name]) + request(service, "GET", "/health"))
        assert raw.answer().error == "malformed_request"
        assert raw.closed()
    assert api.listed() == []


@pytest.mark.parametrize("target", ["localhost:80", "/health"])
def test_there_are_no_tunnels(service: Service, target: str) -> None:
    """What is behind such a head is for somebody else, and no request to us."""
    with Raw(service) as raw:
        raw.send(f"CONNECT {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() + request(service, "GET", "/health"))
        assert raw.answer().error == "malformed_request"
        assert raw.closed()


def test_curl_that_would_speak_http_2(service: Service, api: Api, tmp_path: Path) -> None:
    def curl(*arguments: str) -> str:
        command = [
            "curl", "--silent", "--show-error", "--fail", "--http2", "--max-time", "60", "--write-out", "%{http_code}",
            "--header", f"Authorization: Bearer {service.token}", "--header", "Content-Type: application/json",
            "--output", str(tmp_path / "answer"), *arguments, f"{service.http}/{api.domain}/clients",
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert curl("--data", '{"name":"curl"}') == "201"
    assert curl("--data", '{"name":"in chunks"}', "--header", "Transfer-Encoding: chunked") == "201"
    assert curl() == "200"
    listed = json.loads((tmp_path / "answer").read_text())["clients"]
    assert {client["name"] for client in listed} == {"curl", "in chunks"}
    assert warnings(service) == []


def test_an_upgrade_by_halves_is_none(api: Api) -> None:
    """One of both headers says nothing."""
    for headers in ({"Upgrade": "h2c"}, {"Connection": "Upgrade"}):
        assert api.request("POST", "/clients", json={}, headers=headers).status_code == 201
    assert get(f"{api.service.http}/health", headers={"Upgrade": "h2c"}).status_code == 200
