"""The journal with an Auth service: for whom the domain lets manage the roles of each client (schema/README.md#journal)."""

from tests.auth.test_pats import EVERYTHING, bearer
from tests.support.api import error_of
from tests.support.cloud.plant import Plant
from tests.support.cloud.world import SUPER_ADMIN, Scope
from tests.support.operations import ACTIONS, FORBIDDEN


def test_the_right_is_the_domains_alone(plant: Plant) -> None:
    group = plant.world.group(plant.domain)
    client = plant.root.create(parent_group_id=group)["id"]
    by_domain = plant.member(["client_manage_role"])
    others = [f"client_{action}" for action in ACTIONS if action != "manage_role"]
    by_role, by_group, by_others = plant.member(), plant.member(), plant.member(others)
    plant.root.give_role(client, "mine", ACTIONS, [by_role.user])
    plant.world.grant(group, by_group.user, *EVERYTHING)
    for path in ("/journal", f"/journal/client/{client}"):
        for caller in (plant.root, by_domain):
            assert caller.request("GET", path).status_code == 200
        for caller in (by_role, by_group, by_others):
            assert error_of(caller.request("GET", path)) == FORBIDDEN
    assert error_of(by_domain.request("GET", "/journal?everything=true")) == (403, "super_admin_only")


def test_a_token_reads_it_with_the_scope_of_a_view_of_anything(plant: Plant) -> None:
    client = plant.root.create()["id"]
    owner = plant.world.member(plant.domain, EVERYTHING)
    too_little = [[], [Scope(plant.domain, "list_clients")], [Scope(plant.domain, "view", client)], [Scope("another", "view")]]
    for path in ("/journal", f"/journal/client/{client}"):
        assert bearer(plant, owner, [Scope(plant.domain, "view")]).request("GET", path).status_code == 200
        for scopes in too_little:
            assert error_of(bearer(plant, owner, scopes).request("GET", path)) == FORBIDDEN
    for scopes, expected in (([], FORBIDDEN), ([Scope(plant.domain, "view")], (403, "super_admin_only"))):
        root = bearer(plant, plant.root.user, scopes, SUPER_ADMIN)
        query = "?everything=true" if scopes else ""
        assert error_of(root.request("GET", f"/journal{query}")) == expected


def test_what_a_token_did_names_it(plant: Plant) -> None:
    owner = plant.world.member(plant.domain, EVERYTHING)
    client = bearer(plant, owner, [Scope(plant.domain, "create_clients")]).create()["id"]
    (entry,) = plant.root.request("GET", f"/journal/client/{client}?with_attributes=true").json()["journals"]
    assert (entry["attributes"]["user_id"], bool(entry["attributes"]["pat_id"])) == (owner, True)
