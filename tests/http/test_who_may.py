"""Who may do what (contract 12.4, A3): every operation, by every kind of caller, and what a refusal leaves as it was."""

import json
import time
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.api import Api, error_of
from tests.support.database import kept
from tests.support.people import People, Town
from tests.support.raw import PATIENCE, Raw, request
from tests.support.service import Service, started

GROUP = "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f50"

# Contract 12.4.
NEEDS = {
    "view": "read",
    "view with roles": "read",
    "update": "update",
    "update tags": "update",
    "update secret": "update",
    "choose secret": "update",
    "enable": "update",
    "disable": "update",
    "delete": "delete",
    "set parent group": "set_parent_group",
    "remove parent group": "set_parent_group",
    "connect": "connect_to_channel",
    "connect channel": "connect_to_channel",
    "disconnect": "connect_to_channel",
    "disconnect channel": "connect_to_channel",
    "role add": "manage_role",
    "role remove": "manage_role",
    "role update": "manage_role",
    "role add actions": "manage_role",
    "role remove actions": "manage_role",
    "role remove all actions": "manage_role",
    "role retrieve": "view_role_users",
    "role retrieve all": "view_role_users",
    "role list actions": "view_role_users",
    "role list members": "view_role_users",
    "role list entity members": "view_role_users",
    "role add members": "add_role_users",
    "role remove members": "remove_role_users",
    "role remove all members": "remove_role_users",
}
ACTIONS = list(dict.fromkeys(NEEDS.values()))


class Operation(NamedTuple):
    """A route that acts on a client; CLIENT, ROLE (of `bob`, who may `read`) and CHANNEL are filled in."""

    method: str
    path: str
    body: Any
    status: int
    fields: Mapping[str, Any] = MappingProxyType({})  # that the client is created with
    connected: bool = False  # with CHANNEL


_BOTH = {"client_ids": ["CLIENT"], "types": ["publish"]}
_ALL = {"channel_ids": ["CHANNEL"], **_BOTH}
_CHOSEN = {"secret": "open sesame CLIENT"}
_NEW = {"role_name": "new", "optional_actions": ["delete"], "optional_members": ["carol"]}
OPERATIONS = {
    "view": Operation("GET", "/clients/CLIENT", None, 200),
    "view with roles": Operation("GET", "/clients/CLIENT?roles=true", None, 200),
    "update": Operation("PATCH", "/clients/CLIENT", {"name": "new"}, 200),
    "update tags": Operation("PATCH", "/clients/CLIENT/tags", {"tags": ["new"]}, 200),
    "update secret": Operation("PATCH", "/clients/CLIENT/secret", {"generate": True}, 200),
    "choose secret": Operation("PATCH", "/clients/CLIENT/secret", _CHOSEN, 200),
    "enable": Operation("POST", "/clients/CLIENT/enable", None, 200, {"status": "disabled"}),
    "disable": Operation("POST", "/clients/CLIENT/disable", None, 200),
    "delete": Operation("DELETE", "/clients/CLIENT", None, 204),
    "set parent group": Operation("POST", "/clients/CLIENT/parent", {"parent_group_id": GROUP}, 200),
    "remove parent group": Operation("DELETE", "/clients/CLIENT/parent", None, 204, {"parent_group_id": GROUP}),
    "connect": Operation("POST", "/channels/connect", _ALL, 201),
    "connect channel": Operation("POST", "/channels/CHANNEL/connect", _BOTH, 201),
    "disconnect": Operation("POST", "/channels/disconnect", _ALL, 204, connected=True),
    "disconnect channel": Operation("POST", "/channels/CHANNEL/disconnect", _BOTH, 204, connected=True),
    "role add": Operation("POST", "/clients/CLIENT/roles", _NEW, 201),
    "role remove": Operation("DELETE", "/clients/CLIENT/roles/ROLE", None, 204),
    "role update": Operation("PUT", "/clients/CLIENT/roles/ROLE", {"name": "new"}, 200),
    "role add actions": Operation("POST", "/clients/CLIENT/roles/ROLE/actions", {"actions": ["delete"]}, 200),
    "role remove actions": Operation("POST", "/clients/CLIENT/roles/ROLE/actions/delete", {"actions": ["read"]}, 204),
    "role remove all actions": Operation("POST", "/clients/CLIENT/roles/ROLE/actions/delete-all", None, 204),
    "role retrieve": Operation("GET", "/clients/CLIENT/roles/ROLE", None, 200),
    "role retrieve all": Operation("GET", "/clients/CLIENT/roles", None, 200),
    "role list actions": Operation("GET", "/clients/CLIENT/roles/ROLE/actions", None, 200),
    "role list members": Operation("GET", "/clients/CLIENT/roles/ROLE/members", None, 200),
    "role list entity members": Operation("GET", "/clients/CLIENT/roles/members", None, 200),
    "role add members": Operation("POST", "/clients/CLIENT/roles/ROLE/members", {"members": ["carol"]}, 200),
    "role remove members": Operation("POST", "/clients/CLIENT/roles/ROLE/members/delete", {"members": ["bob"]}, 204),
    "role remove all members": Operation("POST", "/clients/CLIENT/roles/ROLE/members/delete-all", None, 204),
}
WHOSE = {
    "clients": "id", "clients_roles": "entity_id", "clients_role_members": "entity_id", "connections": "client_id",
    "secret_retirements": "client_id", "revocations": "client_id", "outbox": "client_id",
}  # fmt: skip
FORBIDDEN, ELSEWHERE = (403, "forbidden"), (403, "domain_forbidden")


