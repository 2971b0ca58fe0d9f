"""Roles of a client and what they allow (schema/README.md#roles). Who may call what is in test_who_may.py."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support import asking
from tests.support.api import Api, error_of
from tests.support.people import Town
from tests.support.service import Service

ACTIONS = [
    "update", "read", "delete", "set_parent_group", "connect_to_channel",
    "manage_role", "add_role_users", "remove_role_users", "view_role_users",
]  # fmt: skip
NEVER = "0001-01-01T00:00:00Z"
KEYS = ["id", "name", "entity_id", "created_by", "created_at", "updated_by", "updated_at"]
MANY = {"roles": 1000, "at_once": 8}

# Every route below a client's roles: method, path, body.
OF_CLIENT: list[tuple[str, str, Any]] = [
    ("POST", "", {"role_name": "x"}),
    ("GET", "", None),
    ("GET", "/members", None),
]
OF_ROLE: list[tuple[str, str, Any]] = [
    ("GET", "/{role}", None),
    ("PUT", "/{role}", {"name": "y"}),
    ("DELETE", "/{role}", None),
    ("POST", "/{role}/actions", {"actions": ["update"]}),
    ("GET", "/{role}/actions", None),
    ("POST", "/{role}/actions/delete", {"actions": ["read"]}),
    ("POST", "/{role}/actions/delete-all", None),
    ("POST", "/{role}/members", {"members": ["new"]}),
    ("GET", "/{role}/members", None),
    ("POST", "/{role}/members/delete", {"members": ["bob"]}),
    ("POST", "/{role}/members/delete-all", None),
]


def _roles(api: Api, client_id: str, **query: Any) -> dict[str, Any]:
    response = api.request("GET", f"/clients/{client_id}/roles", params=query)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


def _whole(api: Api, client_id: str) -> list[Any]:
    """A client's roles with actions and members, and what was told of them."""
    path = f"/clients/{client_id}/roles"
    roles = _roles(api, client_id, limit=100)["roles"]
    below = [[api.request("GET", f"{path}/{role['id']}/{what}").json() for what in ("actions", "members")] for role in roles]
    return [roles, below, api.told(client_id)]


def _raw(service: Service, method: str, path: str, body: Any = None) -> httpx.Response:
    """A request whose path no client library tidies up."""
    url = httpx.URL(service.http).copy_with(raw_path=path.encode())
    return asking.request(method, url, headers=service.headers, json=body)


def test_whoever_has_a_token_may_know_what_roles_can_allow(town: Town) -> None:
    for who, api in town.everybody().items():
        response = api.request("GET", "/clients/roles/available-actions")
        assert response.status_code == 200, who
        assert response.headers["content-type"] == "application/json"
        assert response.json() == {"available_actions": ACTIONS}
    assert asking.get(f"{town.operator.service.http}/{town.domain}/clients/roles/available-actions").status_code == 401


def test_a_client_is_born_with_the_role_admin(town: Town) -> None:
    client = town.admin.create()
    page = _roles(town.operator, client["id"])
    assert list(page) == ["total", "offset", "limit", "roles"]
    assert (page["total"], page["offset"], page["limit"]) == (1, 0, 10)
    (role,) = page["roles"]
    assert list(role) == KEYS
    assert role == {
        "id": role["id"],
        "name": "admin",
        "entity_id": client["id"],
        "created_by": "ada",
        "created_at": client["created_at"],
        "updated_by": "",
        "updated_at": NEVER,
    }
    path = f"/clients/{client['id']}/roles/{role['id']}"
    assert town.operator.request("GET", f"{path}/actions").json() == {"actions": ACTIONS}
    assert town.operator.request("GET", f"{path}/members").json() == {"total": 1, "offset": 0, "limit": 10, "members": ["ada"]}


def test_a_bulk_created_client_has_its_own(town: Town) -> None:
    made = town.admin.request("POST", "/clients/bulk", json=[{}, {}]).json()["clients"]
    one, two = (_roles(town.operator, client["id"])["roles"][0] for client in made)
    assert one["id"] != two["id"]
    assert (one["name"], two["created_by"]) == ("admin", "ada")


