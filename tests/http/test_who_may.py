"""Who may do what: every operation, by every kind of caller, and what a refusal leaves as it was.

See schema/README.md#permissions.
"""

import time
import uuid
from typing import Any

import pytest

from tests.support import asking
from tests.support.api import Api, error_of
from tests.support.operations import ACTIONS, ELSEWHERE, FORBIDDEN, GROUP, NEEDS, OPERATIONS, Target, expect, made, stored
from tests.support.people import People, Town
from tests.support.raw import Raw, request
from tests.support.service import started
from tests.support.waiting import PATIENCE


@pytest.fixture(scope="module")
def town(people: People) -> Town:
    """One domain for all: each test has clients of its own."""
    return people.town()


@pytest.mark.source_only("it looks into a file of the sources")
def test_every_operation_is_looked_at() -> None:
    assert set(OPERATIONS) == set(NEEDS)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_one_action_gives_what_it_says_and_nothing_else(town: Town, name: str, action: str) -> None:
    target = made(town.operator, OPERATIONS[name])
    town.operator.give_role(target.client, "mine", [action], [town.member.user])
    expect(town.member, name, target, None if action == NEEDS[name] else FORBIDDEN)


@pytest.mark.parametrize("name", OPERATIONS)
def test_all_other_actions_do_not_make_up_for_the_one(town: Town, name: str) -> None:
    target = made(town.operator, OPERATIONS[name])
    town.operator.give_role(target.client, "mine", [one for one in ACTIONS if one != NEEDS[name]], [town.member.user])
    expect(town.member, name, target, FORBIDDEN)


@pytest.mark.parametrize("name", OPERATIONS)
def test_without_an_action_nobody_may(town: Town, name: str) -> None:
    """No role, a role that allows nothing, a role on another client, somebody else's role."""
    target, neighbour = made(town.operator, OPERATIONS[name]), made(town.operator, OPERATIONS[name])
    town.operator.give_role(target.client, "others", ACTIONS, [town.other.user, "Mia", "mia "])
    town.operator.give_role(neighbour.client, "mine", ACTIONS, [town.member.user])
    expect(town.member, name, target, FORBIDDEN)
    town.operator.give_role(target.client, "idle", [], [town.member.user])
    expect(town.member, name, target, FORBIDDEN)
    expect(town.member, name, neighbour, None)


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_operator_and_the_domains_admin_may(town: Town, name: str) -> None:
    for caller in (town.operator, town.admin):
        expect(caller, name, made(town.operator, OPERATIONS[name]), None)
    theirs = made(town.admin, OPERATIONS[name])
    if name == "view with roles":
        expect(town.operator, name, theirs, (404, "not_found"))  # nobody granted a super admin anything
    else:
        expect(town.operator, name, theirs, None)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_stranger_may_not_whatever_their_roles(town: Town, name: str) -> None:
    target = made(town.operator, OPERATIONS[name])
    expect(town.stranger, name, target, ELSEWHERE)
    town.operator.give_role(target.client, "mine", ACTIONS, [town.stranger.user])
    expect(town.stranger, name, target, ELSEWHERE)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("client", ["unknown", "nope", "foreign"])
def test_a_client_that_is_none_of_the_domain(people: People, town: Town, name: str, client: str) -> None:
    """A foreign one is not found by those either who may do everything to it where it is."""
    foreign = made(town.operator.within("elsewhere"), OPERATIONS[name])
    town.operator.within("elsewhere").give_role(foreign.client, "mine", ACTIONS, [town.member.user])
    target = {"unknown": Target(str(uuid.uuid4())), "nope": Target("nope"), "foreign": foreign}[client]
    for caller in (town.operator, town.admin, town.member):
        expect(caller, name, target, (404, "not_found"))
    expect(town.stranger, name, target, ELSEWHERE)


@pytest.mark.parametrize("verb", ["connect", "disconnect"])
def test_one_client_that_is_not_ours_and_nothing_is_connected(town: Town, verb: str) -> None:
    ours, theirs = made(town.operator, OPERATIONS[verb]), made(town.operator, OPERATIONS[verb])
    town.operator.give_role(ours.client, "mine", ["connect_to_channel"], [town.member.user])
    before = stored(town.operator.service, ours.client), stored(town.operator.service, theirs.client)
    for clients in ([ours.client, theirs.client], [theirs.client, ours.client]):
        body = {"channel_ids": [ours.channel], "client_ids": clients, "types": ["publish"]}
        assert error_of(town.member.request("POST", f"/channels/{verb}", json=body)) == FORBIDDEN
    assert (stored(town.operator.service, ours.client), stored(town.operator.service, theirs.client)) == before


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
        (new,) = response.json()["clients"] if bulk else [response.json()]
        (role,) = town.operator.request("GET", f"/clients/{new['id']}/roles").json()["roles"]
        assert role["created_by"] == caller.user
        members = town.operator.request("GET", f"/clients/{new['id']}/roles/{role['id']}/members").json()["members"]
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
    with asking.client() as caller:
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
                    expect(caller, name, Target(client), ELSEWHERE)
                for method, path, body in (("GET", "", None), ("POST", "", {}), ("POST", "/bulk", [{}])):
                    assert error_of(caller.request(method, f"/clients{path}", json=body)) == ELSEWHERE
                assert caller.request("GET", "/clients/roles/available-actions").status_code == 200
        local.close()
        closed.close()
