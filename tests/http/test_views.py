"""Lists and views as different callers see them (schema/README.md#visibility)."""

from typing import Any, NamedTuple

import pytest

from tests.support.api import Api, error_of
from tests.support.people import ADMIN, MEMBER, OTHER, STRANGER, People, Town

ACTIONS = [
    "update", "read", "delete", "set_parent_group", "connect_to_channel",
    "manage_role", "add_role_users", "remove_role_users", "view_role_users",
]  # fmt: skip
GROUP = "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f50"
CHANNEL = "d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c"
ACCESS = ["role_id", "role_name", "actions", "access_type", "access_provider_id", "roles"]
HIDDEN = "of nobody's concern"


class Scene(NamedTuple):
    """A domain with clients `a` to `f`, by name; who may do what to them is in `_scene`."""

    town: Town
    ids: dict[str, str]
    roles: dict[str, str]  # "mia a": the role that mia has on `a`

    def caller(self, user: str) -> Api:
        """Somebody by id, or `operator`."""
        return next(api for name, api in self.town.everybody().items() if user in {name, api.user})


@pytest.fixture(scope="module")
def scene(people: People) -> Scene:
    """`a` is the oldest, `e` is disabled and was created by the domain's admin, the others by the operator."""
    town = people.town()
    ids: dict[str, str] = {}
    for number, name in enumerate("abcdef"):
        creator = town.admin if name == "e" else town.operator
        ids[name] = creator.create(
            name=name,
            tags=["old"] if name in "abc" else ["young"],
            metadata={"even": number % 2 == 0},
            private_metadata={"p": HIDDEN},
            credentials={"identity": "i"},
            status="disabled" if name == "e" else "enabled",
            **({"parent_group_id": GROUP} if name in "ad" else {}),
        )["id"]
    held: list[tuple[str, str, list[str], list[str]]] = [
        ("a", "reader", ["read"], [MEMBER]),
        ("a", "writer", ["update", "read"], [OTHER]),
        ("b", "writer", ["update", "read"], [MEMBER, "bob"]),
        ("c", "idle", [], [MEMBER]),
        ("c", "reader", ["read"], [STRANGER]),
        ("d", "reader", ["read"], ["bob", "Mia"]),
        ("e", "reader", ["read", "delete"], [MEMBER]),
        ("f", "Reader", ["read"], [MEMBER]),
    ]
    roles: dict[str, str] = {}
    for name, role_name, actions, members in held:
        role = town.operator.give_role(ids[name], role_name, actions, members)["id"]
        roles |= {f"{member} {name}": role for member in members}
    body = {"client_ids": [ids["a"], ids["d"]], "types": ["publish", "subscribe"]}
    assert town.operator.request("POST", f"/channels/{CHANNEL}/connect", json=body).status_code == 201
    foreign = town.operator.within("elsewhere").create(name="foreign")["id"]
    town.operator.within("elsewhere").give_role(foreign, "reader", ["read"], [MEMBER, ADMIN, "bob"])
    return Scene(town, ids, roles)