def test_a_role_comes_back_as_created(town: Town) -> None:
    client = town.operator.create()["id"]
    wanted = {"role_name": "technician", "optional_actions": ["read", "update"], "optional_members": ["bob", "alice"]}
    response = town.admin.request("POST", f"/clients/{client}/roles", json=wanted | {"whatever": 1})
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == [*KEYS, "optional_actions", "optional_members"]
    assert (body["optional_actions"], body["optional_members"]) == (["read", "update"], ["bob", "alice"])
    assert (body["name"], body["entity_id"], body["created_by"]) == ("technician", client, "ada")
    assert (body["updated_by"], body["updated_at"]) == ("", NEVER)
    assert body["created_at"].endswith("Z")
    assert body["id"].startswith("client_")

    path = f"/clients/{client}/roles/{body['id']}"
    viewed = town.admin.request("GET", path)
    assert viewed.json() == {key: body[key] for key in KEYS}
    assert list(viewed.json()) == KEYS
    assert town.admin.request("GET", f"{path}/actions").json() == {"actions": ["update", "read"]}
    assert town.admin.request("GET", f"{path}/members").json()["members"] == ["alice", "bob"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, (None, None)),
        ({"optional_actions": None, "optional_members": None}, (None, None)),
        ({"optional_actions": [], "optional_members": []}, ([], [])),
        ({"optional_actions": ["read"]}, (["read"], None)),
    ],
)
def test_what_was_left_out_is_null(api: Api, given: dict[str, Any], told: tuple[Any, Any]) -> None:
    client = api.create()["id"]
    body = api.request("POST", f"/clients/{client}/roles", json={"role_name": "x"} | given).json()
    assert (body["optional_actions"], body["optional_members"]) == told
    empty = api.request("GET", f"/clients/{client}/roles/{body['id']}/members").json()
    assert empty == {"total": 0, "offset": 0, "limit": 10, "members": []}


def test_roles_are_listed_by_age(api: Api) -> None:
    client = api.create()["id"]
    names = ["admin", *(api.give_role(client, name)["name"] for name in "edcba")]
    assert [role["name"] for role in _roles(api, client)["roles"]] == names
    for offset, limit in ((0, 2), (2, 2), (4, 100), (6, 1), (2**64 - 1, 1)):
        page = _roles(api, client, offset=offset, limit=limit)
        assert [role["name"] for role in page["roles"]] == names[offset : offset + limit]
        assert (page["total"], page["limit"]) == (6, limit)
    assert _roles(api, client, offset=4)["offset"] == 4


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "invalid_limit"),
        ("limit=101", "invalid_limit"),
        ("limit=", "invalid_query"),
        ("limit=x", "invalid_query"),
        ("offset=-1", "invalid_query"),
        ("offset=1&offset=1", "invalid_query"),
        ("offset=18446744073709551616", "invalid_query"),
    ],
)
@pytest.mark.parametrize("path", ["", "/{role}/members", "/members"])
def test_what_is_no_page(api: Api, path: str, query: str, code: str) -> None:
    client = api.create()["id"]
    role = _roles(api, client)["roles"][0]["id"]
    response = api.request("GET", f"/clients/{client}/roles{path.format(role=role)}?{query}")
    assert error_of(response) == (400, code)


@pytest.mark.parametrize("name", ["x" * 200, "é" * 100, "\U0001f525", " ", "e\u0301", "Admin", "'\"\\%_<&>", "../x", "members"])
def test_names_that_roles_can_have(api: Api, name: str) -> None:
    client = api.create()["id"]
    one, other = api.give_role(client, name), api.give_role(client, "other")
    path = f"/clients/{client}/roles"
    assert api.request("GET", f"{path}/{one['id']}").json()["name"] == name
    assert error_of(api.request("PUT", f"{path}/{other['id']}", json={"name": name})) == (409, "role_name_taken")
    api.request("DELETE", f"{path}/{one['id']}")
    renamed = api.request("PUT", f"{path}/{other['id']}", json={"name": name})
    assert (renamed.status_code, renamed.json()["name"]) == (200, name)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "missing_role_name"),
        (None, "missing_role_name"),
        ("x" * 201, "invalid_name"),
        ("é" * 101, "invalid_name"),
        ("\U0001f525" * 51, "invalid_name"),
        ("a\0b", "malformed_request"),
        (7, "invalid_body"),
        (["x"], "invalid_body"),
    ],
)
def test_names_that_they_cannot_have(api: Api, name: Any, code: str) -> None:
    client = api.create()["id"]
    before = _whole(api, client)
    path = f"/clients/{client}/roles"
    assert error_of(api.request("POST", path, json={"role_name": name})) == (400, code)
    assert error_of(api.request("PUT", f"{path}/{before[0][0]['id']}", json={"name": name})) == (400, code)
    assert _whole(api, client) == before