class Target(NamedTuple):
    """What an operation is tried on."""

    client: str
    role: str = "client_" + "0" * 32
    channel: str = GROUP


@pytest.fixture(scope="module")
def town(people: People) -> Town:
    """One domain for all: each test has clients of its own."""
    return people.town()


def _made(api: Api, operation: Operation) -> Target:
    """A client that `operation` can be done to."""
    client = api.create(**operation.fields)["id"]
    target = Target(client, api.give_role(client, "theirs", ["read"], ["bob"])["id"], str(uuid.uuid4()))
    if operation.connected:
        assert _tried(api, OPERATIONS["connect"], target).status_code == 201
    return target


def _tried(api: Api, operation: Operation, target: Target) -> httpx.Response:
    """The answer to `operation` on `target`."""
    text = json.dumps([operation.path, operation.body])
    for place, value in zip(("CLIENT", "ROLE", "CHANNEL"), target, strict=True):
        text = text.replace(place, value)
    path, body = json.loads(text)
    return api.request(operation.method, path, json=body)


def _rows(service: Service, client_id: str) -> dict[str, list[Any]]:
    """All that is stored of a client."""
    return {table: kept(service, f"SELECT * FROM {table} WHERE {key} = ?", (client_id,)) for table, key in WHOSE.items()}


def _expect(api: Api, name: str, target: Target, refusal: tuple[int, str] | None) -> None:
    """Try it: it must be refused and change nothing, or do what it is there for."""
    operation = OPERATIONS[name]
    before = _rows(api.service, target.client)
    response = _tried(api, operation, target)
    after = _rows(api.service, target.client)
    if refusal:
        assert error_of(response) == refusal
        assert after == before
    else:
        assert response.status_code == operation.status, response.text
        assert (after == before) == (operation.method == "GET")


def test_every_operation_is_looked_at() -> None:
    assert set(OPERATIONS) == set(NEEDS)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_one_action_gives_what_it_says_and_nothing_else(town: Town, name: str, action: str) -> None:
    target = _made(town.operator, OPERATIONS[name])
    town.operator.give_role(target.client, "mine", [action], [town.member.user])
    _expect(town.member, name, target, None if action == NEEDS[name] else FORBIDDEN)


@pytest.mark.parametrize("name", OPERATIONS)
def test_all_other_actions_do_not_make_up_for_the_one(town: Town, name: str) -> None:
    target = _made(town.operator, OPERATIONS[name])
    town.operator.give_role(target.client, "mine", [one for one in ACTIONS if one != NEEDS[name]], [town.member.user])
    _expect(town.member, name, target, FORBIDDEN)


