"""Two callers at once: what may happen once happens once, and a right taken away is used by nobody.

Nothing here depends on who is first; over the rounds either is.

See edgeclients/README.md#trip-role-change.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.api import Api, error_of
from tests.support.database import kept
from tests.support.people import People, Town

ROUNDS = 50
WORKERS, CHANGES = 3, 6
RIGHTS = ["manage_role", "add_role_users", "remove_role_users"]

Call = Callable[[], httpx.Response]


@pytest.fixture(scope="module")
def town(people: People) -> Town:
    """One domain for all: each round has clients of its own."""
    return people.town()


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    """Where calls are made from."""
    with ThreadPoolExecutor(WORKERS + 1) as threads:
        yield threads


def _together(pool: ThreadPoolExecutor, *calls: Call) -> list[tuple[int, str]]:
    """Status and error code of each of `calls`, all made at the same moment."""
    start = threading.Barrier(len(calls))

    def make(call: Call) -> tuple[int, str]:
        start.wait()
        response = call()
        return (response.status_code, "") if response.is_success else error_of(response)

    return list(pool.map(make, calls))


def _call(api: Api, method: str, path: str, body: Any = None) -> Call:
    return lambda: api.request(method, path, json=body)


def _managed_by(town: Town, *names: str, actions: list[str] = RIGHTS) -> tuple[str, list[str]]:
    """A client, and roles of it of which each has one member and manages; no others do."""
    client = town.operator.create()["id"]
    (built_in,) = town.operator.request("GET", f"/clients/{client}/roles").json()["roles"]
    roles = [town.operator.give_role(client, f"of {name}", actions, [name])["id"] for name in names]
    assert town.operator.request("DELETE", f"/clients/{client}/roles/{built_in['id']}").status_code == 204
    return client, [f"/clients/{client}/roles/{role}" for role in roles]


def _managing(town: Town, client: str) -> set[str]:
    """Who can manage the roles of a client."""
    page = town.operator.request("GET", f"/clients/{client}/roles/members", params={"actions": "manage_role"}).json()
    return {member["member_id"] for member in page["members"]}


def test_of_the_last_two_managing_members_one_stays(town: Town, pool: ThreadPoolExecutor) -> None:
    for _ in range(ROUNDS):
        client, (path,) = _managed_by(town, "bob")
        town.operator.request("POST", f"{path}/members", json={"members": ["carol"]})
        delete = f"{path}/members/delete"
        answers = _together(
            pool,
            _call(town.operator, "POST", delete, {"members": ["bob"]}),
            _call(town.admin, "POST", delete, {"members": ["carol"]}),
        )
        assert sorted(answers) == [(204, ""), (409, "last_managing_role")]
        gone = ["bob", "carol"][answers.index((204, ""))]
        assert _managing(town, client) == {"bob", "carol"} - {gone}
        assert [event["members"] for event in town.operator.told(client) if event["operation"].endswith("members.remove")] == [
            [gone]
        ]


ENDS: list[tuple[str, str, Any]] = [
    ("DELETE", "", None),
    ("POST", "/actions/delete", {"actions": ["manage_role"]}),
    ("POST", "/actions/delete-all", None),
    ("POST", "/members/delete-all", None),
]


@pytest.mark.parametrize(("one", "other"), [(ENDS[0], ENDS[0]), (ENDS[1], ENDS[3]), (ENDS[2], ENDS[0])])
def test_of_the_last_two_managing_roles_one_stays(town: Town, pool: ThreadPoolExecutor, one: Any, other: Any) -> None:
    for _ in range(ROUNDS // 2):
        client, paths = _managed_by(town, "bob", "carol")
        calls = [
            _call(caller, method, path + below, body)
            for caller, path, (method, below, body) in zip((town.operator, town.admin), paths, (one, other), strict=True)
        ]
        answers = _together(pool, *calls)
        assert sorted(answers) == [(204, ""), (409, "last_managing_role")]
        assert _managing(town, client) == {["carol", "bob"][answers.index((204, ""))]}


def test_of_two_members_who_throw_each_other_out_one_stays(town: Town, pool: ThreadPoolExecutor) -> None:
    """Who is out may not any more."""
    member, other = str(town.member.user), str(town.other.user)
    for _ in range(ROUNDS):
        client, (of_member, of_other) = _managed_by(town, member, other)
        answers = _together(
            pool,
            _call(town.member, "POST", f"{of_other}/members/delete", {"members": [other]}),
            _call(town.other, "POST", f"{of_member}/members/delete", {"members": [member]}),
        )
        assert sorted(answers) == [(204, ""), (403, "forbidden")]
        assert _managing(town, client) == {[member, other][answers.index((204, ""))]}


# What two callers ask for, of which one gets it: below the client's roles ONE and OTHER.
ONCE: list[tuple[str, tuple[str, str, Any], tuple[str, str, Any], str]] = [
    (
        "a member",
        ("POST", "/ONE/members", {"members": ["new"]}),
        ("POST", "/OTHER/members", {"members": ["new"]}),
        "other_role",
    ),
    ("a place", ("POST", "/ONE/members", {"members": ["new", "x"]}), ("POST", "/ONE/members", {"members": ["new"]}), "of_role"),
    (
        "a member of a new role",
        ("POST", "", {"role_name": "x", "optional_members": ["new"]}),
        ("POST", "/ONE/members", {"members": ["new"]}),
        "other_role",
    ),
    (
        "an action",
        ("POST", "/ONE/actions", {"actions": ["read"]}),
        ("POST", "/ONE/actions", {"actions": ["read"]}),
        "action_held",
    ),
    ("a name", ("PUT", "/ONE", {"name": "x"}), ("PUT", "/OTHER", {"name": "x"}), "role_name_taken"),
    ("a new name", ("POST", "", {"role_name": "x"}), ("POST", "", {"role_name": "x"}), "role_name_taken"),
    ("a name, new or not", ("POST", "", {"role_name": "x"}), ("PUT", "/OTHER", {"name": "x"}), "role_name_taken"),
]


@pytest.mark.parametrize(("one", "other", "code"), [case[1:] for case in ONCE], ids=[case[0] for case in ONCE])
def test_two_get_it_once(
    town: Town, pool: ThreadPoolExecutor, one: tuple[str, str, Any], other: tuple[str, str, Any], code: str
) -> None:
    for _ in range(ROUNDS):
        client = town.operator.create()["id"]
        ids = {name: town.operator.give_role(client, name)["id"] for name in ("ONE", "OTHER")}
        calls = []
        for caller, (method, below, body) in ((town.operator, one), (town.admin, other)):
            path = below.replace("OTHER", ids["OTHER"]).replace("ONE", ids["ONE"])
            calls.append(_call(caller, method, f"/clients/{client}/roles{path}", body))
        won, lost = sorted(_together(pool, *calls))
        assert won[0] in {200, 201}
        assert (lost[0], code in lost[1]) == (409, True), lost
        assert len(town.operator.told(client)) == 3  # the two roles, and what happened once
        names = [role["name"] for role in town.operator.request("GET", f"/clients/{client}/roles").json()["roles"]]
        members = town.operator.request("GET", f"/clients/{client}/roles/members").json()["members"]
        assert names.count("x") <= 1
        assert len(members) == len({member["member_id"] for member in members})


def test_a_deleted_client_leaves_no_role_behind(town: Town, pool: ThreadPoolExecutor) -> None:
    for _ in range(ROUNDS):
        client = town.operator.create()["id"]
        answers = _together(
            pool,
            _call(town.operator, "DELETE", f"/clients/{client}"),
            _call(town.admin, "POST", f"/clients/{client}/roles", {"role_name": "x", "optional_members": ["bob"]}),
        )
        assert answers[0] == (204, "")
        assert answers[1] in {(201, ""), (404, "not_found")}
        assert len(town.operator.told(client)) == (answers[1][0] == 201)
        for table in ("clients_roles", "clients_role_members"):
            assert kept(town.operator.service, f"SELECT * FROM {table} WHERE entity_id = ?", (client,)) == []


def _changes(caller: Api, client: str, shared: str, worker: int) -> list[tuple[str, int]]:
    """New roles and new names for one, over and over: what was asked for, with the status of the answer."""
    made = []
    for number in range(CHANGES):
        name = f"{worker}-{number}"
        if number % 2:
            response = caller.request("PUT", shared, json={"name": name})
        else:
            response = caller.request("POST", f"/clients/{client}/roles", json={"role_name": name})
        made.append((name, response.status_code))
    return made


def _take_away(how: str, people: People, town: Town, mine: str, user: str) -> None:
    if how == "operator removed":
        people.run("remove", user)
        return
    method, below, body = {
        "action removed": ("POST", "/actions/delete", {"actions": ["manage_role"]}),
        "all actions removed": ("POST", "/actions/delete-all", None),
        "member removed": ("POST", "/members/delete", {"members": [user]}),
        "role removed": ("DELETE", "", None),
    }[how]
    assert town.operator.request(method, mine + below, json=body).status_code == 204


@pytest.mark.parametrize(
    ("how", "rounds"),
    [("action removed", 12), ("all actions removed", 6), ("member removed", 12), ("role removed", 12), ("operator removed", 6)],
)
def test_a_right_taken_away_is_used_until_then_and_not_again(
    people: People, town: Town, pool: ThreadPoolExecutor, how: str, rounds: int
) -> None:
    """Every change somebody is told of is in the outbox, in their order, before the event that took the right away."""
    for delay in range(rounds):
        caller = people.newcomer({town.domain: "member"}) if how == "operator removed" else town.member
        user = str(caller.user)
        client = town.operator.create()["id"]
        shared = f"/clients/{client}/roles/{town.operator.give_role(client, 'shared')['id']}"
        mine = f"/clients/{client}/roles/{town.operator.give_role(client, 'mine', ['manage_role'], [user])['id']}"
        start = threading.Barrier(WORKERS + 1)

        def work(
            worker: int, caller: Api = caller, client: str = client, shared: str = shared, start: threading.Barrier = start
        ) -> list[tuple[str, int]]:
            start.wait()
            return _changes(caller, client, shared, worker)

        working = [pool.submit(work, worker) for worker in range(WORKERS)]
        start.wait()
        for _ in range(delay % CHANGES * 2):
            town.operator.request("GET", mine)
        _take_away(how, people, town, mine, user)
        answers = [future.result() for future in working]
        caller.request("POST", f"/clients/{client}/roles", json={"role_name": "after"})

        told = town.operator.told(client)
        (end,) = [place for place, event in enumerate(told) if "remove" in event["operation"]]
        theirs = [event["name"] for event in told[:end] if user in {event.get("created_by"), event.get("updated_by")}]
        assert len(told) == end + 1
        for worker, made in enumerate(answers):
            done = [name for name, status in made if status in {200, 201}]
            assert [name for name in theirs if name.startswith(f"{worker}-")] == done
            # Refused once, refused for good: no second way in.
            assert {status for _, status in made[len(done) :]} <= {401, 403}
            assert [name for name, _ in made[: len(done)]] == done
        names = {role["name"] for role in town.operator.request("GET", f"/clients/{client}/roles?limit=100").json()["roles"]}
        renames = [event["name"] for event in told if event["operation"] == "client.role.update"]
        created = {event["name"] for event in told if event["operation"] == "client.role.add"}
        gone = {"shared"} | ({"mine"} if how == "role removed" else set())
        assert names == {"admin", *(created - gone), ["shared", *renames][-1]}
