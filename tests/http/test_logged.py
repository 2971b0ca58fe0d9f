"""What the log says of requests that are turned away: which operation was asked for, and nothing a caller made up."""

import json
import uuid
from typing import Any

import pytest

from tests.support import asking
from tests.support.raw import Raw
from tests.support.service import Service
from tests.support.waiting import wait_until

SECRET = "s3cret-of-mine"


def now(service: Service) -> int:
    """How many lines the log has; what was asked before is among them."""

    def checks() -> int:
        return sum(line["msg"] == "health completed successfully" for line in service.lines)

    before = checks()
    asking.get(f"{service.http}/health")
    wait_until(lambda: checks() > before, "a line of the log")
    return len(service.lines)


def told(service: Service, begun: int, status: int) -> list[dict[str, Any]]:
    """The lines since then, once there is one of that status."""
    lines: list[dict[str, Any]] = []

    def found() -> bool:
        lines[:] = [line for line in service.lines[begun:] if line.get("status") == status]
        return bool(lines)

    wait_until(found, "a line of the log")
    return lines


@pytest.fixture(autouse=True)
def complete(service: Service) -> None:
    """Operations have names as soon as the routes are there, which takes longer than the start."""
    assert asking.get(f"{service.http}/docs").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "", "listClients failed"),
        ("GET", "/", "listClients failed"),
        ("POST", "", "createClient failed"),
        ("POST", "/bulk", "createClients failed"),
        ("GET", f"/{SECRET}", "viewClient failed"),
        ("PATCH", f"/{SECRET}/secret", "updateClientSecret failed"),
        ("PATCH", "//tags", "updateClientTags failed"),
        ("GET", f"/{SECRET}/roles/{SECRET}/members", "listClientRoleMembers failed"),
        ("GET", "/roles/available-actions", "listAvailableActions failed"),
        ("PUT", "", "unknown operation failed"),
        ("HEAD", "", "unknown operation failed"),
        ("OPTIONS", "", "options failed"),
        ("GET", f"/x/{SECRET}", "unknown operation failed"),
        ("GET", "/%0a%22none%20failed", "viewClient failed"),
        ("GET", f"/%2f{SECRET}%2f", "viewClient failed"),
    ],
)
@pytest.mark.parametrize("authorization", ["", f"Bearer {SECRET}", f"Basic {SECRET}"], ids=["no token", "wrong", "no bearer"])
def test_without_a_right_token(service: Service, method: str, path: str, message: str, authorization: str) -> None:
    begun = now(service)
    headers = {"Authorization": authorization} if authorization else {}
    assert asking.request(method, f"{service.http}/{SECRET}/clients{path}", headers=headers).status_code == 401
    (line,) = told(service, begun, 401)
    assert line["msg"] == message
    assert line["level"] == "WARN"
    assert not any(made_up in json.dumps(service.lines[begun:]) for made_up in (SECRET, "none", "clients/"))


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/no+domain/clients", 400, "listClients failed"),
        ("/d/clients/x/nothing", 404, "unknown operation failed"),
        ("/d/clients//roles", 400, "listClientRoles failed"),
        ("/nowhere", 404, "unknown operation failed"),
        (f"/nowhere/{SECRET}?{SECRET}", 404, "unknown operation failed"),
    ],
)
def test_with_a_token(service: Service, path: str, status: int, message: str) -> None:
    begun = now(service)
    assert asking.get(service.http + path, headers=service.headers).status_code == status
    assert [line["msg"] for line in told(service, begun, status)] == [message]


def test_what_is_served_has_a_name(service: Service) -> None:
    begun = now(service)
    for path in ("/docs", "/docs/start.js", "/openapi.json"):
        assert asking.get(service.http + path).status_code == 200
    assert [line["msg"] for line in told(service, begun, 200)][:1] == ["docs completed successfully"]
    assert not [line for line in service.lines[begun:] if "none" in line["msg"]]


def test_bytes_that_are_no_text(service: Service) -> None:
    begun = now(service)
    with Raw(service) as raw:
        raw.send(b"GET /d/clients/\xff\xfe%ff%00 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.answer().status in {400, 401}
    assert not [line for line in service.lines[begun:] if line.get("level") == "ERROR" or "exception" in line]


def test_metrics_count_them_apart(service: Service) -> None:
    """What strangers ask for is no part of an operation's numbers, and makes no new ones."""
    for _ in range(3):
        asking.request("POST", f"{service.http}/{uuid.uuid4()}/clients")
    text = asking.get(f"{service.http}/metrics").text
    assert 'clients_api_requests_total{code="401",operation="none"}' in text
    assert 'clients_api_requests_total{code="401",operation="createClient"}' not in text