# What a caller finds by a query: the names in order. Without an order: what was created last comes first.
LISTS: dict[str, dict[str, str]] = {
    "operator": {
        "": "fdcba",
        "status=all": "fedcba",
        "access_type=": "fdcba",
        "actions=&role_id=&role_name=": "fdcba",
        "access_type=direct&status=all": "fdcba",
        "access_type=domain&status=all": "e",
        "access_type=direct_group": "",
        "access_type=nonsense": "",
        "role_name=admin&status=all": "fdcba",
        "role_name=reader&status=all": "",
        "actions=read,delete": "fdcba",
        "actions=fly": "",
        "role_id={mia a}": "",
        "access_type=domain&role_name=admin": "",
        "tags=old&access_type=direct&order=name&dir=asc": "abc",
    },
    ADMIN: {
        "": "fdcba",
        "status=all": "fedcba",
        "access_type=domain&status=all": "fdcba",
        "access_type=direct&status=all": "e",
        "access_type=nonsense&status=all": "",
        "role_name=admin&status=all": "e",
        "role_name=admin": "",
        "actions=read&status=all": "e",
        "actions=fly&status=all": "",
        "role_id={mia a}&status=all": "",
        "user=": "fdcba",
        "order=name&dir=asc&limit=2&offset=1": "bc",
        "channel={channel}": "da",
    },
    MEMBER: {
        "": "fba",
        "status=all": "feba",
        "status=disabled": "e",
        "access_type=direct": "fba",
        "access_type=DIRECT": "",
        "access_type=domain": "",
        "access_type=direct_group": "",
        "access_type=nonsense": "",
        "actions=read": "fba",
        "actions=update": "b",
        "actions=update,read": "b",
        "actions=read,update": "b",
        "actions=read,read": "fba",
        "actions=delete&status=all": "e",
        "actions=fly": "",
        "actions=read,fly": "",
        "actions=read,": "",
        "actions=read,%20update": "",
        "actions=READ": "",
        "role_name=reader": "a",
        "role_name=reader&status=all": "ea",
        "role_name=Reader": "f",
        "role_name=read": "",
        "role_name=admin": "",
        "role_name=idle": "",
        "role_name=r%25": "",
        "role_id={mia a}": "a",
        "role_id={mia c}": "",
        "role_id={max a}": "",
        "role_id=x": "",
        "role_id={mia a}&role_name=writer": "",
        "role_id={mia a}&role_name=reader&actions=read&access_type=direct": "a",
        "name=B": "b",
        "name=d": "",
        "id={id a}": "a",
        "id={id d}": "",
        "id={id c}": "",
        "tags=old": "ba",
        "tags=young&status=all": "fe",
        "metadata=%7B%22even%22:true%7D": "a",
        "metadata=%7B%22even%22:true%7D&status=all&actions=delete": "e",
        "group={group}": "a",
        "group=": "fb",
        "channel={channel}": "a",
        "channel={channel}&actions=update": "",
        "order=name&dir=asc": "abf",
        "order=name&dir=desc": "fba",
        "order=created_at&dir=asc&status=all": "abef",
        "order=updated_at&dir=asc": "abf",
        "created_to=2020-01-01T00:00:00Z": "",
    },
    OTHER: {"": "a", "status=all": "a", "actions=update": "a", "role_name=reader": ""},
}


def _list(scene: Scene, caller: Api, query: str, user: str = "") -> dict[str, Any]:
    places = scene.roles | {f"id {name}": client for name, client in scene.ids.items()}
    wanted = query.format(**places, channel=CHANNEL, group=GROUP) + (f"&user={user}" if user else "")
    response = caller.request("GET", f"/clients?{wanted}")
    assert response.status_code == 200, response.text
    assert HIDDEN not in response.text
    page: dict[str, Any] = response.json()
    for client in page["clients"]:
        assert client["credentials"] == {"identity": "i"}
        assert client["domain_id"] == scene.town.domain
    return page


@pytest.mark.parametrize(("user", "query"), [(user, query) for user, queries in LISTS.items() for query in queries])
def test_what_is_listed_for_whom(scene: Scene, user: str, query: str) -> None:
    """Through their own eyes, and through the operator's who looks with theirs."""
    names = LISTS[user][query]
    page = _list(scene, scene.caller(user), query)
    assert "".join(client["name"] for client in page["clients"]) == names
    assert page["total"] == (5 if "limit" in query else len(names))
    counted = _list(scene, scene.caller(user), f"{query}&only_total=true")
    assert (counted["total"], counted["clients"]) == (page["total"], [])
    if user != "operator" and "user=" not in query:
        assert _list(scene, scene.town.operator, query, user) == page


@pytest.mark.parametrize("user", [MEMBER, ADMIN, "operator"])
@pytest.mark.parametrize("query", ["", "order=name&dir=asc", "order=created_at&dir=desc&access_type=direct", "tags=old"])
def test_pages_are_parts_of_the_whole(scene: Scene, user: str, query: str) -> None:
    caller = scene.caller(user)
    whole = _list(scene, caller, f"{query}&limit=100")
    for limit in (1, 2, 3):
        pages = [_list(scene, caller, f"{query}&limit={limit}&offset={offset}") for offset in range(0, 8, limit)]
        assert [client for page in pages for client in page["clients"]] == whole["clients"]
        assert {page["total"] for page in pages} == {whole["total"]}


def test_a_row_says_by_what_it_is_seen(scene: Scene) -> None:
    (row,) = _list(scene, scene.town.member, "name=a")["clients"]
    assert [key for key in row if key in ACCESS] == ["role_id", "role_name", "actions", "access_type"]
    assert (row["role_id"], row["role_name"], row["actions"]) == (scene.roles["mia a"], "reader", ["read"])
    assert row["access_type"] == "direct"
    assert list(row)[-1] == "status"

    direct, domain = _list(scene, scene.town.admin, "status=all&order=name&limit=2&offset=1&dir=desc")["clients"]
    assert (direct["name"], domain["name"]) == ("e", "d")
    assert [key for key in direct if key in ACCESS] == ["role_id", "role_name", "actions", "access_type"]
    assert (direct["role_name"], direct["actions"], direct["access_type"]) == ("admin", ACTIONS, "direct")
    assert [key for key in domain if key in ACCESS] == ["access_type", "access_provider_id"]
    assert (domain["access_type"], domain["access_provider_id"]) == ("domain", scene.town.domain)

    (connected,) = _list(scene, scene.town.member, f"channel={CHANNEL}")["clients"]
    assert connected["connection_types"] == ["Publish", "Subscribe"]
    assert connected["role_id"] == row["role_id"]