@pytest.mark.parametrize("name", OPERATIONS)
def test_without_an_action_nobody_may(town: Town, name: str) -> None:
    """No role, a role that allows nothing, a role on another client, somebody else's role."""
    target, neighbour = _made(town.operator, OPERATIONS[name]), _made(town.operator, OPERATIONS[name])
    town.operator.give_role(target.client, "others", ACTIONS, [town.other.user, "Mia", "mia "])
    town.operator.give_role(neighbour.client, "mine", ACTIONS, [town.member.user])
    _expect(town.member, name, target, FORBIDDEN)
    town.operator.give_role(target.client, "idle", [], [town.member.user])
    _expect(town.member, name, target, FORBIDDEN)
    _expect(town.member, name, neighbour, None)


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_operator_and_the_domains_admin_may(town: Town, name: str) -> None:
    for caller in (town.operator, town.admin):
        _expect(caller, name, _made(town.operator, OPERATIONS[name]), None)
    theirs = _made(town.admin, OPERATIONS[name])
    if name == "view with roles":
        _expect(town.operator, name, theirs, (404, "not_found"))  # nobody granted a super admin anything
    else:
        _expect(town.operator, name, theirs, None)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_stranger_may_not_whatever_their_roles(town: Town, name: str) -> None:
    target = _made(town.operator, OPERATIONS[name])
    _expect(town.stranger, name, target, ELSEWHERE)
    town.operator.give_role(target.client, "mine", ACTIONS, [town.stranger.user])
    _expect(town.stranger, name, target, ELSEWHERE)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("client", ["unknown", "nope", "foreign"])
def test_a_client_that_is_none_of_the_domain(people: People, town: Town, name: str, client: str) -> None:
    """A foreign one is not found by those either who may do everything to it where it is."""
    foreign = _made(town.operator.within("elsewhere"), OPERATIONS[name])
    town.operator.within("elsewhere").give_role(foreign.client, "mine", ACTIONS, [town.member.user])
    target = {"unknown": Target(str(uuid.uuid4())), "nope": Target("nope"), "foreign": foreign}[client]
    for caller in (town.operator, town.admin, town.member):
        _expect(caller, name, target, (404, "not_found"))
    _expect(town.stranger, name, target, ELSEWHERE)


@pytest.mark.parametrize("verb", ["connect", "disconnect"])
def test_one_client_that_is_not_ours_and_nothing_is_connected(town: Town, verb: str) -> None:
    ours, theirs = _made(town.operator, OPERATIONS[verb]), _made(town.operator, OPERATIONS[verb])
    town.operator.give_role(ours.client, "mine", ["connect_to_channel"], [town.member.user])
    before = _rows(town.operator.service, ours.client), _rows(town.operator.service, theirs.client)
    for clients in ([ours.client, theirs.client], [theirs.client, ours.client]):
        body = {"channel_ids": [ours.channel], "client_ids": clients, "types": ["publish"]}
        assert error_of(town.member.request("POST", f"/channels/{verb}", json=body)) == FORBIDDEN
    assert (_rows(town.operator.service, ours.client), _rows(town.operator.service, theirs.client)) == before


@pytest.mark.parametrize("fields", [{}, {"parent_group_id": GROUP}], ids=["plain", "with a parent group"])
@pytest.mark.parametrize("path", ["/clients", "/clients/bulk"])
def test_clients_are_created_by_those_who_may_do_everything(people: People, path: str, fields: dict[str, Any]) -> None:
    town = people.town()
    helpful = town.operator.create()["id"]
    town.operator.give_role(helpful, "mine", ACTIONS, [town.member.user])
    bulk = path.endswith("bulk")
    for caller, refusal in ((town.member, FORBIDDEN), (town.other, FORBIDDEN), (town.stranger, ELSEWHERE)):
        assert error_of(caller.request("POST", path, json=[fields] if bulk else fields)) == refusal
    assert town.operator.listed() == [helpful]
    for caller in (town.operator, town.admin):
        response = caller.request("POST", path, json=[fields] if bulk else fields)
        assert response.status_code == (200 if bulk else 201)
        (made,) = response.json()["clients"] if bulk else [response.json()]
        (role,) = town.operator.request("GET", f"/clients/{made['id']}/roles").json()["roles"]
        assert role["created_by"] == caller.user
        members = town.operator.request("GET", f"/clients/{made['id']}/roles/{role['id']}/members").json()["members"]
        assert members == [caller.user]


