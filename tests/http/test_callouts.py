"""Somebody else is asked before something is done: who may not asks nobody, and nothing secret is told.

See schema/README.md#callouts.
"""

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from edgeclients.operations import CALLOUTS
from tests.support.api import Api, error_of
from tests.support.callee import Asked, Callee, Reply, asked_by_http
from tests.support.commands import ready_to_run
from tests.support.people import People
from tests.support.ports import free_port
from tests.support.service import Service, started

CHOSEN = "chosen by a person"
GROUP = "7c1f3f0e-4b1f-4f0b-8f5f-5a4d8e2b9c11"
CHANNEL = "d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c"


@pytest.fixture(scope="module")
def shared_callee() -> Iterator[Callee]:
    with asked_by_http() as callee:
        yield callee


@pytest.fixture(scope="module")
def asking(shared_callee: Callee, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that asks about everything, and does not wait long."""
    env = {
        "MG_CLIENTS_CALLOUT_URLS": shared_callee.url,
        "MG_CLIENTS_CALLOUT_OPERATIONS": ",".join(sorted(CALLOUTS)),
        "MG_CLIENTS_CALLOUT_TIMEOUT": "2s",
    }
    with started(tmp_path_factory.mktemp("asking") / "data", env) as service:
        yield service


@pytest.fixture
def callee(shared_callee: Callee) -> Callee:
    shared_callee.forget()
    return shared_callee


@pytest.fixture
def caller(asking: Service) -> Iterator[Api]:
    with Api(asking) as api:
        yield api


@pytest.fixture
def client(caller: Api, callee: Callee) -> dict[str, Any]:
    """A client with a role `r`, made before anybody is asked about anything else."""
    made = caller.create(name="n")
    made["role"] = caller.give_role(made["id"], "r", ["read"], ["bob"])["id"]
    callee.forget()
    return made


# Method, path, body, operation, and what is told of it besides the client.
OF_A_CLIENT: list[tuple[str, str, dict[str, Any] | None, str, dict[str, Any]]] = [
    ("GET", "", None, "view", {}),
    ("GET", "?roles=true", None, "view", {}),
    ("PATCH", "", {"name": "m"}, "update", {}),
    ("PATCH", "/tags", {"tags": ["t"]}, "update_tags", {}),
    ("PATCH", "/secret", {"secret": CHOSEN}, "update_secret", {}),
    ("PATCH", "/secret", {"generate": True}, "update_secret", {}),
    ("POST", "/disable", None, "disable", {}),
    ("POST", "/enable", None, "enable", {}),
    ("POST", "/parent", {"parent_group_id": GROUP}, "set_parent_group", {"parent_id": GROUP}),
    ("DELETE", "", None, "delete", {}),
    (
        "POST",
        "/roles",
        {"role_name": "s", "optional_actions": ["update"], "optional_members": ["ann"]},
        "add",
        {"role_name": "s", "optional_actions": ["update"], "optional_members": ["ann"]},
    ),
    ("GET", "/roles?limit=5", None, "retrieve_all", {"offset": 0, "limit": 5}),
    ("GET", "/roles/members", None, "list_members", {"page_query": {"offset": 0, "limit": 10, "dir": "asc"}}),
    ("GET", "/roles/ROLE", None, "retrieve", {"role_id": "ROLE"}),
    ("PUT", "/roles/ROLE", {"name": "s"}, "update", {"role_id": "ROLE", "new_role_name": "s"}),
    ("POST", "/roles/ROLE/actions", {"actions": ["update"]}, "add_actions", {"role_id": "ROLE", "actions": ["update"]}),
    ("GET", "/roles/ROLE/actions", None, "list_actions", {"role_id": "ROLE"}),
    ("POST", "/roles/ROLE/actions/delete", {"actions": ["read"]}, "remove_actions", {"role_id": "ROLE", "actions": ["read"]}),
    ("POST", "/roles/ROLE/actions/delete-all", None, "remove_all_actions", {"role_id": "ROLE"}),
    ("POST", "/roles/ROLE/members", {"members": ["ann"]}, "add_members", {"role_id": "ROLE", "members": ["ann"]}),
    ("GET", "/roles/ROLE/members", None, "list_members", {"role_id": "ROLE", "offset": 0, "limit": 10}),
    ("POST", "/roles/ROLE/members/delete", {"members": ["bob"]}, "remove_members", {"role_id": "ROLE", "members": ["bob"]}),
    ("POST", "/roles/ROLE/members/delete-all", None, "remove_all_members", {"role_id": "ROLE"}),
    ("DELETE", "/roles/ROLE", None, "remove", {"role_id": "ROLE"}),
]
IDS = [f"{method} {path or '/'} {sorted(body or {})}" for method, path, body, _, _ in OF_A_CLIENT]


def placed(told: Any, role: str) -> Any:
    return json.loads(json.dumps(told).replace("ROLE", role))


@pytest.mark.parametrize(("method", "path", "body", "operation", "told"), OF_A_CLIENT, ids=IDS)
def test_it_is_asked_about_what_is_done_to_a_client(
    caller: Api, callee: Callee, client: dict[str, Any], method: str, path: str, body: Any, operation: str, told: Any
) -> None:
    if operation == "enable":
        assert caller.request("POST", f"/clients/{client['id']}/disable").is_success
        callee.forget()
    url = f"/clients/{client['id']}{placed(path, client['role'])}"
    response = caller.request(method, url, **({"json": body} if body else {}))
    assert response.is_success, response.text
    (asked,) = callee.asked
    assert (asked.method, asked.path) == ("POST", "/ask")
    question = asked.question
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", question.pop("time"))
    assert question == {
        "operation": operation,
        "entity_type": "client",
        "entity_id": client["id"],
        "caller_id": (caller.service.data / "operator.id").read_text(),
        "caller_type": "user",
        "domain_id": caller.domain,
        "payload": {"entity_id": client["id"], **placed(told, client["role"])},
    }
    assert_no_secret(asked, client["credentials"]["secret"], caller.service.token)


@pytest.mark.parametrize(("method", "path", "body", "operation", "told"), OF_A_CLIENT, ids=IDS)
def test_what_it_refuses_does_not_happen(
    caller: Api, callee: Callee, client: dict[str, Any], method: str, path: str, body: Any, operation: str, told: Any
) -> None:
    before = caller.told(client["id"])
    callee.reply = lambda _: Reply(423, b"not on a Sunday")
    url = f"/clients/{client['id']}{placed(path, client['role'])}"
    response = caller.request(method, url, **({"json": body} if body else {}))
    assert error_of(response) == (423, "callout_refused")
    assert response.json()["message"] == "not on a Sunday"
    callee.forget()
    assert caller.request("GET", f"/clients/{client['id']}").json() == {
        key: value for key, value in client.items() if key not in {"role", "credentials"}
    } | {"credentials": {}}
    assert caller.told(client["id"]) == before


def assert_no_secret(asked: Asked, *secrets: str) -> None:
    for secret in (CHOSEN, *secrets):
        assert secret.encode() not in asked.body
        assert secret not in str(asked.query) + str(asked.headers)


def test_creating_tells_of_the_clients_as_they_will_be_without_secrets(caller: Api, callee: Callee) -> None:
    wanted = [
        {
            "id": str(uuid.uuid4()),
            "name": "n",
            "tags": ["t"],
            "credentials": {"identity": "i", "secret": CHOSEN},
            "metadata": {"a": {"b": 1}},
            "private_metadata": {"c": 2},
            "status": "disabled",
            "parent_group_id": GROUP,
        },
        {},
    ]
    response = caller.request("POST", "/clients/bulk", json=wanted)
    assert response.status_code == 200, response.text
    first, second = response.json()["clients"]
    (asked,) = callee.asked
    question = asked.question
    assert (question["operation"], question["entity_type"], question["entity_id"]) == (
        "create_clients",
        "domain",
        caller.domain,
    )
    assert question["payload"] == {
        "count": 2,
        "entities": [
            {**wanted[0], "domain_id": caller.domain, "credentials": {"identity": "i"}},
            {"id": second["id"], "domain_id": caller.domain, "status": "enabled"},
        ],
    }
    assert_no_secret(asked, first["credentials"]["secret"], second["credentials"]["secret"])


def test_many_clients_are_told_whole(caller: Api, callee: Callee) -> None:
    response = caller.request("POST", "/clients/bulk", json=[{"name": str(number)} for number in range(1000)])
    assert response.status_code == 200
    payload = callee.asked[0].question["payload"]
    assert [one["id"] for one in payload["entities"]] == [one["id"] for one in response.json()["clients"]]


def test_nothing_is_created_that_is_refused(caller: Api, callee: Callee) -> None:
    callee.reply = lambda _: Reply(403, b"no")
    assert error_of(caller.request("POST", "/clients", json={"name": "n"})) == (403, "callout_refused")
    callee.forget()
    assert caller.listed(status="all") == []


def test_lists_tell_what_is_wanted(caller: Api, callee: Callee) -> None:
    caller.listed(name="n", tags="a,b", limit=3, metadata='{"a":1}', order="name", dir="asc", status="all")
    (asked,) = callee.asked
    question = asked.question
    assert (question["operation"], question["entity_type"], question["entity_id"]) == ("list_clients", "domain", caller.domain)
    assert question["payload"]["pagemeta"] == {
        "offset": 0, "limit": 3, "order": "name", "dir": "asc", "status": "all", "name": "n", "tags": ["a", "b"],
        "metadata": {"a": 1},
    }  # fmt: skip
    callee.forget()
    caller.listed(user="bob")
    question = callee.asked[0].question
    assert (question["operation"], question["entity_type"]) == ("list_user_clients", "client")
    assert question["payload"]["user_id"] == "bob"
    callee.reply = lambda _: Reply(409)
    assert error_of(caller.request("GET", "/clients")) == (409, "callout_refused")
    assert error_of(caller.request("GET", "/clients?user=bob")) == (409, "callout_refused")


def test_what_roles_can_allow_is_asked_too(caller: Api, callee: Callee) -> None:
    assert len(caller.request("GET", "/clients/roles/available-actions").json()["available_actions"]) == 9
    assert callee.asked[0].question["operation"] == "list_available_actions"


def test_connecting_is_done_to_the_domain(caller: Api, callee: Callee, client: dict[str, Any]) -> None:
    body = {"channel_ids": [CHANNEL], "client_ids": [client["id"]], "types": ["Publish"]}
    for action, operation in (("connect", "connect_to_channel"), ("disconnect", "disconnect_from_channel")):
        callee.forget()
        assert caller.request("POST", f"/channels/{action}", json=body).is_success
        question = callee.asked[0].question
        assert (question["operation"], question["entity_type"]) == (operation, "domain")
        assert question["payload"] == {
            "client_ids": [client["id"]], "channel_ids": [CHANNEL], "connection_types": ["publish"],
        }  # fmt: skip
        callee.reply = lambda _: Reply(400, b"no")
        assert error_of(caller.request("POST", f"/channels/{action}", json=body)) == (400, "callout_refused")


def test_a_parent_is_told_when_it_is_removed_and_nobody_is_asked_when_there_is_none(
    caller: Api, callee: Callee, client: dict[str, Any]
) -> None:
    path = f"/clients/{client['id']}/parent"
    assert caller.request("DELETE", path).status_code == 204
    assert callee.asked == []
    assert caller.request("POST", path, json={"parent_group_id": GROUP}).status_code == 200
    callee.forget()
    assert caller.request("DELETE", path).status_code == 204
    assert callee.asked[0].question["payload"] == {"entity_id": client["id"], "parent_id": GROUP}


def test_who_may_not_is_refused_before_anybody_is_asked(asking: Service, callee: Callee) -> None:
    with ready_to_run():
        people = People(asking)
        town = people.town()
        client = town.operator.create(name="n")["id"]
        callee.forget()
        assert error_of(town.member.request("GET", f"/clients/{client}")) == (403, "forbidden")
        assert error_of(town.member.request("POST", "/clients", json={})) == (403, "forbidden")
        assert error_of(town.member.request("DELETE", f"/clients/{client}/parent")) == (403, "forbidden")
        assert error_of(town.stranger.request("GET", "/clients")) == (403, "domain_forbidden")
        assert error_of(town.member.request("GET", "/clients?user=max")) == (403, "super_admin_only")
        assert error_of(town.admin.request("GET", f"/clients/{uuid.uuid4()}")) == (404, "not_found")
        assert error_of(town.admin.request("DELETE", "/clients/nonsense")) == (404, "not_found")
        body = {"channel_ids": [CHANNEL], "client_ids": [client], "types": ["publish"]}
        assert error_of(town.member.request("POST", "/channels/connect", json=body)) == (403, "forbidden")
        assert callee.asked == []
        town.operator.give_role(client, "r", ["read"], [town.member.user])
        callee.forget()
        assert town.member.request("GET", f"/clients/{client}").status_code == 200
        assert callee.asked[0].question["caller_id"] == town.member.user
        people.close()


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_any_success_lets_it_happen(caller: Api, callee: Callee, status: int) -> None:
    callee.reply = lambda _: Reply(status)
    assert caller.create(name="n")["name"] == "n"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 429, 451, 500, 503, 599])
def test_its_status_and_words_are_passed_on(caller: Api, callee: Callee, status: int) -> None:
    callee.reply = lambda _: Reply(status, 'weil es so "ist": ü\n'.encode())
    response = caller.request("POST", "/clients", json={})
    assert error_of(response) == (status, "callout_refused")
    assert response.json()["message"] == 'weil es so "ist": ü'


@pytest.mark.parametrize("body", [b"", b"\xff\xfe"])
def test_words_that_are_none(caller: Api, callee: Callee, body: bytes) -> None:
    callee.reply = lambda _: Reply(403, body)
    assert error_of(caller.request("POST", "/clients", json={})) == (403, "callout_refused")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_it_is_not_followed_elsewhere(caller: Api, callee: Callee, status: int) -> None:
    callee.reply = lambda asked: Reply(status if asked.path == "/ask" else 200, headers={"location": "/elsewhere"})
    assert error_of(caller.request("POST", "/clients", json={})) == (503, "callout_failed")
    assert [asked.path for asked in callee.asked] == ["/ask"]


def test_an_answer_that_does_not_come(caller: Api, callee: Callee) -> None:
    callee.reply = callee.silent
    try:
        response = caller.request("POST", "/clients", json={})
        assert error_of(response) == (503, "callout_failed")
        assert response.headers["retry-after"] == "1"
    finally:
        callee.let_go.set()
    callee.let_go.clear()
    callee.forget()
    assert caller.listed(status="all") == []


def test_an_answer_that_never_ends_is_cut_short(caller: Api, callee: Callee) -> None:
    callee.given_up.clear()
    callee.reply = lambda _: Reply(403, more=b"x" * 65536)
    response = caller.request("POST", "/clients", json={})
    assert error_of(response) == (403, "callout_refused")
    assert response.json()["message"] == "x" * 1000
    assert callee.given_up.wait(60)


def test_an_answer_in_drops_is_not_waited_for(caller: Api, callee: Callee) -> None:
    callee.given_up.clear()
    callee.reply = lambda _: Reply(403, more=b"x")
    assert error_of(caller.request("POST", "/clients", json={})) == (503, "callout_failed")
    assert callee.given_up.wait(60)


def test_only_what_is_listed_is_asked_and_as_a_query_if_wanted(tmp_path: Any) -> None:
    with asked_by_http() as callee:
        env = {
            "MG_CLIENTS_CALLOUT_URLS": f"{callee.url}?key=v",
            "MG_CLIENTS_CALLOUT_OPERATIONS": "update,create_clients",
            "MG_CLIENTS_CALLOUT_METHOD": "GET",
        }
        with started(tmp_path / "data", env) as service, Api(service) as api:
            made = api.create(name="n", credentials={"secret": CHOSEN})
            api.request("GET", f"/clients/{made['id']}")
            assert api.request("PATCH", f"/clients/{made['id']}", json={"name": "m"}).status_code == 200
            role = api.give_role(made["id"], "r")["id"]
            assert api.request("PUT", f"/clients/{made['id']}/roles/{role}", json={"name": "s"}).status_code == 200
    create, update, role_update = callee.asked
    assert {asked.method for asked in callee.asked} == {"GET"}
    assert (create.query["operation"], create.query["count"], create.body) == ("create_clients", "1", b"")
    assert json.loads(create.query["entities"])[0]["id"] == made["id"]
    assert_no_secret(create, CHOSEN)
    assert (update.query["operation"], update.query["entity_id"]) == ("update", made["id"])
    assert role_update.query["new_role_name"] == "s"
    assert {asked.query["domain_id"] for asked in callee.asked} == {api.domain}


def test_several_are_asked_in_turn_until_one_refuses(tmp_path: Any) -> None:
    with asked_by_http() as one, asked_by_http() as two, asked_by_http() as three:
        env = {
            "MG_CLIENTS_CALLOUT_URLS": f"{one.url}, {two.url},{three.url}",
            "MG_CLIENTS_CALLOUT_OPERATIONS": "create_clients",
        }
        with started(tmp_path / "data", env) as service, Api(service) as api:
            api.create(name="n")
            assert [len(each.asked) for each in (one, two, three)] == [1, 1, 1]
            two.reply = lambda _: Reply(402, b"pay first")
            assert error_of(api.request("POST", "/clients", json={})) == (402, "callout_refused")
            assert [len(each.asked) for each in (one, two, three)] == [2, 2, 1]


def test_one_that_is_not_there(tmp_path: Any) -> None:
    env = {
        "MG_CLIENTS_CALLOUT_URLS": f"http://user:geheim@localhost:{free_port()}/",
        "MG_CLIENTS_CALLOUT_OPERATIONS": "create_clients",
    }
    with started(tmp_path / "data", env) as service, Api(service) as api:
        assert error_of(api.request("POST", "/clients", json={})) == (503, "callout_failed")
        assert api.listed() == []
    assert "geheim" not in str(service.lines)