@pytest.mark.parametrize("query", ["", "status=all&order=name", "tags=old", f"channel={CHANNEL}", "user=&access_type="])
def test_the_operator_sees_clients_without_access(scene: Scene, query: str) -> None:
    """Nobody granted a super admin anything: only a question about roles is answered with roles."""
    clients = _list(scene, scene.town.operator, query)["clients"]
    assert clients
    assert not any(set(client) & set(ACCESS) for client in clients)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("role_name=admin", ("admin", "direct", None)),
        ("actions=delete", ("admin", "direct", None)),
        ("access_type=direct", ("admin", "direct", None)),
        ("access_type=domain&status=all", (None, "domain", "DOMAIN")),
    ],
)
def test_the_operator_who_asks_about_roles_sees_them(scene: Scene, query: str, expected: tuple[str | None, ...]) -> None:
    clients = _list(scene, scene.town.operator, query)["clients"]
    assert clients
    provider = expected[2] and scene.town.domain
    for client in clients:
        told = (client.get("role_name"), client.get("access_type"), client.get("access_provider_id"))
        assert told == (*expected[:2], provider)
    role = clients[0].get("role_id", "none")
    assert [one["id"] for one in _list(scene, scene.town.operator, f"role_id={role}")["clients"]] == [
        one["id"] for one in clients if one.get("role_id") == role
    ]


@pytest.mark.parametrize(
    ("user", "names"),
    [("bob", "db"), (STRANGER, "c"), ("Mia", "d"), ("nobody", ""), ("x" * 100, ""), ("'", ""), ("OPERATOR", "fdcba")],
)
def test_the_operator_looks_with_anybodys_eyes(scene: Scene, user: str, names: str) -> None:
    """Also with those of members who are no operators, or may not come here: what their roles give them."""
    user = user.replace("OPERATOR", str(scene.town.operator.user))
    page = _list(scene, scene.town.operator, "", user)
    assert "".join(client["name"] for client in page["clients"]) == names
    assert page["total"] == len(names)
    assert all(client["access_type"] == "direct" and client["role_id"] for client in page["clients"])
    assert _list(scene, scene.town.operator, "access_type=domain", user)["clients"] == []


def test_nobody_else_may(scene: Scene) -> None:
    for caller in (scene.town.admin, scene.town.member):
        for user in (MEMBER, OTHER, ADMIN, "nobody"):
            assert error_of(caller.request("GET", f"/clients?user={user}")) == (403, "super_admin_only")


@pytest.mark.parametrize("query", ["", "user=mia", "user=sam", "access_type=direct", "only_total=true"])
def test_a_stranger_is_shown_nothing_whatever_their_roles(scene: Scene, query: str) -> None:
    assert error_of(scene.town.stranger.request("GET", f"/clients?{query}")) == (403, "domain_forbidden")


@pytest.mark.parametrize("key", ["actions", "role_id", "role_name", "access_type", "user"])
def test_the_same_question_twice_is_none(scene: Scene, key: str) -> None:
    assert error_of(scene.town.operator.request("GET", f"/clients?{key}=x&{key}=x")) == (400, "invalid_query")
    assert error_of(scene.town.operator.request("GET", f"/clients?{key}=%00")) == (400, "invalid_query")


def test_a_list_follows_the_roles(town: Town) -> None:
    ids = [town.operator.create()["id"] for _ in range(3)]
    assert town.member.listed() == []
    roles = [town.operator.give_role(client, "x", ["read"], [town.member.user])["id"] for client in ids]
    assert town.member.listed() == ids[::-1]
    path = f"/clients/{ids[0]}/roles/{roles[0]}"
    for below, body, seen in (
        ("/actions/delete-all", None, False),
        ("/actions", {"actions": ["delete"]}, True),
        ("/members/delete-all", None, False),
        ("/members", {"members": [town.member.user]}, True),
    ):
        assert town.operator.request("POST", path + below, json=body).is_success
        assert town.member.listed() == (ids[::-1] if seen else ids[:0:-1])
    town.operator.request("DELETE", path)
    town.operator.request("DELETE", f"/clients/{ids[1]}")
    assert town.member.listed() == ids[2:]


