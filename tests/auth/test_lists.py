"""What a list shows by Auth (schema/README.md#visibility): direct roles, what groups grant, or everything."""

from typing import Any

import pytest

from tests.support.api import Api, error_of
from tests.support.cloud.plant import Plant


class Scene:
    """A domain of its own: clients by name, in groups a, b and none."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.root = plant.elsewhere()
        self.domain = self.root.domain
        self.groups = {name: plant.world.group(self.domain) for name in "ab"}
        self.ids: dict[str, str] = {}
        for name, group in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("free", ""), ("other", "")):
            fields = {"parent_group_id": self.groups[group]} if group else {}
            self.ids[name] = self.root.create(name=name, **fields)["id"]

    def member(self, *actions: str) -> Api:
        return self.plant.member(actions, self.domain)

    def shown(self, caller: Api, **query: Any) -> dict[str, tuple[str, str]]:
        """Access type and provider of what is listed, by name; the total fits."""
        response = caller.request("GET", "/clients", params={"order": "name", "dir": "asc", **query})
        assert response.status_code == 200, response.text
        page = response.json()
        assert page["total"] == len(page["clients"])
        assert caller.request("GET", "/clients", params={**query, "only_total": True}).json()["total"] == page["total"]
        return {one["name"]: (one.get("access_type", ""), one.get("access_provider_id", "")) for one in page["clients"]}


@pytest.fixture
def scene(plant: Plant) -> Scene:
    return Scene(plant)


def test_nothing_shows_nothing(scene: Scene) -> None:
    assert scene.shown(scene.member()) == {}
    assert scene.shown(scene.member("client_update", "client_delete")) == {}
    assert error_of(scene.plant.stranger().within(scene.domain).request("GET", "/clients")) == (403, "domain_forbidden")


def test_roles_groups_and_both(scene: Scene) -> None:
    caller = scene.member()
    a, b = scene.groups["a"], scene.groups["b"]
    scene.plant.world.grant(a, caller.user, "client_read")
    scene.plant.world.grant(b, caller.user, "client_update")  # which shows nothing
    scene.root.give_role(scene.ids["a2"], "mine", ["update"], [caller.user])
    scene.root.give_role(scene.ids["free"], "mine", ["read"], [caller.user])
    by_group, direct = ("direct_group", a), ("direct", "")
    assert scene.shown(caller) == {"a1": by_group, "a2": direct, "free": direct}
    assert scene.shown(caller, access_type="direct") == {"a2": direct, "free": direct}
    assert scene.shown(caller, access_type="direct_group") == {"a1": by_group}
    assert scene.shown(caller, access_type="domain") == scene.shown(caller, access_type="nonsense") == {}
    assert scene.shown(caller, group=a) == {"a1": by_group, "a2": direct}
    assert scene.shown(caller, group=b) == {}
    assert scene.shown(caller, group="") == {"free": direct}
    assert scene.shown(caller, actions="update") == {"a2": direct}
    assert scene.shown(caller, name="a1") == {"a1": by_group}


def test_groups_above(scene: Scene) -> None:
    caller = scene.member()
    above = scene.plant.world.group(scene.domain)
    scene.plant.world.groups[scene.groups["b"]].parent = above
    scene.plant.world.grant(above, caller.user, "subgroup_client_read")
    assert scene.shown(caller) == {"b1": ("direct_group", scene.groups["b"])}


def test_everything(scene: Scene) -> None:
    caller = scene.member("client_read")
    scene.root.give_role(scene.ids["a2"], "mine", ["update"], [caller.user])
    everything = dict.fromkeys(["a1", "b1", "free", "other"], ("domain", scene.domain))
    assert scene.shown(caller) == {**everything, "a2": ("direct", "")}
    assert scene.shown(caller, access_type="domain") == everything
    assert scene.shown(caller, access_type="direct_group") == {}


def test_each_group_is_asked_about_once(scene: Scene) -> None:
    caller = scene.member()
    before = len(scene.plant.cloud.asked("Authorize"))
    scene.shown(caller)
    asked = [request.policy_req for request in scene.plant.cloud.asked("Authorize")[before:]]
    assert [question.object_type for question in asked].count("group") == 2
    assert {question.permission for question in asked} == {"membership", "client_read_permission"}


def test_a_super_admin_sees_all_of_it_and_what_others_see(scene: Scene) -> None:
    caller = scene.member()
    scene.plant.world.grant(scene.groups["a"], caller.user, "client_read")
    assert scene.shown(scene.root) == dict.fromkeys(["a1", "a2", "b1", "free", "other"], ("", ""))
    seen = dict.fromkeys(["a1", "a2"], ("direct_group", scene.groups["a"]))
    assert scene.shown(scene.root, user=caller.user) == seen
    assert scene.shown(scene.root, user="nobody") == {}
    assert error_of(caller.request("GET", "/clients", params={"user": scene.root.user})) == (403, "super_admin_only")


def test_what_is_listed_can_be_viewed(scene: Scene) -> None:
    """By an ordinary user with a bit of everything."""
    caller = scene.member()
    scene.plant.world.grant(scene.groups["b"], caller.user, "client_read")
    scene.root.give_role(scene.ids["other"], "mine", ["read"], [caller.user])
    listed = {name for name in scene.ids if caller.request("GET", f"/clients/{scene.ids[name]}").status_code == 200}
    assert listed == set(scene.shown(caller)) == {"b1", "other"}


def test_names_that_are_too_long_to_be_any_are_not_asked_about(scene: Scene) -> None:
    long = "x" * 2000
    before = len(scene.plant.cloud.calls)
    assert scene.shown(scene.member(), group=long) == {}
    assert scene.shown(scene.root, user=long) == {}
    assert not any(long in str(call.request) for call in scene.plant.cloud.calls[before:])


def test_more_groups_than_can_be_asked_about(plant: Plant) -> None:
    """Whoever names a group is answered; and so is whom the domain lets see everything."""
    root = plant.elsewhere()
    groups = [plant.world.group(root.domain) for _ in range(1001)]
    body = [{"parent_group_id": group} for group in groups]
    assert root.request("POST", "/clients/bulk", json=body).status_code == 200
    caller = plant.member(domain=root.domain)
    assert error_of(caller.request("GET", "/clients")) == (503, "query_timed_out")
    plant.world.grant(groups[7], caller.user, "client_read")
    assert caller.request("GET", "/clients", params={"group": groups[7]}).json()["total"] == 1
    assert caller.request("GET", "/clients", params={"access_type": "direct"}).json()["total"] == 0
    assert plant.member(["client_read"], root.domain).request("GET", "/clients").json()["total"] == 1001
