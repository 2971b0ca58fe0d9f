"""Who has which role on a client, and that somebody keeps managing them (schema/README.md#members)."""

from typing import Any, ClassVar

import pytest

from tests.support.api import Api, error_of
from tests.support.people import ADMIN, People, Town

MANAGE = "manage_role"
MOST = 10_000  # members in one call


def _path(client_id: str, role: dict[str, Any], below: str = "") -> str:
    return f"/clients/{client_id}/roles/{role['id']}{below}"


def _built_in(api: Api, client_id: str) -> dict[str, Any]:
    role: dict[str, Any] = api.request("GET", f"/clients/{client_id}/roles").json()["roles"][0]
    return role


def _members(api: Api, client_id: str, role: dict[str, Any], **query: Any) -> list[str]:
    response = api.request("GET", _path(client_id, role, "/members"), params={"limit": 100} | query)
    assert response.status_code == 200, response.text
    members: list[str] = response.json()["members"]
    return members


def _state(api: Api, client_id: str) -> list[Any]:
    """Roles of a client with their members, and what was told of them."""
    roles = api.request("GET", f"/clients/{client_id}/roles").json()["roles"]
    return [roles, [_members(api, client_id, role) for role in roles], api.told(client_id)]


def test_members_come_and_go(town: Town) -> None:
    client = town.operator.create()["id"]
    role = town.operator.give_role(client, "x", ["read"], ["bob"])
    path = _path(client, role)

    response = town.admin.request("POST", f"{path}/members", json={"members": ["dave", "carol", "Bob"]})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.json() == {"members": ["dave", "carol", "Bob"]}
    assert _members(town.operator, client, role) == ["Bob", "bob", "carol", "dave"]
    first = town.operator.request("GET", path).json()
    assert first["updated_by"] == ADMIN
    assert first["updated_at"] > role["created_at"]

    response = town.operator.request("POST", f"{path}/members/delete", json={"members": ["carol", "bob", "nobody"]})
    assert (response.status_code, response.content, response.headers["content-type"]) == (204, b"", "application/json")
    assert _members(town.operator, client, role) == ["Bob", "dave"]
    second = town.operator.request("GET", path).json()
    assert second["updated_by"] == town.operator.user
    assert second["updated_at"] > first["updated_at"]

    headers = {"Content-Type": "text/plain"}
    response = town.admin.request("POST", f"{path}/members/delete-all", content=b"?", headers=headers)
    assert (response.status_code, response.content, response.headers["content-type"]) == (204, b"", "application/json")
    assert _members(town.operator, client, role) == []
    third = town.operator.request("GET", path).json()
    assert (third["updated_by"], third["updated_at"] > second["updated_at"]) == (ADMIN, True)

    for verb, body in (("delete", {"members": ["bob"]}), ("delete-all", None)):
        assert town.operator.request("POST", f"{path}/members/{verb}", json=body).status_code == 204
    assert town.operator.request("GET", path).json() == third


def test_the_shape_of_a_page_of_members(api: Api) -> None:
    client = api.create()["id"]
    role = api.give_role(client, "x", (), list("edcba"))
    response = api.request("GET", _path(client, role, "/members"), params={"offset": 1, "limit": 3})
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["total", "offset", "limit", "members"]
    assert response.json() == {"total": 5, "offset": 1, "limit": 3, "members": ["b", "c", "d"]}
    for offset in (5, 2**64 - 1):
        page = api.request("GET", _path(client, role, "/members"), params={"offset": offset}).json()
        assert (page["total"], page["members"]) == (5, [])


@pytest.mark.parametrize(
    "member", ["x", "x" * 36, "é" * 36, "\U0001f525" * 36, " ", "a b", "'\"\\%_", "a/b", "9b2f6c1e-3c7a-4f0d-8a51-6d2e4b7f9c10"]
)
def test_anybody_can_be_a_member(api: Api, member: str) -> None:
    """1 to 36 characters, an operator or not (schema/README.md#members)."""
    client = api.create()["id"]
    role = api.give_role(client, "x", ["read"])
    assert api.request("POST", _path(client, role, "/members"), json={"members": [member]}).json() == {"members": [member]}
    assert _members(api, client, role) == [member]
    shown = api.request("GET", f"/clients/{client}/roles/members", params={"role_name": "x"}).json()["members"]
    assert [one["member_id"] for one in shown] == [member]
    assert api.request("POST", _path(client, role, "/members/delete"), json={"members": [member]}).status_code == 204
    assert _members(api, client, role) == []


