"""View, update, tags, status, parent, delete (schema/README.md#view)."""

import uuid
from typing import Any

import pytest

from tests.support.api import Api, error_of

GROUP = "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f50"
OTHER_GROUP = "7e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f51"

ON_ONE_CLIENT: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PATCH", "", {}),
    ("PATCH", "/tags", {"tags": []}),
    ("PATCH", "/secret", {"generate": True}),
    ("POST", "/enable", None),
    ("POST", "/disable", None),
    ("POST", "/parent", {"parent_group_id": GROUP}),
    ("DELETE", "/parent", None),
    ("DELETE", "", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ON_ONE_CLIENT)
@pytest.mark.parametrize("client_id", ["unknown", "foreign", "nope", "bulk", "a b", "%00", "%ff", "x%2Fparent", "..", "'"])
def test_an_id_that_is_none_of_the_domain(api: Api, other: Api, method: str, path: str, body: Any, client_id: str) -> None:
    foreign = other.create()["id"]
    known = {"unknown": str(uuid.uuid4()), "foreign": foreign}
    response = api.request(method, f"/clients/{known.get(client_id, client_id)}{path}", json=body)
    if client_id == ".." and path:  # a client library folds it: /{domain}/parent
        assert response.status_code in {404, 400}
    elif client_id == "..":
        assert response.status_code in {400, 404, 405}
    else:
        assert error_of(response) == (404, "not_found")
    assert other.request("GET", f"/clients/{foreign}").json()["status"] == "enabled"


def test_update_changes_what_is_sent(api: Api) -> None:
    client = api.create(name="a", tags=["t"], metadata={"a": 1}, private_metadata={"p": 1})
    path = f"/clients/{client['id']}"

    body = api.request("PATCH", path, json={"name": "b", "metadata": {"b": 2}, "tags": ["ignored"]}).json()
    assert (body["name"], body["metadata"], body["private_metadata"], body["tags"]) == ("b", {"b": 2}, {"p": 1}, ["t"])
    assert body["updated_at"] > body["created_at"]
    assert body["updated_by"]
    assert body["credentials"] == {}
    assert api.request("GET", path).json() == body

    body = api.request("PATCH", path, json={"name": "", "metadata": None, "private_metadata": {}}).json()
    assert (body["name"], body["metadata"]) == ("b", {"b": 2})
    assert "private_metadata" not in body

    again = api.request("PATCH", path, json={}).json()
    assert again["updated_at"] > body["updated_at"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "x" * 1025}, "invalid_name"),
        ({"metadata": {"a": "\0"}}, "malformed_request"),
        ({"metadata": 7}, "invalid_body"),
        (None, "invalid_body"),
    ],
)
def test_update_of_what_may_not_be_stored(api: Api, body: Any, code: str) -> None:
    client = api.create(name="a")
    response = api.request("PATCH", f"/clients/{client['id']}", json=body, content=b"null" if body is None else None)
    assert error_of(response) == (400, code)
    assert api.request("GET", f"/clients/{client['id']}").json()["name"] == "a"


def test_an_external_id_belongs_to_one_client(api: Api) -> None:
    first, other = api.create(external_id="SN-1"), api.create()
    path = f"/clients/{other['id']}"
    for method, place, body in (
        ("POST", "/clients", {"external_id": "SN-1"}),
        ("POST", "/clients/bulk", [{"external_id": "SN-2"}, {"external_id": "SN-2"}]),
        ("PATCH", path, {"external_id": "SN-1", "name": "changed"}),
    ):
        assert error_of(api.request(method, place, json=body)) == (409, "external_id_taken")
    assert "name" not in api.request("GET", path).json()
    assert api.listed(external_id="SN-1") == [first["id"]]
    for change, expected in ({"name": "n"}, "SN-1"), ({"external_id": None}, "SN-1"), ({"external_id": ""}, None):
        changed = api.request("PATCH", f"/clients/{first['id']}", json=change).json()
        assert changed.get("external_id") == expected
    assert api.request("PATCH", path, json={"external_id": "SN-1"}).json()["external_id"] == "SN-1"
    assert api.listed(external_id="SN-1") == [other["id"]]


def test_tags_are_replaced(api: Api) -> None:
    client = api.create(tags=["a", "b"])
    path = f"/clients/{client['id']}/tags"
    assert api.request("PATCH", path, json={"tags": ["b", "c"]}).json()["tags"] == ["b", "c"]
    assert (api.listed(tags="a"), api.listed(tags="c")) == ([], [client["id"]])
    nothing: list[dict[str, Any]] = [{"tags": []}, {"tags": None}, {}]
    for cleared in nothing:
        api.request("PATCH", path, json={"tags": ["x"]})
        assert "tags" not in api.request("PATCH", path, json=cleared).json()
    assert error_of(api.request("PATCH", path, json={"tags": ["x" * 256]})) == (400, "invalid_tags")


@pytest.mark.parametrize(("path", "body"), [("", {"name": "x"}), ("/tags", {"tags": []}), ("/secret", {"generate": True})])
def test_a_disabled_client_cannot_be_changed(api: Api, path: str, body: Any) -> None:
    client = api.create(status="disabled")
    assert error_of(api.request("PATCH", f"/clients/{client['id']}{path}", json=body)) == (404, "not_found")