def test_who_gives_themselves_a_role_keeps_it_as_a_member(people: People, town: Town) -> None:
    """Somebody who is an admin no longer still has the roles of the clients they created."""
    creator = people.newcomer({town.domain: "admin"})
    theirs, others = creator.create()["id"], town.operator.create()["id"]
    people.run("change", creator.user, "--domain", f"{town.domain}=member")
    assert creator.request("PATCH", f"/clients/{theirs}", json={"name": "x"}).status_code == 200
    assert error_of(creator.request("PATCH", f"/clients/{others}", json={"name": "x"})) == FORBIDDEN
    assert error_of(creator.request("POST", "/clients", json={})) == FORBIDDEN
    creator.close()


class Line:
    """One connection, on which somebody views a client over and over."""

    def __init__(self, caller: Api, client_id: str, token: str = "") -> None:
        self._caller, self._client_id = caller, client_id
        self._authorization = f"Bearer {token}" if token else caller.session.headers["authorization"]
        self._raw = Raw(caller.service)

    def view(self) -> tuple[int, str]:
        """Status, and the code of an error."""
        path = f"/{self._caller.domain}/clients/{self._client_id}"
        answer = self._raw.send(request(self._caller.service, "GET", path, authorization=self._authorization)).answer()
        return answer.status, answer.error if answer.status >= 400 else ""

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.socket.close()


@pytest.mark.parametrize(
    ("method", "below", "body"),
    [
        ("POST", "/members/delete", {"members": ["mia"]}),
        ("POST", "/members/delete-all", None),
        ("POST", "/actions/delete", {"actions": ["read"]}),
        ("POST", "/actions/delete-all", None),
        ("DELETE", "", None),
    ],
)
def test_a_right_taken_away_is_gone_at_the_next_request(town: Town, method: str, below: str, body: Any) -> None:
    client = town.operator.create()["id"]
    path = f"/clients/{client}/roles/{town.operator.give_role(client, 'mine', ['read'], [town.member.user])['id']}"
    with Line(town.member, client) as line:
        assert line.view() == (200, "")
        assert town.operator.request(method, path + below, json=body).status_code == 204
        assert line.view() == FORBIDDEN
        assert town.operator.request("DELETE", f"/clients/{client}").status_code == 204
        assert line.view() == (404, "not_found")


def test_a_right_given_is_there_at_the_next_request(town: Town) -> None:
    client = town.operator.create()["id"]
    with Line(town.member, client) as line:
        assert line.view() == FORBIDDEN
        path = f"/clients/{client}/roles/{town.operator.give_role(client, 'mine')['id']}"
        for below, body, expected in (
            ("/members", {"members": [town.member.user]}, FORBIDDEN),
            ("/actions", {"actions": ["update"]}, FORBIDDEN),
            ("/actions", {"actions": ["read"]}, (200, "")),
        ):
            assert town.operator.request("POST", path + below, json=body).status_code == 200
            assert line.view() == expected


def test_a_standing_given_changed_and_taken_away_counts_at_the_next_request(people: People, town: Town) -> None:
    client = town.operator.create()["id"]
    newcomer = people.newcomer()
    with Line(newcomer.within(town.domain), client) as line:
        assert line.view() == ELSEWHERE
        for change, expected in (
            (("--domain", f"{town.domain}=member"), FORBIDDEN),
            (("--domain", f"{town.domain}=admin"), (200, "")),
            (("--domain", f"{town.domain}=member"), FORBIDDEN),
            (("--domain", f"{town.domain}=admin", "--without", town.domain), ELSEWHERE),
        ):
            people.run("change", newcomer.user, *change)
            assert line.view() == expected
    newcomer.close()


def test_an_operator_who_was_removed_is_nobody_and_comes_back_as_nobody(people: People, town: Town) -> None:
    client = town.operator.create()["id"]
    newcomer = people.newcomer({town.domain: "member"})
    role = town.operator.give_role(client, "mine", ["read"], [newcomer.user])
    with Line(newcomer, client) as line:
        assert line.view() == (200, "")
        people.run("remove", newcomer.user)
        assert line.view() == (401, "unauthenticated")
        people.run("add", newcomer.user, "--domain", f"{town.domain}=member")
        with Line(newcomer, client, people.token(newcomer.user)) as again:
            assert again.view() == FORBIDDEN
            assert line.view() == (401, "unauthenticated")
            town.operator.request("POST", f"/clients/{client}/roles/{role['id']}/members", json={"members": [newcomer.user]})
            assert again.view() == (200, "")
    newcomer.close()