def test_a_name_is_there_once_a_client(api: Api) -> None:
    one, other = api.create()["id"], api.create()["id"]
    role = api.give_role(one, "x")
    api.give_role(other, "x")
    for name in ("x", "admin"):
        assert error_of(api.request("POST", f"/clients/{one}/roles", json={"role_name": name})) == (409, "role_name_taken")
    assert error_of(api.request("PUT", f"/clients/{one}/roles/{role['id']}", json={"name": "admin"})) == (
        409,
        "role_name_taken",
    )
    assert _roles(api, one)["total"] == 2
    assert api.request("GET", f"/clients/{one}/roles/{role['id']}").json()["name"] == "x"


def test_a_renamed_role_is_the_same_role(town: Town) -> None:
    client = town.operator.create()["id"]
    role = town.operator.give_role(client, "x", ["read"], ["bob"])
    path = f"/clients/{client}/roles/{role['id']}"
    response = town.admin.request("PUT", path, json={"name": "y"})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    body = response.json()
    assert list(body) == KEYS
    assert body["updated_at"] > role["created_at"]
    assert body == {key: role[key] for key in KEYS} | {"name": "y", "updated_by": "ada", "updated_at": body["updated_at"]}
    assert town.operator.request("GET", path).json() == body
    assert town.operator.request("GET", f"{path}/actions").json() == {"actions": ["read"]}
    assert town.operator.request("GET", f"{path}/members").json()["members"] == ["bob"]
    assert [one["name"] for one in _roles(town.operator, client)["roles"]] == ["admin", "y"]
    town.operator.give_role(client, "x")


def test_a_role_can_be_given_the_name_it_has(api: Api) -> None:
    client = api.create()["id"]
    role = api.give_role(client, "x")
    path = f"/clients/{client}/roles/{role['id']}"
    response = api.request("PUT", path, json={"name": "x"})
    assert (response.status_code, response.json()["name"]) == (200, "x")
    assert response.json()["updated_at"] > role["created_at"]
    assert [event["operation"] for event in api.told(client)] == ["client.role.add", "client.role.update"]


def test_the_built_in_role_can_be_renamed(api: Api) -> None:
    client = api.create()["id"]
    role = _roles(api, client)["roles"][0]["id"]
    assert api.request("PUT", f"/clients/{client}/roles/{role}", json={"name": "chief"}).json()["name"] == "chief"
    assert api.give_role(client, "admin")["id"] != role


def test_a_deleted_role_is_gone_with_its_memberships(api: Api) -> None:
    client = api.create()["id"]
    role = api.give_role(client, "x", ["read"], ["bob"])
    path = f"/clients/{client}/roles/{role['id']}"
    response = api.request("DELETE", path)
    assert (response.status_code, response.content, response.headers["content-type"]) == (204, b"", "application/json")
    assert error_of(api.request("GET", path)) == (404, "not_found")
    assert error_of(api.request("DELETE", path)) == (404, "not_found")
    assert _roles(api, client)["total"] == 1
    again = api.give_role(client, "x", (), ["bob"])
    assert again["id"] != role["id"]
    assert api.request("GET", f"/clients/{client}/roles/{again['id']}/actions").json() == {"actions": []}