class TestViewWithRoles:
    def _roles(self, caller: Api, client_id: str) -> list[dict[str, Any]]:
        response = caller.request("GET", f"/clients/{client_id}?roles=true")
        assert response.status_code == 200, response.text
        assert HIDDEN not in response.text
        roles: list[dict[str, Any]] = response.json()["roles"]
        return roles

    def test_the_shape_of_it(self, scene: Scene) -> None:
        plain = scene.town.member.request("GET", f"/clients/{scene.ids['a']}").json()
        assert plain["private_metadata"] == {"p": HIDDEN}
        response = scene.town.member.request("GET", f"/clients/{scene.ids['a']}?roles=true")
        assert response.headers["content-type"] == "application/json"
        body = response.json()
        assert list(body) == [*(key for key in plain if key not in {"private_metadata", "status"}), "roles", "status"]
        del plain["private_metadata"]
        roles = [{"role_id": scene.roles["mia a"], "role_name": "reader", "actions": ["read"], "access_type": "direct"}]
        assert body == plain | {"roles": roles}
        assert list(body["roles"][0]) == ["role_id", "role_name", "actions", "access_type"]

    def test_for_an_admin_there_is_the_domain(self, scene: Scene) -> None:
        (domain,) = self._roles(scene.town.admin, scene.ids["a"])
        assert domain == {
            "role_id": "",
            "role_name": "",
            "actions": ACTIONS,
            "access_provider_id": scene.town.domain,
            "access_type": "domain",
        }
        assert list(domain) == ["role_id", "role_name", "actions", "access_provider_id", "access_type"]
        direct, too = self._roles(scene.town.admin, scene.ids["e"])
        assert (direct["role_name"], direct["actions"], direct["access_type"]) == ("admin", ACTIONS, "direct")
        assert "access_provider_id" not in direct
        assert too == domain

    def test_a_role_without_actions_is_none(self, town: Town) -> None:
        client = town.admin.create()["id"]
        operator, admin = town.operator, town.admin
        town.operator.give_role(client, "idle", [], [operator.user])
        assert error_of(operator.request("GET", f"/clients/{client}?roles=true")) == (404, "not_found")
        other = town.operator.create()["id"]
        town.operator.give_role(other, "idle", [], [admin.user])
        assert [role["access_type"] for role in self._roles(admin, other)] == ["domain"]

    def test_for_the_operator_there_is_the_role_or_nothing(self, scene: Scene) -> None:
        (role,) = self._roles(scene.town.operator, scene.ids["a"])
        assert (role["role_name"], role["actions"], role["access_type"]) == ("admin", ACTIONS, "direct")
        response = scene.town.operator.request("GET", f"/clients/{scene.ids['e']}?roles=true")
        assert error_of(response) == (404, "not_found")
        assert scene.town.operator.request("GET", f"/clients/{scene.ids['e']}").status_code == 200

    def test_who_may_not_view_may_not_so_either(self, town: Town) -> None:
        client = town.operator.create()["id"]
        town.operator.give_role(client, "x", [one for one in ACTIONS if one != "read"], [town.member.user])
        for query in ("", "?roles=true"):
            for caller in (town.member, town.other):
                assert error_of(caller.request("GET", f"/clients/{client}{query}")) == (403, "forbidden")
            assert error_of(town.stranger.request("GET", f"/clients/{client}{query}")) == (403, "domain_forbidden")

    def test_of_a_disabled_client(self, scene: Scene) -> None:
        (role,) = self._roles(scene.town.member, scene.ids["e"])
        assert role["actions"] == ["read", "delete"]

    @pytest.mark.parametrize(
        ("query", "shown"),
        [
            (text, text[0] in "1tT")
            for text in ("1", "t", "T", "TRUE", "True", "true", "0", "f", "F", "FALSE", "False", "false")
        ],
    )
    def test_it_is_a_flag(self, scene: Scene, query: str, shown: bool) -> None:
        body = scene.town.member.request("GET", f"/clients/{scene.ids['a']}?roles={query}&whatever=x").json()
        assert (("roles" in body), ("private_metadata" in body)) == (shown, not shown)

    @pytest.mark.parametrize("query", ["roles=", "roles=yes", "roles=2", "roles=tRUE", "roles=true&roles=true", "roles=%00"])
    def test_what_is_no_flag(self, scene: Scene, query: str) -> None:
        for caller in (scene.town.operator, scene.town.member):
            assert error_of(caller.request("GET", f"/clients/{scene.ids['a']}?{query}")) == (400, "invalid_query")
