"""GET /clients: what is parsed, and that it reaches the store. What is found is the store's contract.

See schema/README.md#list.
"""

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.api import Api, error_of

CHANNEL = "d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c"


def test_the_shape_of_a_page(api: Api) -> None:
    ids = [api.create(name=f"c{n}")["id"] for n in range(3)]
    page = api.request("GET", "/clients", params={"limit": 2, "offset": 1}).json()
    assert list(page) == ["limit", "offset", "total", "clients"]
    assert (page["limit"], page["offset"], page["total"]) == (2, 1, 3)
    assert [client["id"] for client in page["clients"]] == ids[1::-1]
    assert all(client["credentials"] == {} for client in page["clients"])
    assert list(api.request("GET", "/clients").json()) == ["limit", "total", "clients"]


def test_an_empty_page_has_an_empty_list(api: Api) -> None:
    assert api.request("GET", "/clients/").json() == {"limit": 10, "total": 0, "clients": []}


def test_filters(api: Api) -> None:
    a = api.create(name="Alpha", tags=["x", "y"], metadata={"k": {"v": 1}, "l": [1, 2]})["id"]
    b = api.create(name="beta", tags=["y", "z z"], metadata={"k": {"v": 2}})["id"]
    c = api.create(name="gamma", status="disabled")["id"]
    body = {"channel_ids": [CHANNEL], "client_ids": [a, b], "types": ["publish"]}
    assert api.request("POST", "/channels/connect", json=body).status_code == 201
    for query, found in {
        "name=ALPH": [a],
        "tags=x": [a],
        "tags=x,z%20z": [b, a],
        "tags=x+y": [a],
        "tags=x%2By": [a],
        "tags=y+z%20z": [b],
        "tags=x%2C%20z%20z": [b, a],
        "tags=": [b, a],
        "status=disabled": [c],
        "status=all": [c, b, a],
        "status=": [b, a],
        "metadata=" + quote('{"k":{"v":1.0}}'): [a],
        "metadata=" + quote('{"l":[2]}'): [a],
        "metadata=null": [b, a],
        "metadata=%7B%7D": [b, a],
        f"id={b}": [b],
        "order=name&dir=asc": [a, b],
        "order=name&dir=desc": [b, a],
        "order=created_at&dir=": [a, b],
        "order=&dir=asc": [a, b],
        "group=": [b, a],
        f"channel={CHANNEL}": [b, a],
        f"channel={CHANNEL}&connection_type=PUBLISH": [b, a],
        f"channel={CHANNEL}&connection_type=subscribe": [],
        "connection_type=subscribe": [b, a],
        "created_from=2020-01-01T00:00:00Z": [b, a],
        "created_from=2020-01-01T00:00:00%2B02:00&created_to=2020-01-02T00:00:00.5Z": [],
        "with_attributes=true&with_metadata=x&identity=a&identity=b": [b, a],
        "offset=18446744073709551615": [],
    }.items():
        assert [one["id"] for one in api.request("GET", f"/clients?{query}").json()["clients"]] == found, query
    listed = api.request("GET", f"/clients?channel={CHANNEL}").json()["clients"][0]
    assert listed["connection_types"] == ["Publish"]
    counted = api.request("GET", "/clients?only_total=true").json()
    assert counted == {"limit": 10, "total": 2, "clients": []}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "invalid_limit"),
        ("limit=101", "invalid_limit"),
        ("limit=-1", "invalid_query"),
        ("limit=1.0", "invalid_query"),
        ("limit=", "invalid_query"),
        ("limit=1&limit=1", "invalid_query"),
        ("offset=18446744073709551616", "invalid_query"),
        ("offset=%D9%A1", "invalid_query"),
        ("order=id", "invalid_order"),
        ("dir=up", "invalid_direction"),
        ("status=frozen", "invalid_status"),
        ("name=" + "x" * 1025, "invalid_name"),
        ("name=%ff", "invalid_query"),
        ("name=a%00", "invalid_query"),
        ("metadata=", "invalid_query"),
        ("metadata=[]", "invalid_query"),
        ("metadata=7", "invalid_query"),
        ("metadata=%7B", "invalid_query"),
        ("metadata=" + quote('{"a":' * 40 + "1" + "}" * 40), "invalid_metadata"),
        ("metadata=" + quote('{"a":"\\u0000"}'), "malformed_request"),
        ("only_total=yes", "invalid_query"),
        ("created_from=yesterday", "invalid_query"),
        ("created_to=2026-01-01", "invalid_query"),
        ("created_to=2026-01-01T00:00:00", "invalid_query"),
        ("connection_type=both", "invalid_query"),
        ("tags=" + ",".join("x" * 101), "invalid_query"),
        ("limit=0&offset=x", "invalid_query"),
        ("order=id&limit=0", "invalid_limit"),
    ],
)
def test_what_is_no_query(api: Api, query: str, code: str) -> None:
    assert error_of(api.request("GET", f"/clients?{query}")) == (400, code)


def test_a_query_of_a_thousand_values(api: Api) -> None:
    """Metadata with more leaves than a statement has room for is still answered."""
    metadata: dict[str, Any] = {f"k{n}": n for n in range(1000)}
    client = api.create(metadata=metadata)
    query = quote("{" + ",".join(f'"k{n}":{n}' for n in range(1000)) + "}")
    response = api.request("GET", f"/clients?metadata={query}")
    assert [one["id"] for one in response.json()["clients"]] == [client["id"]]
