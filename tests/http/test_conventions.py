"""What holds for every route (schema/README.md#http)."""

import uuid
from typing import Any

import httpx
import pytest

from tests.support import asking
from tests.support.api import Api, error_of
from tests.support.service import Service, started

ROUTES = [
    ("POST", "/clients"), ("POST", "/clients/bulk"), ("GET", "/clients"), ("GET", "/clients/{id}"), ("PATCH", "/clients/{id}"),
    ("PATCH", "/clients/{id}/tags"), ("PATCH", "/clients/{id}/secret"), ("POST", "/clients/{id}/enable"),
    ("POST", "/clients/{id}/disable"), ("POST", "/clients/{id}/parent"), ("DELETE", "/clients/{id}/parent"),
    ("DELETE", "/clients/{id}"), ("POST", "/channels/connect"), ("POST", "/channels/disconnect"),
    ("POST", "/channels/{id}/connect"), ("POST", "/channels/{id}/disconnect"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("GET", "/clients/nope/nope/nope"), ("PUT", "/clients")])
@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "missing_token"),
        ("", "missing_token"),
        ("Bearer", "missing_token"),
        ("bearer TOKEN", "missing_token"),
        ("Basic dXNlcjpwYXNz", "missing_token"),
        ("Bearer  TOKEN", "unauthenticated"),
        ("Bearer TOKENx", "unauthenticated"),
        ("Bearer wröng", "unauthenticated"),
    ],
)
def test_no_route_without_the_token(service: Service, method: str, path: str, authorization: str | None, code: str) -> None:
    headers = [] if authorization is None else [(b"authorization", authorization.replace("TOKEN", service.token).encode())]
    url = f"{service.http}/d1{path.format(id=uuid.uuid4())}"
    response = asking.request(method, url, headers=headers)
    assert error_of(response) == (401, code)
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("domain", ["health", "ready", "metrics", "docs", "openapi.json", "-", "a.b_c-D9", "...", "x" * 36])
def test_any_name_of_that_form_is_a_domain(service: Service, domain: str) -> None:
    with Api(service, domain) as api:
        client = api.create(name=str(uuid.uuid4()))
        assert client["domain_id"] == domain
        assert api.request("GET", f"/clients/{client['id']}").json()["name"] == client["name"]


@pytest.mark.parametrize("domain", ["a b", "a%2Fb", "ä", "%00", "x" * 37, "%2e%2e", "a:b", "%ff"])
def test_other_names_are_not(service: Service, domain: str) -> None:
    response = asking.get(f"{service.http}/{domain}/clients", headers=service.headers)
    assert error_of(response) == (400, "invalid_id")


def _raw(service: Service, method: str, path: bytes) -> httpx.Response:
    """A request with exactly this path, whatever a client library thinks of it."""
    url = httpx.URL(service.http).copy_with(raw_path=path)
    return asking.request(method, url, headers=service.headers)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", b"//clients", (400, "missing_domain")),
        ("GET", b"//clients/x", (400, "missing_domain")),
        ("PATCH", b"/d1/clients//tags", (400, "missing_id")),
        ("DELETE", b"/d1/clients//parent", (400, "missing_id")),
        ("GET", b"/d1/clients//", (400, "missing_id")),
        ("POST", b"/d1/channels//connect", (400, "missing_id")),
        ("POST", b"/d1/clients/bulk/", (404, "no_route")),
        ("PATCH", b"/d1/clients/x/tags/", (404, "no_route")),
        ("GET", b"/d1/clients/x/nope", (404, "no_route")),
        ("GET", b"/d1/clients/x%2Fenable", (404, "not_found")),
        ("DELETE", b"/d1/clients/x%2Fparent", (404, "not_found")),
        ("GET", b"/d1/clients/bulk", (404, "not_found")),
        ("GET", b"/d1/nope", (404, "no_route")),
        ("GET", b"/", (404, "no_route")),
        ("GET", b"/nope", (404, "no_route")),
        ("GET", b"/docs/../secrets", (404, "no_route")),
        ("PUT", b"/d1/clients", (405, "method_not_allowed")),
        ("GET", b"/d1/clients/x/enable", (405, "method_not_allowed")),
        ("GET", b"/d1/channels/connect", (405, "method_not_allowed")),
        ("POST", b"/health", (405, "method_not_allowed")),
    ],
)
def test_paths(service: Service, method: str, path: bytes, expected: tuple[int, str]) -> None:
    response = _raw(service, method, path)
    assert error_of(response) == expected
    if expected[0] == 405:
        assert response.headers["allow"]


