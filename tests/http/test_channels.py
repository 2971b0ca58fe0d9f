"""Connect and disconnect (schema/README.md#connections)."""

import uuid
from typing import Any

import pytest

from tests.support.api import Api, error_of


def _types(api: Api, channel: str) -> dict[str, list[str]]:
    clients = api.request("GET", "/clients", params={"channel": channel}).json()["clients"]
    return {client["id"]: client["connection_types"] for client in clients}


def test_many_to_many(api: Api) -> None:
    a, b = api.create()["id"], api.create()["id"]
    one, two = str(uuid.uuid4()), str(uuid.uuid4())
    body = {"channel_ids": [one, two], "client_ids": [a, b], "types": ["publish", "SUBSCRIBE"]}
    response = api.request("POST", "/channels/connect", json=body)
    assert (response.status_code, response.content, response.headers["content-type"]) == (201, b"", "application/json")
    assert _types(api, one) == _types(api, two) == {a: ["Publish", "Subscribe"], b: ["Publish", "Subscribe"]}

    response = api.request("POST", "/channels/disconnect", json=body | {"types": ["Publish"], "client_ids": [a]})
    assert (response.status_code, response.content) == (204, b"")
    assert _types(api, one) == {a: ["Subscribe"], b: ["Publish", "Subscribe"]}
    assert api.request("POST", "/channels/disconnect", json=body).status_code == 204
    assert _types(api, one) == {}
    assert api.request("POST", "/channels/disconnect", json=body).status_code == 204


def test_one_channel(api: Api) -> None:
    client, channel = api.create()["id"], str(uuid.uuid4())
    body = {"client_ids": [client], "types": ["Subscribe"]}
    assert api.request("POST", f"/channels/{channel}/connect", json=body).status_code == 201
    assert _types(api, channel) == {client: ["Subscribe"]}
    assert api.request("POST", f"/channels/{channel}/disconnect", json=body).status_code == 204
    assert _types(api, channel) == {}


def test_what_is_connected_is_a_conflict_and_nothing_changes(api: Api) -> None:
    a, b, channel = api.create()["id"], api.create()["id"], str(uuid.uuid4())
    body = {"client_ids": [a], "types": ["publish"]}
    api.request("POST", f"/channels/{channel}/connect", json=body)
    both = {"client_ids": [b, a], "types": ["publish"]}
    assert error_of(api.request("POST", f"/channels/{channel}/connect", json=both)) == (409, "already_connected")
    assert _types(api, channel) == {a: ["Publish"]}


def test_one_bad_client_and_nothing_is_connected(api: Api, other: Api) -> None:
    good, disabled, foreign = api.create()["id"], api.create(status="disabled")["id"], other.create()["id"]
    for bad, expected in (
        (disabled, (422, "client_not_enabled")),
        (foreign, (404, "not_found")),
        (str(uuid.uuid4()), (404, "not_found")),
        ("nope", (404, "not_found")),
    ):
        channel = str(uuid.uuid4())
        body = {"client_ids": [good, bad], "types": ["publish"]}
        assert error_of(api.request("POST", f"/channels/{channel}/connect", json=body)) == expected
        assert _types(api, channel) == {}


def test_a_disabled_client_can_be_disconnected(api: Api) -> None:
    client, channel = api.create()["id"], str(uuid.uuid4())
    body = {"client_ids": [client], "types": ["publish"]}
    api.request("POST", f"/channels/{channel}/connect", json=body)
    api.request("POST", f"/clients/{client}/disable")
    assert api.request("POST", f"/channels/{channel}/disconnect", json=body).status_code == 204


@pytest.mark.parametrize("verb", ["connect", "disconnect"])
@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"channel_ids": []}, 400, "missing_id"),
        ({"channel_ids": None}, 400, "missing_id"),
        ({"client_ids": []}, 400, "missing_id"),
        ({"types": []}, 400, "missing_connection_type"),
        ({"types": ["both"]}, 400, "invalid_body"),
        ({"types": [1]}, 400, "invalid_body"),
        ({"channel_ids": [" "]}, 400, "missing_channel_id"),
        ({"client_ids": [""]}, 400, "missing_channel_id"),
        ({"channel_ids": ["nope"]}, 400, "invalid_id"),
        ({"channel_ids": "x"}, 400, "invalid_body"),
        ({"channel_ids": [str(uuid.uuid4()) for _ in range(10_001)]}, 413, "too_many_elements"),
    ],
)
def test_what_is_no_set_of_connections(api: Api, verb: str, changed: dict[str, Any], status: int, code: str) -> None:
    body = {"channel_ids": [str(uuid.uuid4())], "client_ids": [str(uuid.uuid4())], "types": ["publish"]} | changed
    assert error_of(api.request("POST", f"/channels/{verb}", json=body)) == (status, code)


@pytest.mark.parametrize("verb", ["connect", "disconnect"])
def test_a_channel_in_the_path_that_is_none(api: Api, verb: str) -> None:
    body = {"client_ids": [api.create()["id"]], "types": ["publish"]}
    assert error_of(api.request("POST", f"/channels/nope/{verb}", json=body)) == (404, "not_found")
