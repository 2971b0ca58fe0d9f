"""Who may do what by Auth (schema/README.md#permissions): every operation, by every way to a permission."""

import uuid
from collections.abc import Iterable

import pytest

from tests.support.api import Api, error_of
from tests.support.cloud.plant import Plant
from tests.support.operations import ACTIONS, ELSEWHERE, FORBIDDEN, GROUP, NEEDS, OPERATIONS, Target, expect, made, tried

HAS_PARENT = (409, "has_parent")
_BY_GROUP = {"set parent group": HAS_PARENT}  # a client that somebody may act on by its group has one


@pytest.fixture(scope="module", autouse=True)
def people(shared: Plant) -> None:
    """Whom the operations name, and the group."""
    for user in ("bob", "carol"):
        shared.world.member(shared.domain, user_id=user)
    shared.world.group(shared.domain, GROUP)


def target_of(plant: Plant, name: str, group: str = "") -> Target:
    """A client that an operation can be done to, in a group or in none."""
    operation = OPERATIONS[name]
    if group:
        operation = operation._replace(fields={**operation.fields, "parent_group_id": group})
    return made(plant.root, operation)


def of_clients(actions: Iterable[str]) -> list[str]:
    """Actions on a domain or group that give these on its clients; and what operations need beyond them."""
    return [*(f"client_{action}" for action in actions), "group_set_child"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_by_a_role_of_the_client(plant: Plant, name: str) -> None:
    """The action it needs, and all but that."""
    target, other = target_of(plant, name), target_of(plant, name)
    caller = plant.member(["group_set_child"])
    plant.root.give_role(target.client, "mine", [one for one in ACTIONS if one != NEEDS[name]], [caller.user])
    plant.root.give_role(other.client, "mine", [NEEDS[name]], [caller.user])
    expect(caller, name, target, FORBIDDEN)
    expect(caller, name, other, None)


@pytest.mark.parametrize("name", OPERATIONS)
def test_by_the_domain(plant: Plant, name: str) -> None:
    expect(plant.member(of_clients([NEEDS[name]])), name, target_of(plant, name), None)
    expect(plant.member(of_clients(one for one in ACTIONS if one != NEEDS[name])), name, target_of(plant, name), FORBIDDEN)


@pytest.mark.parametrize("prefix", ["client_", "subgroup_client_"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_by_the_parent_group_or_one_above_it(plant: Plant, name: str, prefix: str) -> None:
    above = plant.world.group(plant.domain)
    group = plant.world.group(plant.domain, parent=plant.world.group(plant.domain, parent=above))
    where = group if prefix == "client_" else above
    caller, lacking = plant.member(["group_set_child"]), plant.member(["group_set_child"])
    plant.world.grant(where, caller.user, prefix + NEEDS[name])
    plant.world.grant(where, lacking.user, *(prefix + one for one in ACTIONS if one != NEEDS[name]))
    expect(caller, name, target_of(plant, name, group), _BY_GROUP.get(name))
    expect(lacking, name, target_of(plant, name, group), FORBIDDEN)
    expect(caller, name, target_of(plant, name), FORBIDDEN)  # in no group


@pytest.mark.parametrize("name", OPERATIONS)
def test_without_anything(plant: Plant, name: str) -> None:
    target = target_of(plant, name)
    expect(plant.member(), name, target, FORBIDDEN)
    expect(plant.stranger(), name, target, ELSEWHERE)
    stranger = plant.stranger()
    plant.world.grant(plant.world.group(plant.domain), stranger.user, *of_clients(ACTIONS))
    expect(stranger, name, target, ELSEWHERE)


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_super_admin_may(plant: Plant, name: str) -> None:
    expect(plant.root, name, target_of(plant, name), None)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_client_that_is_none_of_the_domain(plant: Plant, name: str) -> None:
    elsewhere = plant.elsewhere()
    for user in ("bob", "carol"):
        plant.world.member(elsewhere.domain, user_id=user)
    plant.world.groups[GROUP].domain, before = elsewhere.domain, plant.world.groups[GROUP].domain
    foreign = made(elsewhere, OPERATIONS[name])
    plant.world.groups[GROUP].domain = before
    for target in (foreign, Target(str(uuid.uuid4())), Target("nope")):
        for caller in (plant.root, plant.member(of_clients(ACTIONS)), plant.member()):
            expect(caller, name, target, (404, "not_found"))


@pytest.mark.parametrize("claim", ["role claim only", "platform admin only"])
def test_a_super_admin_needs_both_the_claim_and_the_platform(plant: Plant, claim: str) -> None:
    user = str(uuid.uuid4())
    if claim == "role claim only":
        caller = plant.caller(plant.world.token(user, role=2), user)
    else:
        plant.world.platform_admins.add(user)
        caller = plant.caller(plant.world.token(user, role=1), user)
    for name in ("view", "delete"):
        expect(caller, name, target_of(plant, name), ELSEWHERE)
    response = caller.request("GET", "/clients", params={"user": "bob"})
    assert error_of(response) == ELSEWHERE


@pytest.mark.parametrize("path", ["/clients", "/clients/bulk"])
def test_clients_are_created_by_whom_auth_lets(plant: Plant, path: str) -> None:
    bulk = path.endswith("bulk")

    def create(caller: Api, **fields: str) -> tuple[int, str]:
        response = caller.request("POST", path, json=[fields] if bulk else fields)
        return (response.status_code, "") if response.is_success else error_of(response)

    done = (200 if bulk else 201, "")
    assert create(plant.member(["client_create"])) == create(plant.root) == done
    assert create(plant.member(of_clients(ACTIONS))) == FORBIDDEN
    assert create(plant.stranger()) == ELSEWHERE
    group = plant.world.group(plant.domain)
    assert create(plant.member(["client_create"]), parent_group_id=group) == FORBIDDEN
    owner = plant.member(["client_create"])
    plant.world.grant(group, owner.user, "set_child")
    assert create(owner, parent_group_id=group) == done
    assert create(owner, parent_group_id=str(uuid.uuid4())) == FORBIDDEN


def test_who_creates_a_client_may_do_everything_with_it(plant: Plant) -> None:
    creator = plant.member(["client_create"])
    client = creator.create()["id"]
    assert creator.request("PATCH", f"/clients/{client}", json={"name": "new"}).status_code == 200
    assert creator.request("DELETE", f"/clients/{client}").status_code == 204


def test_a_parent_group_takes_a_right_on_both(plant: Plant) -> None:
    group = plant.world.group(plant.domain)
    caller = plant.member()
    client = plant.root.create()["id"]
    plant.root.give_role(client, "mine", ["set_parent_group"], [caller.user])
    path, body = f"/clients/{client}/parent", {"parent_group_id": group}
    assert error_of(caller.request("POST", path, json=body)) == FORBIDDEN
    holder = plant.member()
    plant.world.grant(group, holder.user, "set_child")
    assert error_of(holder.request("POST", path, json=body)) == FORBIDDEN
    plant.world.grant(group, caller.user, "set_child")
    fresh = plant.caller(plant.world.token(caller.user), caller.user)
    plant.root.give_role(client, "another")  # what was known is asked anew
    assert fresh.request("POST", path, json=body).status_code == 200
    assert error_of(fresh.request("POST", path, json=body)) == (409, "same_parent")
    assert error_of(holder.request("DELETE", path)) == FORBIDDEN
    assert fresh.request("DELETE", path).status_code == 204
    assert fresh.request("DELETE", path).status_code == 204


def test_members_of_roles_are_members_of_the_domain(plant: Plant) -> None:
    """All of them or none."""
    client = plant.root.create()["id"]
    role = plant.root.give_role(client, "some")["id"]
    members = [plant.world.member(plant.domain) for _ in range(60)]
    stranger = plant.stranger().user
    path = f"/clients/{client}/roles/{role}/members"
    assert error_of(plant.root.request("POST", path, json={"members": [*members, stranger]})) == FORBIDDEN
    assert plant.root.request("GET", path).json()["members"] == []
    body = {"role_name": "new", "optional_members": [stranger]}
    assert error_of(plant.root.request("POST", f"/clients/{client}/roles", json=body)) == FORBIDDEN
    assert plant.root.request("POST", path, json={"members": members}).status_code == 200
    assert plant.root.request("GET", path, params={"limit": 100}).json()["total"] == 60


def test_nobody_learns_of_members_who_may_not_add_any(plant: Plant) -> None:
    """The right comes first: no question about strangers is asked for them."""
    client = plant.root.create()["id"]
    role = plant.root.give_role(client, "some")["id"]
    asked = len(plant.cloud.calls)
    caller = plant.member()
    somebody = plant.world.member(plant.domain)
    response = caller.request("POST", f"/clients/{client}/roles/{role}/members", json={"members": [somebody]})
    assert error_of(response) == FORBIDDEN
    subjects = [call.request.policy_req.subject for call in plant.cloud.calls[asked:] if call.method == "Authorize"]
    assert f"{plant.domain}_{somebody}" not in subjects


def test_a_view_with_roles_says_by_what(plant: Plant) -> None:
    group = plant.world.group(plant.domain)
    client = plant.root.create(parent_group_id=group)["id"]
    caller = plant.member(["client_update", "client_read"])
    plant.world.grant(group, caller.user, "client_delete")
    role = plant.root.give_role(client, "mine", ["manage_role"], [caller.user])
    roles = caller.request("GET", f"/clients/{client}", params={"roles": "true"}).json()["roles"]
    assert roles == [
        {"role_id": role["id"], "role_name": "mine", "actions": ["manage_role"], "access_type": "direct"},
        {
            "role_id": "",
            "role_name": "",
            "actions": ["update", "read", "delete"],  # what the domain gives, its groups give too
            "access_provider_id": group,
            "access_type": "direct_group",
        },
        {
            "role_id": "",
            "role_name": "",
            "actions": ["update", "read"],
            "access_provider_id": plant.domain,
            "access_type": "domain",
        },
    ]


def test_available_actions_take_a_token_and_no_more(plant: Plant) -> None:
    assert plant.stranger().request("GET", "/clients/roles/available-actions").status_code == 200


def test_every_operation_is_tried_as_it_is(plant: Plant) -> None:
    """The table's routes are the service's: none answers that there is no such route."""
    for name, operation in OPERATIONS.items():
        assert tried(plant.stranger(), operation, Target(str(uuid.uuid4()))).status_code == 403, name