def test_actions_come_and_go(town: Town) -> None:
    client = town.operator.create()["id"]
    role = town.operator.give_role(client, "x", ["read"])
    path = f"/clients/{client}/roles/{role['id']}"

    def now() -> tuple[list[str], str, str]:
        viewed = town.operator.request("GET", path).json()
        return town.operator.request("GET", f"{path}/actions").json()["actions"], viewed["updated_by"], viewed["updated_at"]

    response = town.admin.request("POST", f"{path}/actions", json={"actions": ["view_role_users", "delete"]})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.json() == {"actions": ["view_role_users", "delete"]}
    actions, by, first = now()
    assert (actions, by, first > role["created_at"]) == (["read", "delete", "view_role_users"], "ada", True)

    response = town.operator.request("POST", f"{path}/actions/delete", json={"actions": ["delete", "update"]})
    assert (response.status_code, response.content, response.headers["content-type"]) == (204, b"", "application/json")
    actions, by, second = now()
    assert (actions, by, second > first) == (["read", "view_role_users"], town.operator.user, True)

    response = town.admin.request("POST", f"{path}/actions/delete-all", headers={"Content-Type": "text/plain"}, content=b"?")
    assert (response.status_code, response.content, response.headers["content-type"]) == (204, b"", "application/json")
    actions, by, third = now()
    assert (actions, by, third > second) == ([], "ada", True)

    for verb, body in (("delete", {"actions": ["read"]}), ("delete-all", None)):
        assert town.operator.request("POST", f"{path}/actions/{verb}", json=body).status_code == 204
    assert now() == ([], "ada", third)


@pytest.mark.parametrize(
    ("actions", "code"),
    [
        ([], "missing_actions"),
        (None, "missing_actions"),
        (["fly"], "malformed_request"),
        (["update", "fly"], "malformed_request"),
        (["update", "update"], "malformed_request"),
        ([""], "malformed_request"),
        (["UPDATE"], "malformed_request"),
        ([" update"], "malformed_request"),
        (["\0"], "malformed_request"),
        (["update"] * 20_000, "malformed_request"),
        ("update", "invalid_body"),
        ([1], "invalid_body"),
        ([None], "invalid_body"),
        ({"update": True}, "invalid_body"),
    ],
)
def test_what_are_no_actions(api: Api, actions: Any, code: str) -> None:
    client = api.create()["id"]
    role = api.give_role(client, "x", ["read"])
    before = _whole(api, client)
    path = f"/clients/{client}/roles"
    for verb in ("", "/delete"):
        assert error_of(api.request("POST", f"{path}/{role['id']}/actions{verb}", json={"actions": actions})) == (400, code)
    if code != "missing_actions":
        assert error_of(api.request("POST", path, json={"role_name": "y", "optional_actions": actions})) == (400, code)
    assert _whole(api, client) == before


def test_an_action_the_role_has_is_a_conflict_and_none_is_added(api: Api) -> None:
    client = api.create()["id"]
    role = api.give_role(client, "x", ["read"])
    before = _whole(api, client)
    response = api.request("POST", f"/clients/{client}/roles/{role['id']}/actions", json={"actions": ["update", "read"]})
    assert error_of(response) == (409, "action_held")
    assert _whole(api, client) == before


def test_a_client_has_a_thousand_roles_at_most(api: Api) -> None:
    client = api.create()["id"]
    with ThreadPoolExecutor(MANY["at_once"]) as pool:
        list(pool.map(lambda n: api.give_role(client, f"r{n}"), range(MANY["roles"] - 1)))
    assert error_of(api.request("POST", f"/clients/{client}/roles", json={"role_name": "x"})) == (409, "too_many_roles")
    page = _roles(api, client, offset=990, limit=100)
    assert (page["total"], len(page["roles"])) == (1000, 10)
    api.request("DELETE", f"/clients/{client}/roles/{page['roles'][9]['id']}")
    api.give_role(client, "x")


@pytest.mark.parametrize(("method", "path", "body"), [*OF_CLIENT, *OF_ROLE])
@pytest.mark.parametrize("client", ["unknown", "foreign", "nope", "%00", "'", "bulk", "roles"])
def test_roles_of_a_client_that_is_none_of_the_domain(
    api: Api, other: Api, method: str, path: str, body: Any, client: str
) -> None:
    foreign = other.create()["id"]
    role = other.give_role(foreign, "x", ["read"], ["bob"])["id"]
    before = _whole(other, foreign)
    ids = {"unknown": str(uuid.uuid4()), "foreign": foreign}
    response = api.request(method, f"/clients/{ids.get(client, client)}/roles{path.format(role=role)}", json=body)
    assert error_of(response) == (404, "not_found")
    assert _whole(other, foreign) == before