@pytest.mark.parametrize(
    ("members", "status", "code"),
    [
        ([], 400, "missing_members"),
        (None, 400, "missing_members"),
        ([""], 400, "malformed_request"),
        (["new", ""], 400, "malformed_request"),
        (["new", "x" * 37], 400, "malformed_request"),
        (["new", "\U0001f525" * 37], 400, "malformed_request"),
        (["new", "new"], 400, "malformed_request"),
        (["bob", "bob"], 400, "malformed_request"),
        (["new", "a\0b"], 400, "malformed_request"),
        ("new", 400, "invalid_body"),
        ([1], 400, "invalid_body"),
        (["new", None], 400, "invalid_body"),
        ({"new": "new"}, 400, "invalid_body"),
        ([f"m{n}" for n in range(MOST + 1)], 413, "too_many_elements"),
    ],
)
def test_who_cannot_be_a_member(api: Api, members: Any, status: int, code: str) -> None:
    client = api.create()["id"]
    role = api.give_role(client, "x", ["read"], ["bob"])
    before = _state(api, client)
    for verb in ("", "/delete"):
        response = api.request("POST", _path(client, role, f"/members{verb}"), json={"members": members})
        assert error_of(response) == (status, code)
    if code != "missing_members":
        response = api.request("POST", f"/clients/{client}/roles", json={"role_name": "y", "optional_members": members})
        assert error_of(response) == (status, code)
    assert _state(api, client) == before


def test_ten_thousand_members_in_one_call(api: Api) -> None:
    client = api.create()["id"]
    many = [f"{n:036}" for n in range(MOST)]
    role = api.give_role(client, "x", ["read"], many)
    assert (role["optional_members"], len(_members(api, client, role, offset=9_950))) == (many, 50)
    body = {"members": many}
    assert error_of(api.request("POST", _path(client, role, "/members"), json=body)) == (409, "member_of_role")
    assert api.request("POST", _path(client, role, "/members/delete"), json=body).status_code == 204
    other = api.give_role(client, "y", [MANAGE])
    assert api.request("POST", _path(client, other, "/members"), json=body).json() == body
    assert error_of(api.request("POST", _path(client, role, "/members"), json=body)) == (409, "member_of_other_role")
    assert api.request("POST", _path(client, other, "/members/delete-all")).status_code == 204
    assert _members(api, client, other) == []


@pytest.mark.parametrize(
    ("members", "code"),
    [
        (["new", "bob"], "member_of_role"),
        (["new", "carol"], "member_of_other_role"),
        (["new", "OPERATOR"], "member_of_other_role"),
    ],
)
def test_nobody_has_two_roles_on_a_client(town: Town, members: list[str], code: str) -> None:
    """And if one of several has, none of them gets another."""
    client = town.operator.create()["id"]
    role = town.operator.give_role(client, "x", ["read"], ["bob"])
    town.operator.give_role(client, "y", (), ["carol"])
    wanted = [member.replace("OPERATOR", town.operator.user) for member in members]
    before = _state(town.operator, client)
    response = town.admin.request("POST", _path(client, role, "/members"), json={"members": wanted})
    assert error_of(response) == (409, code)
    body = {"role_name": "z", "optional_actions": ["read"], "optional_members": wanted}
    assert error_of(town.admin.request("POST", f"/clients/{client}/roles", json=body)) == (409, "member_of_other_role")
    assert _state(town.operator, client) == before


def test_somebody_can_have_a_role_on_every_client(api: Api) -> None:
    one, other = api.create()["id"], api.create()["id"]
    here, there = api.give_role(one, "x", (), ["bob"]), api.give_role(other, "x", (), ["bob"])
    api.request("POST", _path(one, here, "/members/delete"), json={"members": ["bob"]})
    assert (_members(api, one, here), _members(api, other, there)) == ([], ["bob"])


def test_removing_somebody_who_has_another_role_leaves_them_theirs(api: Api) -> None:
    client = api.create()["id"]
    role, theirs = api.give_role(client, "x", (), ["bob"]), api.give_role(client, "y", (), ["carol"])
    before = _state(api, client)
    assert api.request("POST", _path(client, role, "/members/delete"), json={"members": ["carol"]}).status_code == 204
    assert _state(api, client) == before
    assert _members(api, client, theirs) == ["carol"]


