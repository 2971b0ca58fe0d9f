"""Calls of an operator and of a broker to the service on this machine."""

import base64
import json
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.booted.machine import STATE
from tests.support.http2 import AUTHENTICATE, DATA, END_STREAM, HEADERS, Http2, fields, message, status_in
from tests.support.waiting import PATIENCE

HTTP_PORT, GRPC_PORT = 9006, 7000
DOMAIN = "plant-7"
_PREFIX = 5  # bytes in front of a message


def token() -> str:
    """The operator's, as the service made it."""
    return (STATE / "operator.token").read_text().strip()


def asked(path: str, method: str = "GET", body: object = None, bearer: str = "", port: int = HTTP_PORT) -> tuple[int, Any]:
    """Status and document of an answer over HTTP."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {bearer}"} if bearer else {})}
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://localhost:{port}{path}", content, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def created(bearer: str) -> dict[str, str]:
    """The id and the secret of a new client."""
    status, client = asked(f"/{DOMAIN}/clients", "POST", {"name": "boiler"}, bearer)
    assert status == 201, (status, client)
    return {"id": client["id"], "secret": client["credentials"]["secret"]}


def authenticated(client: dict[str, str], port: int = GRPC_PORT) -> str:
    """The id that a broker gets for this client's token, or the status of gRPC with which it is denied."""
    credentials = base64.b64encode(f"{client['id']}:{client['secret']}".encode())
    status, answer = _called(AUTHENTICATE, _text(1, b"Basic" + credentials), port)
    if status:
        return f"status {status}"
    assert answer[:3] == b"\x08\x01\x12", answer  # `authenticated` is true, and the id follows
    return answer[4 : 4 + answer[3]].decode()


def issuer(port: int, authorities: Path) -> str:
    """Who signed the certificate that a port shows; it must be valid."""
    context = ssl.create_default_context(cadata=authorities.read_text())
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("localhost", port), PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        shown: Any = connection.getpeercert()
    return str(dict(part for group in shown["issuer"] for part in group)["commonName"])


def _called(path: bytes, content: bytes, port: int) -> tuple[int | None, bytes]:
    """The status of a call and the message that it is answered with."""
    answer = b""
    with Http2(f"localhost:{port}") as connection:
        stream = connection.call(fields(path), message(content))
        while True:
            frame = connection.frame()
            if frame.stream != stream:
                continue
            if frame.kind == DATA:
                answer += frame.content
            elif frame.kind == HEADERS and frame.flags & END_STREAM:
                return status_in(frame.content), answer[_PREFIX:]


def _text(number: int, content: bytes) -> bytes:
    """A field of a message: a text of less than 16 KiB."""
    length = bytes((len(content),)) if len(content) < 128 else bytes((len(content) & 127 | 128, len(content) >> 7))
    return bytes((number << 3 | 2,)) + length + content