@pytest.mark.parametrize(("method", "path", "body"), OF_ROLE)
@pytest.mark.parametrize("role", ["another's", "client_" + "0" * 32, "admin", "nope", "'", "%00", "%F0%9F%94%A5", "x" * 300])
def test_a_role_that_the_client_does_not_have(api: Api, method: str, path: str, body: Any, role: str) -> None:
    client, neighbour = api.create()["id"], api.create()["id"]
    theirs = api.give_role(neighbour, "x", ["read"], ["bob"])["id"]
    before = _whole(api, client), _whole(api, neighbour)
    wanted = theirs if role == "another's" else role
    assert error_of(api.request(method, f"/clients/{client}/roles{path.format(role=wanted)}", json=body)) == (404, "not_found")
    assert (_whole(api, client), _whole(api, neighbour)) == before


@pytest.mark.parametrize(("method", "path", "body"), OF_ROLE)
def test_an_empty_role_id(api: Api, method: str, path: str, body: Any) -> None:
    before = _whole(api, client := api.create()["id"])
    # Behind the id alone the slash is the collection's own.
    slash = "/" if path == "/{role}" else ""
    response = _raw(api.service, method, f"/{api.domain}/clients/{client}/roles{path.format(role='')}{slash}", body)
    assert error_of(response) == (400, "missing_role_id")
    assert _whole(api, client) == before


@pytest.mark.parametrize(("method", "path", "body"), [*OF_CLIENT, *OF_ROLE])
def test_an_empty_client_id(api: Api, method: str, path: str, body: Any) -> None:
    response = _raw(api.service, method, f"/{api.domain}/clients//roles{path.format(role='client_x')}", body)
    assert error_of(response) == (400, "missing_id")


@pytest.mark.parametrize(("method", "path", "body"), [*OF_CLIENT, *OF_ROLE])
def test_a_slash_at_the_end(api: Api, method: str, path: str, body: Any) -> None:
    """Fine behind collections and ids, and nowhere else (schema/README.md#paths)."""
    client = api.create()["id"]
    role = api.give_role(client, "z", ["read"], ["bob"])["id"]
    response = api.request(method, f"/clients/{client}/roles{path.format(role=role)}/", json=body)
    if path.endswith(("/delete", "/delete-all")):
        assert error_of(response) == (404, "no_route")
    else:
        assert response.status_code in {200, 201, 204}


def test_no_slash_behind_the_available_actions(api: Api) -> None:
    assert error_of(api.request("GET", "/clients/roles/available-actions/")) == (404, "no_route")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", ""),
        ("DELETE", "/"),
        ("PUT", ""),
        ("PATCH", "/{role}"),
        ("POST", "/{role}"),
        ("DELETE", "/{role}/actions"),
        ("PUT", "/{role}/members"),
        ("GET", "/{role}/actions/delete"),
        ("DELETE", "/{role}/members/delete-all"),
        ("HEAD", ""),
    ],
)
def test_methods_that_are_none(api: Api, method: str, path: str) -> None:
    client = api.create()["id"]
    before = _whole(api, client)
    response = api.request(method, f"/clients/{client}/roles{path.format(role=before[0][0]['id'])}")
    assert response.status_code == 405
    assert response.headers["allow"]
    assert method == "HEAD" or error_of(response) == (405, "method_not_allowed")
    assert _whole(api, client) == before


WITH_BODY = [(method, path) for method, path, body in (*OF_CLIENT, *OF_ROLE) if body is not None]


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_bodies_are_json_objects_and_say_so(api: Api, method: str, path: str) -> None:
    client = api.create()["id"]
    before = _whole(api, client)
    url = f"/clients/{client}/roles{path.format(role=before[0][0]['id'])}"
    for kind in ("text/plain", "Application/JSON", ""):
        response = api.request(method, url, content=b"{", headers={"Content-Type": kind})
        assert error_of(response) == (415, "unsupported_media_type"), kind
    for content in (b"", b"null", b"[]", b'"x"', b"7", b"{", b"{}{}", b"{} x", b'{"x":"\xff"}', b'{"name":"\\ud800"}'):
        assert error_of(api.request(method, url, content=content)) == (400, "invalid_body"), content
    large = b'{"x":"' + b"y" * 1024 * 1024 + b'"}'
    assert error_of(api.request(method, url, content=large)) == (413, "body_too_large")
    assert _whole(api, client) == before