class TestEffective:
    """`GET …/roles/members` (schema/README.md#members): direct roles only, and those that allow something."""

    @pytest.fixture
    def client(self, api: Api) -> str:
        """A client whose members are spread over roles of several kinds."""
        client: str = api.create()["id"]
        api.give_role(client, "reader", ["read", "view_role_users"], ["dave", "alice"])
        api.give_role(client, "Writer", ["update", "read"], ["carol", "bob"])
        api.give_role(client, "idle", (), ["nobody"])
        api.give_role(client, "lonely", ["delete"])
        return client

    def _found(self, api: Api, client: str, **query: Any) -> list[str]:
        response = api.request("GET", f"/clients/{client}/roles/members", params=query)
        assert response.status_code == 200, response.text
        members = [member["member_id"] for member in response.json()["members"]]
        assert response.json()["total"] == len(members)
        return ["OPERATOR" if len(member) == 36 else member for member in members]

    def test_the_shape_of_it(self, api: Api, client: str) -> None:
        roles = {role["name"]: role["id"] for role in api.request("GET", f"/clients/{client}/roles").json()["roles"]}
        response = api.request(
            "GET", f"/clients/{client}/roles/members", params={"offset": 1, "limit": 2, "order": "role_name"}
        )
        assert response.headers["content-type"] == "application/json"
        page = response.json()
        assert list(page) == ["total", "offset", "limit", "members"]
        writer = {"role_id": roles["Writer"], "role_name": "Writer", "actions": ["update", "read"], "access_type": "direct"}
        assert page == {
            "total": 5,
            "offset": 1,
            "limit": 2,
            "members": [{"member_id": "carol", "roles": [writer]}, page["members"][1]],
        }
        assert list(page["members"][0]) == ["member_id", "roles"]
        assert list(page["members"][0]["roles"][0]) == ["role_id", "role_name", "actions", "access_type"]
        assert page["members"][1]["roles"][0]["role_name"] == "admin"

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"role_name": "reader"}, ["alice", "dave"]),
            ({"role_name": "READER"}, []),
            ({"role_name": "idle"}, []),
            ({"role_name": 'r"'}, []),
            ({"actions": "update,read"}, ["OPERATOR", "bob", "carol"]),
            ({"actions": "read"}, ["OPERATOR", "alice", "bob", "carol", "dave"]),
            ({"actions": "delete"}, ["OPERATOR"]),
            ({"actions": "view_role_users"}, ["OPERATOR", "alice", "dave"]),
            ({"actions": "fly"}, []),
            ({"actions": "read,fly"}, []),
            ({"actions": "read, update"}, []),
            ({"actions": "read", "role_name": "Writer"}, ["bob", "carol"]),
            ({"access_type": "direct"}, ["OPERATOR", "alice", "bob", "carol", "dave"]),
            ({"access_type": "domain"}, []),
            ({"access_type": "direct_group"}, []),
            ({"access_type": "nonsense"}, []),
            ({"access_provider_id": "DOMAIN"}, []),
            ({"access_provider_id": "x"}, []),
            ({"role_id": "x"}, []),
            ({"role_id": "", "role_name": "", "actions": "", "access_type": "", "access_provider_id": ""}, None),
            ({"order": "access_type", "whatever": "x"}, None),
            ({"dir": "", "order": ""}, None),
        ],
    )
    def test_filters(self, api: Api, client: str, query: dict[str, str], found: list[str] | None) -> None:
        wanted = {key: value.replace("DOMAIN", api.domain) for key, value in query.items()}
        everybody = sorted(self._found(api, client))
        assert everybody == ["OPERATOR", "alice", "bob", "carol", "dave"]
        assert sorted(self._found(api, client, **wanted)) == (everybody if found is None else found)

    def test_by_the_id_of_a_role(self, api: Api, client: str) -> None:
        for role in api.request("GET", f"/clients/{client}/roles").json()["roles"]:
            members = _members(api, client, role) if role["name"] != "idle" else []
            found = api.request("GET", f"/clients/{client}/roles/members", params={"role_id": role["id"]}).json()["members"]
            assert [one["member_id"] for one in found] == members
            assert all(one["roles"][0]["role_name"] == role["name"] for one in found)

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({}, ["alice", "bob", "carol", "dave"]),
            ({"dir": "desc"}, ["dave", "carol", "bob", "alice"]),
            ({"order": "nonsense", "dir": "asc"}, ["alice", "bob", "carol", "dave"]),
            ({"order": "role_name"}, ["bob", "carol", "alice", "dave"]),
            ({"order": "role_name", "dir": "desc"}, ["dave", "alice", "carol", "bob"]),
        ],
    )
    def test_order(self, api: Api, client: str, query: dict[str, str], found: list[str]) -> None:
        assert [one for one in self._found(api, client, **query) if one != "OPERATOR"] == found

    def test_order_by_the_id_of_a_role(self, api: Api, client: str) -> None:
        for direction in ("asc", "desc"):
            query = {"order": "role_id", "dir": direction}
            members = api.request("GET", f"/clients/{client}/roles/members", params=query).json()["members"]
            keys = [(one["roles"][0]["role_id"], one["member_id"]) for one in members]
            assert keys == sorted(keys, reverse=direction == "desc")
            assert len(keys) == 5

    def test_pages_are_parts_of_the_whole(self, api: Api, client: str) -> None:
        for order in ("", "role_name", "role_id"):
            whole = self._found(api, client, order=order)
            parts: list[str] = []
            for offset in range(0, 6, 2):
                query = {"order": order, "offset": offset, "limit": 2}
                page = api.request("GET", f"/clients/{client}/roles/members", params=query).json()
                assert page["total"] == 5
                parts += ["OPERATOR" if len(one["member_id"]) == 36 else one["member_id"] for one in page["members"]]
            assert parts == whole

    @pytest.mark.parametrize(("query", "code"), [("dir=up", "invalid_direction"), ("role_id=a&role_id=a", "invalid_query")])
    def test_what_is_no_query(self, api: Api, client: str, query: str, code: str) -> None:
        assert error_of(api.request("GET", f"/clients/{client}/roles/members?{query}")) == (400, code)