def test_a_trailing_slash_is_accepted_behind_collections_and_ids(api: Api) -> None:
    client = api.create()
    assert api.request("GET", "/clients/").status_code == 200
    assert api.request("GET", f"/clients/{client['id']}/").status_code == 200


def test_unknown_paths_need_no_token_and_unknown_methods_of_ours_do(service: Service) -> None:
    assert asking.get(f"{service.http}/nope").status_code == 404
    assert asking.request("PUT", f"{service.http}/d1/clients").status_code == 401


def test_health(service: Service) -> None:
    response = asking.get(f"{service.http}/health")
    assert response.headers["content-type"] == "application/health+json"
    body = response.json()
    assert set(body) == {"status", "version", "commit", "description", "build_time", "instance_id"}
    assert (body["status"], body["description"]) == ("pass", "clients service")


def test_ready(api: Api) -> None:
    created = api.create()
    response = asking.get(f"{api.service.http}/ready")
    assert response.status_code == 200
    body = response.json()
    assert body["status"] == "ready"
    assert body["storage"]["writable"]
    assert body["storage"]["last_commit"] >= created["created_at"]


def test_metrics_count_and_tell_no_secret(api: Api) -> None:
    client = api.create()
    text = asking.get(f"{api.service.http}/metrics").text
    assert 'clients_api_requests_total{code="201",operation="createClient"}' in text
    assert "clients_api_request_duration_seconds_bucket" in text
    assert "process_resident_memory_bytes" in text
    for secret in (client["credentials"]["secret"], api.service.token):
        assert secret not in text


def test_the_page_of_the_api_needs_nothing_from_elsewhere(service: Service) -> None:
    page = asking.get(f"{service.http}/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "//" not in page.text.replace("<!doctype html>", "")
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert name in page.text
        for encoding in ("gzip", "identity"):
            asset = asking.get(f"{service.http}/docs/{name}", headers={"accept-encoding": encoding})
            assert asset.status_code == 200
            assert len(asset.text) > 50
    assert asking.get(f"{service.http}/docs/nope").status_code == 404
    document = asking.get(f"{service.http}/openapi.json").json()
    assert document["openapi"].startswith("3.")


def test_only_the_domains_named_are_served(tmp_path: Any) -> None:
    named = {"MG_CLIENTS_STANDALONE_DOMAINS": "d1, d2"}
    with started(tmp_path / "data", named) as service, Api(service, "d2") as allowed, Api(service, "d3") as other:
        client = allowed.create()
        for method, path in ROUTES:
            response = other.request(
                method,
                path.format(id=client["id"]),
                json={"secret": "x", "parent_group_id": client["id"], "client_ids": [client["id"]],
                      "channel_ids": [client["id"]], "types": ["publish"]} if "bulk" not in path else [{}],
            )  # fmt: skip
            assert error_of(response) == (403, "domain_forbidden"), (method, path)


def test_logs_name_requests_and_no_secret(tmp_path: Any) -> None:
    with started(tmp_path / "data", {"MG_CLIENTS_LOG_LEVEL": "debug"}) as service, Api(service) as api:
        chosen = "correct horse battery staple"
        client = api.create(credentials={"secret": chosen})
        rotated = api.request("PATCH", f"/clients/{client['id']}/secret", json={"generate": True}).json()
        api.request("GET", f"/clients/{client['id']}")
        api.request("GET", "/clients/nope")
        token = service.token
    lines = [line for line in service.lines if line.get("request_id")]
    assert [line["msg"] for line in lines] == [
        "createClient completed successfully",
        "updateClientSecret completed successfully",
        "viewClient completed successfully",
        "viewClient failed",
    ]
    assert len({line["request_id"] for line in lines}) == 4
    assert {line["domain_id"] for line in lines} == {api.domain}
    for secret in (chosen, rotated["credentials"]["secret"], token):
        assert secret not in str(service.lines)


def test_a_channels_service_has_its_routes_to_itself(tmp_path: Any) -> None:
    with started(tmp_path / "data", {"MG_CHANNELS_GRPC_URL": "localhost:7005"}) as service, Api(service) as api:
        body = {"client_ids": [api.create()["id"]], "types": ["publish"]}
        assert error_of(api.request("POST", f"/channels/{uuid.uuid4()}/connect", json=body)) == (404, "no_route")