def test_a_token_that_was_removed_is_none_and_others_work_on(people: People, town: Town) -> None:
    client = town.operator.create()["id"]
    newcomer = people.newcomer({town.domain: "admin"})
    with Line(newcomer, client) as line, Line(newcomer, client, people.token(newcomer.user, "second")) as second:
        assert (line.view(), second.view()) == ((200, ""), (200, ""))
        people.run("token", "remove", newcomer.user, "t")
        assert (line.view(), second.view()) == ((401, "unauthenticated"), (200, ""))
    newcomer.close()


def test_a_token_that_expired_is_none(people: People, town: Town) -> None:
    client = town.operator.create()["id"]
    newcomer = people.newcomer({town.domain: "admin"})
    with (
        Line(newcomer, client) as lasting,
        Line(newcomer, client, people.token(newcomer.user, "e", "--expires-in", "1s")) as line,
    ):
        deadline = time.monotonic() + PATIENCE
        while (answer := line.view()) == (200, ""):
            assert time.monotonic() < deadline
        assert answer == (401, "unauthenticated")
        assert lasting.view() == (200, "")
    newcomer.close()


def _flipped(text: str, at: int) -> str:
    return text[:at] + ("0" if text[at] != "0" else "1") + text[at:][1:]


def test_what_is_almost_a_token_is_none(people: People, town: Town) -> None:
    token, other = people.token("mia", "almost"), people.token("max", "almost")
    path = f"/{town.domain}/clients/roles/available-actions"
    prefix, user, secret = token.split("_")
    assert (prefix, user) == ("mgo", "mia")
    wrong = {
        *(_flipped(token, at) for at in (0, 3, 4, 8, 20, len(token) - 1)),
        f"mgo_max_{secret}",
        f"mgo_mia_{other.split('_')[2]}",
        f"mgo_Mia_{secret}",
        f"mgo__{secret}",
        f"mgo_{secret}",
        f"mgo_mia_{secret.upper()}",
        f"MGO_mia_{secret}",
        secret,
        token[:-1],
        f"{token}0",
        f"{token}{token}",
        f"{token}\u00e9",
        f"x{token}",
        "mgo_",
        "mgo_mia",
        "mgo_mia_",
        "mgo_" + "x" * 1_000_000,
        f"mgo_mia_{'0' * 1_000_000}",
        people.service.token[:-1],
        f"mgo_{people.operator_id}_{people.service.token}",
    }
    url = people.service.http + path
    with httpx.Client() as caller:
        for one in wrong:
            response = caller.get(url, headers=[(b"authorization", f"Bearer {one}".encode())])
            assert error_of(response) == (401, "unauthenticated"), one[:100]
            assert response.headers["www-authenticate"] == "Bearer"
        assert caller.get(url, headers={"authorization": f"Bearer {token}"}).status_code == 200
    for user in ("mia", "max"):
        people.run("token", "remove", user, "almost")


def test_domains_that_are_not_named_are_closed_to_everybody(people: People, tmp_path: Any) -> None:
    with started(tmp_path / "data", {"MG_CLIENTS_STANDALONE_DOMAINS": "here"}) as service:
        closed = People(service)
        local = closed.newcomer({"there": "admin", "here": "member"})
        with Api(service, "here") as operator:
            client = operator.create()["id"]
            operator.give_role(client, "mine", ["read"], [local.user])
            assert local.within("here").request("GET", f"/clients/{client}").status_code == 200
            for caller in (operator.within("there"), local):
                for name in OPERATIONS:
                    _expect(caller, name, Target(client), ELSEWHERE)
                for method, path, body in (("GET", "", None), ("POST", "", {}), ("POST", "/bulk", [{}])):
                    assert error_of(caller.request(method, f"/clients{path}", json=body)) == ELSEWHERE
                assert caller.request("GET", "/clients/roles/available-actions").status_code == 200
        local.close()
        closed.close()