class TestTheLastManagingRole:
    """A client that somebody can manage the roles of keeps somebody who can."""

    # What would end it, for a role that is managing and has one member.
    ENDS: ClassVar[list[tuple[str, str, Any]]] = [
        ("DELETE", "", None),
        ("POST", "/actions/delete", {"actions": [MANAGE]}),
        ("POST", "/actions/delete", {"actions": ["read", MANAGE]}),
        ("POST", "/actions/delete-all", None),
        ("POST", "/members/delete", {"members": ["MEMBER"]}),
        ("POST", "/members/delete", {"members": ["nobody", "MEMBER"]}),
        ("POST", "/members/delete-all", None),
    ]

    def _end(self, api: Api, client: str, role: dict[str, Any], end: tuple[str, str, Any], member: str = "") -> tuple[int, str]:
        """Try to; status and code, or no code."""
        method, below, body = end
        if body and "members" in body:
            body = {"members": [name.replace("MEMBER", member or api.user) for name in body["members"]]}
        response = api.request(method, _path(client, role, below), json=body)
        return (response.status_code, "") if response.is_success else error_of(response)

    @pytest.mark.parametrize("end", ENDS)
    def test_it_stays(self, town: Town, end: tuple[str, str, Any]) -> None:
        client = town.operator.create()["id"]
        role = _built_in(town.operator, client)
        # None of these manages: without the action, without members.
        town.operator.give_role(client, "reader", ["read"], ["bob"])
        town.operator.give_role(client, "empty", [MANAGE, "read"])
        before = _state(town.operator, client)
        for caller in (town.operator, town.admin):
            assert self._end(caller, client, role, end, town.operator.user) == (409, "last_managing_role")
        assert _state(town.operator, client) == before

    @pytest.mark.parametrize("end", ENDS)
    def test_it_stays_whatever_its_name(self, town: Town, end: tuple[str, str, Any]) -> None:
        client = town.operator.create()["id"]
        role = _built_in(town.operator, client)
        town.operator.request("PUT", _path(client, role), json={"name": "chief"})
        town.operator.give_role(client, "admin", ["read"], ["bob"])
        assert self._end(town.operator, client, role, end) == (409, "last_managing_role")

    @pytest.mark.parametrize("end", ENDS)
    def test_with_a_second_one_it_may_go(self, town: Town, end: tuple[str, str, Any]) -> None:
        client = town.operator.create()["id"]
        role = _built_in(town.operator, client)
        second = town.operator.give_role(client, "second", [MANAGE], ["bob"])
        assert self._end(town.operator, client, role, end) == (204, "")
        assert self._end(town.operator, client, second, end, "bob") == (409, "last_managing_role")
        if end[0] != "DELETE":
            town.operator.request("DELETE", _path(client, role))
        assert _members(town.operator, client, second) == ["bob"]

    @pytest.mark.parametrize("end", [end for end in ENDS if "actions" not in end[1]])
    def test_its_own_members_may_not_end_it_either(self, town: Town, end: tuple[str, str, Any]) -> None:
        client = town.operator.create()["id"]
        mine = town.operator.give_role(client, "mine", [MANAGE, "remove_role_users"], [town.member.user])
        town.operator.request("DELETE", _path(client, _built_in(town.operator, client)))
        assert self._end(town.member, client, mine, end) == (409, "last_managing_role")

    def test_one_of_two_members_may_go(self, api: Api) -> None:
        client = api.create()["id"]
        role = _built_in(api, client)
        (operator,) = _members(api, client, role)
        api.request("POST", _path(client, role, "/members"), json={"members": ["bob"]})
        delete = _path(client, role, "/members/delete")
        both = {"members": [operator, "bob"]}
        assert error_of(api.request("POST", delete, json=both)) == (409, "last_managing_role")
        assert api.request("POST", delete, json={"members": [operator]}).status_code == 204
        assert error_of(api.request("POST", delete, json=both)) == (409, "last_managing_role")
        assert _members(api, client, role) == ["bob"]

    def test_it_may_lose_every_other_action(self, api: Api) -> None:
        client = api.create()["id"]
        role = _built_in(api, client)
        actions = api.request("GET", _path(client, role, "/actions")).json()["actions"]
        others = [action for action in actions if action != MANAGE]
        assert api.request("POST", _path(client, role, "/actions/delete"), json={"actions": others}).status_code == 204
        assert api.request("GET", _path(client, role, "/actions")).json() == {"actions": [MANAGE]}

    def test_roles_that_do_not_manage_may_go(self, api: Api) -> None:
        client = api.create()["id"]
        for actions, members in ((["read"], ["bob"]), ([MANAGE], []), ([], ["carol"])):
            role = api.give_role(client, "x", actions, members)
            assert api.request("POST", _path(client, role, "/members/delete-all")).status_code == 204
            assert api.request("POST", _path(client, role, "/actions/delete-all")).status_code == 204
            assert api.request("DELETE", _path(client, role)).status_code == 204

    @pytest.mark.parametrize("end", ENDS)
    def test_a_client_that_nobody_manages_can_be_changed_by_the_domain(
        self, people: People, town: Town, end: tuple[str, str, Any]
    ) -> None:
        """Its last managing member may be removed as an operator; then the domain's admin puts it in order."""
        creator = people.newcomer({town.domain: "admin"})
        client = creator.create()["id"]
        role = _built_in(town.operator, client)
        people.run("remove", creator.user)
        assert _members(town.operator, client, role) == []
        removed = town.operator.told(client)[-1]
        assert removed | {"request_id": ""} == {
            "operation": "client.role.members.remove",
            "request_id": "",
            "entity_id": client,
            "role_id": role["id"],
            "members": [creator.user],
        }
        assert self._end(town.admin, client, role, end, creator.user) == (204, "")
        second = town.admin.give_role(client, "second", [MANAGE], ["bob"])
        # Managed again, it stays so.
        assert self._end(town.admin, client, second, end, "bob") == (409, "last_managing_role")
        creator.close()

    def test_the_client_itself_can_always_be_deleted(self, api: Api) -> None:
        client = api.create()["id"]
        assert api.request("DELETE", f"/clients/{client}").status_code == 204


def test_a_role_can_be_filled_again(api: Api) -> None:
    client = api.create()["id"]
    role = api.give_role(client, "x", ["read"], ["bob"])
    api.request("POST", _path(client, role, "/members/delete-all"))
    assert api.request("POST", _path(client, role, "/members"), json={"members": ["bob"]}).status_code == 200
    assert _members(api, client, role) == ["bob"]


def test_what_listeners_are_told_of_members(town: Town) -> None:
    client = town.operator.create()["id"]
    role = town.operator.give_role(client, "x", ["read"])
    path = _path(client, role, "/members")
    town.admin.request("POST", path, json={"members": ["carol", "bob", "alice"]})
    town.admin.request("POST", f"{path}/delete", json={"members": ["nobody", "carol"]})
    town.admin.request("POST", f"{path}/delete-all")
    told = town.operator.told(client)[1:]
    assert len({event.pop("request_id") for event in told}) == 3
    of_role = {"entity_id": client, "role_id": role["id"]}
    assert told == [
        {"operation": "client.role.members.add", **of_role, "members": ["carol", "bob", "alice"]},
        {"operation": "client.role.members.remove", **of_role, "members": ["carol"]},
        {"operation": "client.role.members.remove_all", **of_role},
    ]
