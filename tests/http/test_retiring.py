"""GET /clients/retiring-secrets (schema/README.md#retiring-secrets)."""

import time
import uuid
from typing import Any

import pytest

from edgeclients._pb.clients.v1 import clients_pb2
from tests.support.api import Api, basic, error_of
from tests.support.people import Town
from tests.support.waiting import wait_until

PATH = "/clients/retiring-secrets"


def page(api: Api, **query: Any) -> dict[str, Any]:
    response = api.request("GET", PATH, params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def every(api: Api, **query: Any) -> list[dict[str, Any]]:
    """The secrets of all pages."""
    found, after = [], ""
    while True:
        part = page(api, after=after, **query)
        found += part["secrets"]
        if "next" not in part:
            return found
        after = part["next"]


def rotate(api: Api, client: dict[str, Any], grace: int) -> dict[str, Any]:
    response = api.request("PATCH", f"/clients/{client['id']}/secret", json={"generate": True, "grace": grace})
    assert response.status_code == 200, response.text
    rotated: dict[str, Any] = response.json()
    return rotated


def test_when_each_was_last_used(api: Api, stub: Any) -> None:
    client = api.create(name="boiler", external_id="SN-1")
    assert page(api) == {"secrets": []}
    rotated = rotate(api, client, 3600)
    (one,) = page(api)["secrets"]
    assert "last_used_at" not in one
    assert (one["client_id"], one["name"], one["external_id"], one["status"]) == (client["id"], "boiler", "SN-1", "enabled")
    assert one["retired_at"] < one["expires_at"]
    stub.Authenticate(clients_pb2.AuthnReq(token=basic(client["id"], rotated["credentials"]["secret"])))
    assert "last_used_at" not in page(api)["secrets"][0], "the new one does not count"
    stub.Authenticate(clients_pb2.AuthnReq(token=basic(client["id"], client["credentials"]["secret"])))
    wait_until(lambda: "last_used_at" in page(api)["secrets"][0], "the use is noted")
    (used,) = page(api)["secrets"]
    assert used["retired_at"] <= used["last_used_at"]
    assert used == one | {"last_used_at": used["last_used_at"]}
    assert page(api, client=client["id"])["secrets"] == [used]
    rotate(api, client, 0)
    assert page(api) == page(api, client=client["id"]) == {"secrets": []}


def test_pages_in_the_order_of_expiry(api: Api, other: Api) -> None:
    wanted = []
    for number in range(7):
        client = api.create(name=str(number))
        for grace in (100 + number * 10, 200 - number * 10):
            rotate(api, client, grace)
            wanted.append((grace, client["id"]))
    rotate(other, other.create(), 50)
    api.create()
    for limit in (1, 2, 3, 100):
        assert [one["client_id"] for one in every(api, limit=limit)] == [client_id for _, client_id in sorted(wanted)]
    assert len(page(api, limit=3)["secrets"]) == 3
    assert len(page(api)["secrets"]) == 10
    ends = [one["expires_at"] for one in every(api)]
    assert ends == sorted(ends)
    disabled = wanted[0][1]
    api.request("POST", f"/clients/{disabled}/disable")
    assert {one["status"] for one in every(api) if one["client_id"] == disabled} == {"disabled"}
    api.request("DELETE", f"/clients/{disabled}")
    assert len(every(api)) == 12


def test_one_that_has_expired_is_none_any_more(api: Api) -> None:
    client = api.create()
    rotate(api, client, 1)
    rotated_for_long = rotate(api, api.create(), 3600)
    wait_until(lambda: len(page(api)["secrets"]) == 1, "it expires")
    assert page(api)["secrets"][0]["client_id"] == rotated_for_long["id"]
    assert page(api, client=client["id"]) == {"secrets": []}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"after": "x"}, "invalid_query"),
        ({"after": "1_x"}, "invalid_query"),
        ({"after": "1" * 19 + "_" + str(uuid.uuid4())}, "invalid_query"),
        ({"limit": 0}, "invalid_limit"),
        ({"limit": 101}, "invalid_limit"),
    ],
)
def test_wrong_queries(api: Api, query: dict[str, Any], code: str) -> None:
    assert error_of(api.request("GET", PATH, params=query)) == (400, code)


def test_a_client_that_is_not_there(api: Api, other: Api) -> None:
    for client_id in (str(uuid.uuid4()), other.create()["id"], "x"):
        assert error_of(api.request("GET", PATH, params={"client": client_id})) == (404, "not_found")
    for method in ("POST", "PATCH", "DELETE"):
        assert error_of(api.request(method, PATH))[0] == 404, "it is no client either"


def test_any_place_may_be_asked_for(api: Api) -> None:
    rotate(api, api.create(), 60)
    now = time.time_ns() // 1000
    assert len(page(api, after=f"{now}_{uuid.uuid4()}")["secrets"]) == 1
    assert page(api, after=f"{10**18 - 1}_{'-' * 36}") == {"secrets": []}


def test_who_may_list_all(town: Town) -> None:
    """Those who see every client; others see those of a client that they may view."""
    admin, member = town.admin, town.member
    client = admin.create()
    rotate(admin, client, 60)
    assert len(page(admin)["secrets"]) == 1
    assert error_of(member.request("GET", PATH)) == (403, "forbidden")
    assert error_of(member.request("GET", PATH, params={"client": client["id"]})) == (403, "forbidden")
    admin.give_role(client["id"], "reader", ["read"], [member.user])
    assert error_of(member.request("GET", PATH)) == (403, "forbidden")
    assert page(member, client=client["id"]) == page(admin, client=client["id"])
