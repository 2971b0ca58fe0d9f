"""POST /clients and /clients/bulk (schema/README.md#create)."""

import uuid
from typing import Any

import pytest

from tests.support.api import Api, error_of
from tests.support.service import started

UUID = "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f50"


def test_a_client_comes_back_as_stored_with_its_secret_and_place(api: Api) -> None:
    wanted = {
        "name": "boiler",
        "external_id": "SN-7/Ä",
        "tags": ["a", "b"],
        "metadata": {"big": 2**70, "x": 1.5, "ünï": "<&>", "nested": {"a": [1, None, True]}},
        "private_metadata": {"k": "v"},
        "credentials": {"identity": "boiler@plant"},
        "parent_group_id": UUID,
    }
    response = api.request("POST", "/clients", json=wanted)
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert response.headers["location"] == f"/clients/{body['id']}"
    secret = body["credentials"].pop("secret")
    assert uuid.UUID(secret).version == 4
    assert uuid.UUID(body.pop("id")).version == 7
    assert body.pop("created_at").endswith("Z")
    assert body == wanted | {"domain_id": api.domain, "status": "enabled"}
    assert "<&>" in response.text


def test_an_empty_client_has_only_what_is_always_there(api: Api) -> None:
    body = api.create()
    assert list(body) == ["id", "domain_id", "credentials", "created_at", "status"]
    viewed = api.request("GET", f"/clients/{body['id']}").json()
    assert viewed == body | {"credentials": {}}


def test_what_sdks_always_send_is_accepted(api: Api) -> None:
    """The zero time, empty objects, nulls and unknown keys (schema/README.md#bodies)."""
    body = api.create(
        id="",
        name="n",
        tags=None,
        credentials={"identity": "", "secret": ""},
        metadata=None,
        created_at="0001-01-01T00:00:00Z",
        updated_at="0001-01-01T00:00:00Z",
        status="enabled",
        whatever={"a": 1},
        updated_by="somebody",
        connection_types=["Publish", "subscribe"],
    )
    assert "updated_at" not in body
    assert "updated_by" not in body
    assert "tags" not in body


def test_ids_and_secrets_may_be_chosen(api: Api) -> None:
    wanted, secret = str(uuid.uuid4()), str(uuid.uuid4())
    body = api.create(id=wanted, credentials={"secret": secret}, status="disabled")
    assert (body["id"], body["credentials"]["secret"], body["status"]) == (wanted, secret, "disabled")


def test_the_second_of_two_identical_requests_is_a_conflict(api: Api) -> None:
    fields: dict[str, Any] = {"id": str(uuid.uuid4())}
    api.create(**fields)
    assert error_of(api.request("POST", "/clients", json=fields)) == (409, "id_taken")


def test_a_secret_is_taken_in_its_domain_only(api: Api, other: Api) -> None:
    secret = {"credentials": {"secret": str(uuid.uuid4())}}
    api.create(**secret)
    assert error_of(api.request("POST", "/clients", json=secret)) == (409, "secret_taken")
    other.create(**secret)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"id": "nope"}, "invalid_id"),
        ({"id": UUID.upper()}, "invalid_id"),
        ({"name": "x" * 1025}, "invalid_name"),
        ({"name": "é" * 513}, "invalid_name"),
        ({"credentials": {"identity": "x" * 255}}, "invalid_identity"),
        ({"external_id": "x" * 256}, "invalid_external_id"),
        ({"external_id": "\0"}, "malformed_request"),
        ({"credentials": {"secret": "x" * 4097}}, "invalid_secret"),
        ({"credentials": {"secret": "  "}}, "invalid_secret"),
        ({"credentials": {"secret": "\t\u00a0\n"}}, "invalid_secret"),
        ({"id": UUID, "credentials": {"secret": UUID}}, "invalid_secret"),
        ({"tags": ["t"] * 101}, "invalid_tags"),
        ({"tags": ["x" * 256]}, "invalid_tags"),
        ({"metadata": {"x": "y" * 65536}}, "invalid_metadata"),
        ({"metadata": {"x": [0] * 1001}}, "invalid_metadata"),
        ({"status": "deleted"}, "invalid_status"),
        ({"status": "all"}, "invalid_status"),
        ({"status": 0}, "invalid_status"),
        ({"status": None}, "invalid_status"),
        ({"status": {}}, "invalid_status"),
        ({"parent_group_id": "nope"}, "invalid_id"),
        ({"name": 7}, "invalid_body"),
        ({"tags": "a"}, "invalid_body"),
        ({"tags": [None]}, "invalid_body"),
        ({"metadata": []}, "invalid_body"),
        ({"credentials": "x"}, "invalid_body"),
        ({"created_at": "yesterday"}, "invalid_body"),
        ({"created_at": "2026-01-01T00:00:00"}, "invalid_body"),
        ({"connection_types": ["both"]}, "invalid_body"),
        ({"name": "a\0b"}, "malformed_request"),
        ({"tags": ["\0"]}, "malformed_request"),
        ({"metadata": {"a": ["\0"]}}, "malformed_request"),
        ({"metadata": {"\0": 1}}, "malformed_request"),
        ({"private_metadata": {"a": {"b": "\0"}}}, "malformed_request"),
        ({"credentials": {"secret": "a\0b"}}, "malformed_request"),
        ({"credentials": {"identity": "\0"}}, "malformed_request"),
    ],
)
def test_what_may_not_be_stored(api: Api, fields: dict[str, Any], code: str) -> None:
    assert error_of(api.request("POST", "/clients", json=fields)) == (400, code)
    assert api.listed(status="all") == []