@pytest.mark.parametrize(("method", "path", "body"), [*OF_CLIENT, *OF_ROLE])
def test_roles_of_a_disabled_client_are_roles(api: Api, method: str, path: str, body: Any) -> None:
    client = api.create(status="disabled")["id"]
    role = api.give_role(client, "z", ["read"], ["bob"])["id"]
    response = api.request(method, f"/clients/{client}/roles{path.format(role=role)}", json=body)
    assert response.status_code in {200, 201, 204}, response.text


def test_roles_go_with_their_client(api: Api) -> None:
    client = api.create()["id"]
    role = api.give_role(client, "x", ["read"], ["bob"])["id"]
    assert api.request("DELETE", f"/clients/{client}").status_code == 204
    assert error_of(api.request("GET", f"/clients/{client}/roles/{role}")) == (404, "not_found")
    api.create(id=client)
    assert [one["name"] for one in _roles(api, client)["roles"]] == ["admin"]
    api.give_role(client, "x", (), ["bob"])


def test_what_listeners_are_told(town: Town) -> None:
    """Names and fields of schema/README.md#role-events, one event a change."""
    client = town.operator.create()["id"]
    made = town.admin.give_role(client, "x", ["read", "update"], ["bob", "alice"])
    path = f"/clients/{client}/roles/{made['id']}"
    renamed = town.admin.request("PUT", path, json={"name": "y"}).json()
    town.admin.request("POST", f"{path}/actions", json={"actions": ["view_role_users", "delete"]})
    town.admin.request("POST", f"{path}/actions/delete", json={"actions": ["read", "manage_role"]})
    town.admin.request("POST", f"{path}/actions/delete-all")
    town.admin.request("DELETE", path)
    told = town.operator.told(client)
    requests = [event.pop("request_id") for event in told]
    assert len({uuid.UUID(request) for request in requests}) == 6
    of_role = {"entity_id": client, "role_id": made["id"]}
    assert told == [
        {"operation": "client.role.add"} | made | {"optional_actions": ["update", "read"]},
        {"operation": "client.role.update"} | renamed,
        {"operation": "client.role.actions.add", **of_role, "actions": ["delete", "view_role_users"]},
        {"operation": "client.role.actions.remove", **of_role, "actions": ["read"]},
        {"operation": "client.role.actions.remove_all", **of_role},
        {"operation": "client.role.remove", **of_role},
    ]


def test_nothing_is_told_of_what_changes_nothing(town: Town) -> None:
    client = town.operator.create()["id"]
    role = town.operator.give_role(client, "x")["id"]
    before = _whole(town.operator, client)
    path = f"/clients/{client}/roles"
    calls: list[tuple[str, str, Any, int]] = [
        ("GET", "", None, 200),
        ("GET", "/members", None, 200),
        ("GET", f"/{role}", None, 200),
        ("GET", f"/{role}/actions", None, 200),
        ("GET", f"/{role}/members", None, 200),
        ("POST", f"/{role}/actions/delete", {"actions": ["read"]}, 204),
        ("POST", f"/{role}/actions/delete-all", None, 204),
        ("POST", f"/{role}/members/delete", {"members": ["bob"]}, 204),
        ("POST", f"/{role}/members/delete-all", None, 204),
        ("POST", "", {"role_name": "x"}, 409),
        ("POST", "", {"role_name": "y", "optional_members": [town.operator.user]}, 409),
        ("PUT", f"/{role}", {"name": "admin"}, 409),
        ("DELETE", f"/{before[0][0]['id']}", None, 409),
    ]
    for method, below, body, status in calls:
        assert town.admin.request(method, path + below, json=body).status_code == status, (method, below)
    assert town.member.request("DELETE", f"{path}/{role}").status_code == 403
    assert _whole(town.operator, client) == before