def test_status(api: Api) -> None:
    client = api.create()
    path = f"/clients/{client['id']}"
    assert error_of(api.request("POST", f"{path}/enable")) == (409, "status_unchanged")
    disabled = api.request("POST", f"{path}/disable")
    assert (disabled.status_code, disabled.json()["status"]) == (200, "disabled")
    assert error_of(api.request("POST", f"{path}/disable")) == (409, "status_unchanged")
    assert api.request("GET", path).json() == disabled.json()
    assert (api.listed(), api.listed(status="disabled")) == ([], [client["id"]])
    assert api.request("POST", f"{path}/enable").json()["status"] == "enabled"


def test_parent_group(api: Api) -> None:
    client = api.create()
    path = f"/clients/{client['id']}/parent"
    response = api.request("POST", path, json={"parent_group_id": GROUP})
    assert (response.status_code, response.content, response.headers["content-type"]) == (200, b"", "application/json")
    assert api.request("GET", f"/clients/{client['id']}").json()["parent_group_id"] == GROUP
    assert error_of(api.request("POST", path, json={"parent_group_id": GROUP})) == (409, "same_parent")
    assert error_of(api.request("POST", path, json={"parent_group_id": OTHER_GROUP})) == (409, "has_parent")
    assert error_of(api.request("POST", path, json={})) == (400, "missing_parent_group")
    assert error_of(api.request("POST", path, json={"parent_group_id": "nope"})) == (400, "invalid_id")
    assert (api.listed(group=GROUP), api.listed(group="")) == ([client["id"]], [])

    for _ in range(2):
        response = api.request("DELETE", path, json={"parent_group_id": GROUP})
        assert (response.status_code, response.content) == (204, b"")
    assert (api.listed(group=GROUP), api.listed(group="")) == ([], [client["id"]])


def test_delete(api: Api) -> None:
    client = api.create(tags=["t"])
    path = f"/clients/{client['id']}"
    response = api.request("DELETE", path)
    assert (response.status_code, response.content, response.headers["content-type"]) == (204, b"", "application/json")
    assert error_of(api.request("GET", path)) == (404, "not_found")
    assert error_of(api.request("DELETE", path)) == (404, "not_found")
    assert api.listed(status="all") == []


class TestSecret:
    def test_a_sent_secret_is_not_echoed(self, api: Api) -> None:
        client = api.create(credentials={"identity": "i"})
        body = api.request("PATCH", f"/clients/{client['id']}/secret", json={"secret": "open sesame"}).json()
        assert body["credentials"] == {"identity": "i"}

    def test_a_generated_one_is_shown_once(self, api: Api) -> None:
        client = api.create()
        path = f"/clients/{client['id']}"
        body = api.request("PATCH", f"{path}/secret", json={"generate": True}).json()
        assert uuid.UUID(body["credentials"]["secret"]).version == 4
        assert body["credentials"]["secret"] != client["credentials"]["secret"]
        assert api.request("GET", path).json()["credentials"] == {}

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({}, 400, "missing_secret"),
            ({"secret": ""}, 400, "missing_secret"),
            ({"generate": False}, 400, "missing_secret"),
            ({"generate": True, "secret": "x"}, 400, "invalid_secret"),
            ({"secret": 7}, 400, "invalid_body"),
            ({"generate": True, "grace": -1}, 400, "invalid_grace"),
            ({"generate": True, "grace": 30 * 24 * 3600 + 1}, 400, "invalid_grace"),
            ({"generate": True, "grace": "1h"}, 400, "invalid_body"),
            ({"secret": "x" * 4097}, 400, "invalid_secret"),
            ({"secret": "  "}, 400, "invalid_secret"),
            ({"secret": "\0"}, 400, "malformed_request"),
        ],
    )
    def test_what_is_no_secret(self, api: Api, body: Any, status: int, code: str) -> None:
        client = api.create()
        assert error_of(api.request("PATCH", f"/clients/{client['id']}/secret", json=body)) == (status, code)

    def test_the_secret_of_another_client_is_taken(self, api: Api) -> None:
        """In both forms, and while it retires."""
        for secret in (str(uuid.uuid4()), "open sesame"):
            holder, other = api.create(credentials={"secret": secret}), api.create()
            path = f"/clients/{other['id']}/secret"
            assert error_of(api.request("PATCH", path, json={"secret": secret})) == (409, "secret_taken")
            api.request("PATCH", f"/clients/{holder['id']}/secret", json={"generate": True, "grace": 60})
            assert error_of(api.request("PATCH", path, json={"secret": secret})) == (409, "secret_taken")
            api.request("PATCH", f"/clients/{holder['id']}/secret", json={"generate": True})
            assert api.request("PATCH", path, json={"secret": secret}).status_code == 200

    def test_four_secrets_retire_at_most(self, api: Api) -> None:
        client = api.create()
        path = f"/clients/{client['id']}/secret"
        for _ in range(4):
            assert api.request("PATCH", path, json={"generate": True, "grace": 60}).status_code == 200
        assert error_of(api.request("PATCH", path, json={"generate": True, "grace": 60})) == (409, "too_many_retiring")
        assert api.request("PATCH", path, json={"generate": True}).status_code == 200
        assert api.request("PATCH", path, json={"generate": True, "grace": 60}).status_code == 200
