"""`HEAD` where no token is needed: what `GET` says, without its body; and what a path says of its methods."""

import re
import subprocess

import httpx
import pytest

from tests.support import asking
from tests.support.api import Api, error_of
from tests.support.raw import Raw
from tests.support.service import Service

PATHS = ["/health", "/ready", "/metrics", "/docs", "/openapi.json", "/docs/start.js", "/docs/swagger-ui.css", "/docs/nope"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_the_same_without_a_body(service: Service, path: str, coding: str) -> None:
    with asking.client(base_url=service.http, headers={"Accept-Encoding": coding}) as caller:
        got, head = caller.get(path), caller.head(path)
    assert head.status_code == got.status_code == (404 if path.endswith("nope") else 200)
    assert head.content == b""
    changing = {"date", "content-length"} if path == "/metrics" else {"date"}
    assert {name: value for name, value in head.headers.items() if name not in changing} == {
        name: value for name, value in got.headers.items() if name not in changing
    }
    assert int(head.headers["content-length"]) > 0


def test_the_next_request_is_answered(service: Service) -> None:
    """Nothing of a body is sent that could be taken for an answer."""
    with Raw(service) as raw:
        for path in PATHS:
            raw.send(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert raw._until(b"\r\n\r\n").startswith(b"HTTP/1.1 404" if path.endswith("nope") else b"HTTP/1.1 200")
        assert raw.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").answer().status == 200


def test_health_checks_by_curl(service: Service) -> None:
    for path in PATHS[:5]:
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--fail", "--head", service.http + path], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_operations_that_need_a_token_have_no_head(api: Api) -> None:
    """As schema/README.md#paths has it."""
    for path in ("/clients", f"/clients/{api.create()['id']}"):
        response = api.request("HEAD", path)
        assert response.status_code == 405
        assert "HEAD" not in methods_of(response)
    assert asking.request("HEAD", f"{api.service.http}/d/clients").status_code == 401


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        *((path, "GET HEAD") for path in PATHS),
        ("/d/clients", "GET POST"),
        ("/d/clients/x", "DELETE GET PATCH"),
        ("/d/clients/x/tags", "PATCH"),
        ("/d/clients/x/parent", "DELETE POST"),
        ("/d/clients/x/roles", "GET POST"),
        ("/d/clients/x/roles/client_x", "DELETE GET PUT"),
        ("/d/channels/connect", "POST"),
    ],
)
def test_what_a_path_says_of_its_methods_is_true(service: Service, path: str, methods: str) -> None:
    for wrong in ("TRACE", "OPTIONS"):
        response = asking.request(wrong, service.http + path, headers=service.headers)
        assert response.status_code == (204 if wrong == "OPTIONS" else 405), response.text
        assert methods_of(response) == {*methods.split(), "OPTIONS"}
    if methods == "GET HEAD":
        assert error_of(asking.request("POST", service.http + path)) == (405, "method_not_allowed")


def methods_of(response: httpx.Response) -> set[str]:
    return set(re.split(", *", response.headers["allow"]))