def test_a_secret_may_not_be_the_domains_name(api: Api) -> None:
    fields = {"credentials": {"secret": api.domain}}
    assert error_of(api.request("POST", "/clients", json=fields)) == (400, "invalid_secret")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b'"x"', b"{", b"{}{}", b"{} x", b'{"name":"\xff"}', b'{"x":"\xff"}', b'{"name":"\\ud800"}',
        b'{"metadata":{"a":1e999}}', b'{"metadata":{"a":NaN}}', b"\xef\xbb\xbf{}",
        b'{"metadata":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_json(api: Api, body: bytes) -> None:
    assert error_of(api.request("POST", "/clients", content=body)) == (400, "invalid_body")


def test_metadata_may_be_32_deep_and_no_deeper(api: Api) -> None:
    def nested(depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for _ in range(depth - 1):
            value = {"a": value}
        return value

    api.create(metadata=nested(32))
    assert error_of(api.request("POST", "/clients", json={"metadata": nested(33)})) == (400, "invalid_metadata")


def test_the_last_of_duplicate_keys_wins(api: Api) -> None:
    response = api.request("POST", "/clients", content=b'{"metadata":{"a":1,"a":2}}')
    assert response.json()["metadata"] == {"a": 2}


@pytest.mark.parametrize("content_type", ["text/plain", "Application/JSON", "", "application/xml"])
def test_other_content_types(api: Api, content_type: str) -> None:
    response = api.request("POST", "/clients", content=b"{}", headers={"Content-Type": content_type})
    assert error_of(response) == (415, "unsupported_media_type")


def test_a_content_type_may_have_parameters(api: Api) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert api.request("POST", "/clients", content=b"{}", headers=headers).status_code == 201


def test_bulk(api: Api) -> None:
    wanted = [{"name": f"c{n}", "tags": ["t"]} for n in range(300)]
    response = api.request("POST", "/clients/bulk", json=wanted)
    assert response.status_code == 200
    assert "location" not in response.headers
    body = response.json()
    assert set(body) == {"total", "clients"}
    assert body["total"] == 300
    assert [client["name"] for client in body["clients"]] == [one["name"] for one in wanted]
    assert len({client["credentials"]["secret"] for client in body["clients"]}) == 300
    assert api.request("GET", "/clients", params={"tags": "t"}).json()["total"] == 300


@pytest.mark.parametrize(
    ("elements", "status", "code"),
    [
        ([], 400, "empty_list"),
        ([{}, {"id": "nope"}], 400, "invalid_id"),
        ([{}, {"id": UUID}, {"id": UUID}], 409, "id_taken"),
        ([{}, {"credentials": {"secret": "same"}}, {"credentials": {"secret": "same"}}], 409, "secret_taken"),
        ([{}, None], 400, "invalid_body"),
        ({}, 400, "invalid_body"),
        ([{}] * 10_001, 413, "too_many_elements"),
        ([{"metadata": {"x": [0] * 1000}}] * 201, 413, "too_many_elements"),
        ([{"credentials": {"secret": f"chosen {n}"}} for n in range(101)], 413, "too_many_chosen_secrets"),
    ],
)
def test_one_bad_element_and_nothing_is_created(api: Api, elements: Any, status: int, code: str) -> None:
    assert error_of(api.request("POST", "/clients/bulk", json=elements)) == (status, code)
    assert api.listed(status="all") == []


def test_bodies_have_their_size(api: Api) -> None:
    large = {"name": "x", "metadata": {"pad": "y" * 1024 * 1024}}
    assert error_of(api.request("POST", "/clients", json=large)) == (413, "body_too_large")
    assert error_of(api.request("POST", "/clients/bulk", content=b" " * (16 * 1024 * 1024 + 1))) == (413, "body_too_large")
    many = [{"private_metadata": {"pad": "y" * 20000}} for _ in range(100)]
    assert api.request("POST", "/clients/bulk", json=many).status_code == 200


def test_taken_secrets_are_told_a_few_times_a_minute(tmp_path: Any) -> None:
    """ "In use" says that a guess was right: past ten such answers nothing is said, right or wrong."""
    with started(tmp_path / "data") as service, Api(service) as api:
        secret = {"credentials": {"secret": str(uuid.uuid4())}}
        api.create(**secret)
        answers = [error_of(api.request("POST", "/clients", json=secret)) for _ in range(12)]
        assert answers == [(409, "secret_taken")] * 10 + [(429, "throttled")] * 2
        response = api.request("POST", "/clients", json={"credentials": {"secret": str(uuid.uuid4())}})
        assert error_of(response) == (429, "throttled")
        assert int(response.headers["retry-after"]) > 0
        api.create()
