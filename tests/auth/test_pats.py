"""Personal access tokens: good for what their scopes say, exactly, and never for more than their owner may.

See schema/README.md#pat-scopes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from tests.auth.test_who_may import HAS_PARENT, target_of
from tests.support.api import Api, error_of
from tests.support.cloud.plant import Plant
from tests.support.cloud.world import SUPER_ADMIN, Scope
from tests.support.database import kept
from tests.support.operations import ACTIONS, FORBIDDEN, GROUP, OPERATIONS, expect

# What each operation is called in a scope; on the group as well, for the two that are about it.
NAMES = {
    "view": "view",
    "view with roles": "view",
    "list retiring": "view",
    "update": "update",
    "update tags": "update_tags",
    "update secret": "update_secret",
    "choose secret": "update_secret",
    "enable": "enable",
    "disable": "disable",
    "delete": "delete",
    "set parent group": "set_parent_group",
    "remove parent group": "remove_parent_group",
    "connect": "connect_to_channel",
    "connect channel": "connect_to_channel",
    "disconnect": "disconnect_from_channel",
    "disconnect channel": "disconnect_from_channel",
    "role add": "role_add",
    "role remove": "role_remove",
    "role update": "role_update",
    "role add actions": "role_add_actions",
    "role remove actions": "role_remove_actions",
    "role remove all actions": "role_remove_all_actions",
    "role retrieve": "role_retrieve",
    "role retrieve all": "role_retrieve_all",
    "role list actions": "role_list_actions",
    "role list members": "role_list_members",
    "role list entity members": "role_list_members",
    "role add members": "role_add_members",
    "role remove members": "role_remove_members",
    "role remove all members": "role_remove_all_members",
}
ON_GROUP = {"set parent group": "set_child_client", "remove parent group": "remove_child_client"}
EVERYTHING = [*(f"client_{action}" for action in ACTIONS), "client_create", "group_set_child"]


class Scopes(NamedTuple):
    """Scopes for an operation on a client: those that are enough, each set by itself, and those that are not."""

    enough: Sequence[Sequence[Scope]]
    too_little: Sequence[Sequence[Scope]]


@pytest.fixture(scope="module", autouse=True)
def people(shared: Plant) -> None:
    for user in ("bob", "carol"):
        shared.world.member(shared.domain, user_id=user)
    shared.world.group(shared.domain, GROUP)


def scopes_of(plant: Plant, name: str, client: str) -> Scopes:
    """By schema/README.md#pat-scopes: exact on type, domain, operation; the entity exact, or any."""
    domain, operation = plant.domain, NAMES[name]
    group = [Scope(domain, ON_GROUP[name], GROUP, "groups")] if name in ON_GROUP else []
    any_other = [Scope(domain, other) for other in set(NAMES.values()) - {operation}]
    return Scopes(
        ([Scope(domain, operation, client), *group], [Scope(domain, operation), *group]),
        (
            [],
            [*any_other, *group],
            [Scope(domain, operation, "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f51"), *group],
            [Scope("another", operation), *group],
            [Scope(domain, operation, client, "channels"), *group],
            *([[Scope(domain, operation), Scope(domain, ON_GROUP[name])]] if group else []),
        ),
    )


def bearer(plant: Plant, owner: str, scopes: Sequence[Scope], role: int = 1) -> Api:
    return plant.caller(plant.world.pat(owner, *scopes, role=role), owner)


@pytest.mark.source_only("it looks into a file of the sources")
def test_every_operation_has_a_name() -> None:
    assert set(NAMES) == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_token_does_what_it_is_for(plant: Plant, name: str) -> None:
    """Of a member whom the domain lets do everything, of one with a role on the client, and of a super admin."""
    trusted = plant.world.member(plant.domain, EVERYTHING)
    holder = plant.world.member(plant.domain, ["group_set_child"])
    root = plant.root.user
    for number in range(len(scopes_of(plant, name, "").enough)):
        for owner, role in ((trusted, 1), (holder, 1), (root, SUPER_ADMIN)):
            target = target_of(plant, name)
            plant.root.give_role(target.client, "mine", ACTIONS, [holder])
            expect(bearer(plant, owner, scopes_of(plant, name, target.client).enough[number], role), name, target, None)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_token_does_nothing_else_whatever_its_owner_may(plant: Plant, name: str) -> None:
    target = target_of(plant, name)
    trusted, holder = plant.world.member(plant.domain, EVERYTHING), plant.world.member(plant.domain, ["group_set_child"])
    plant.root.give_role(target.client, "mine", ACTIONS, [holder])
    for scopes in scopes_of(plant, name, target.client).too_little:
        for owner, role in ((trusted, 1), (holder, 1), (plant.root.user, SUPER_ADMIN)):
            expect(bearer(plant, owner, scopes, role), name, target, FORBIDDEN)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_token_does_nothing_its_owner_may_not(plant: Plant, name: str) -> None:
    target = target_of(plant, name)
    owner = plant.world.member(plant.domain)
    for scopes in scopes_of(plant, name, target.client).enough:
        expect(bearer(plant, owner, scopes), name, target, FORBIDDEN)


@pytest.mark.parametrize("name", ["view", "set parent group"])
def test_a_token_of_somebody_whom_a_group_lets(plant: Plant, name: str) -> None:
    group = plant.world.group(plant.domain)
    owner = plant.world.member(plant.domain)
    plant.world.grant(group, owner, *EVERYTHING)
    target = target_of(plant, name, group)
    expected = HAS_PARENT if name == "set parent group" else None
    expect(bearer(plant, owner, scopes_of(plant, name, target.client).enough[0]), name, target, expected)
    expect(bearer(plant, owner, []), name, target, FORBIDDEN)


def test_several_clients_take_a_scope_for_each_or_for_any(plant: Plant) -> None:
    owner = plant.world.member(plant.domain, EVERYTHING)
    clients = [plant.root.create()["id"] for _ in range(3)]
    body = {"channel_ids": [GROUP], "client_ids": clients, "types": ["publish"]}
    scopes = [Scope(plant.domain, "connect_to_channel", client) for client in clients]
    assert error_of(bearer(plant, owner, scopes[:2]).request("POST", "/channels/connect", json=body)) == FORBIDDEN
    assert bearer(plant, owner, scopes).request("POST", "/channels/connect", json=body).status_code == 201


def test_creating_and_listing_are_scopes_as_well(plant: Plant) -> None:
    owner = plant.world.member(plant.domain, EVERYTHING)
    creating, listing = Scope(plant.domain, "create_clients"), Scope(plant.domain, "list_clients")
    fields = {"parent_group_id": GROUP}
    assert error_of(bearer(plant, owner, [listing]).request("POST", "/clients", json={})) == FORBIDDEN
    assert error_of(bearer(plant, owner, [creating]).request("GET", "/clients")) == FORBIDDEN
    assert bearer(plant, owner, [listing]).request("GET", "/clients").status_code == 200
    assert bearer(plant, owner, [creating]).request("POST", "/clients", json={}).status_code == 201
    assert error_of(bearer(plant, owner, [creating]).request("POST", "/clients", json=fields)) == FORBIDDEN
    placing = [creating, Scope(plant.domain, "set_parent_group"), Scope(plant.domain, "set_child_client", GROUP, "groups")]
    assert bearer(plant, owner, placing).request("POST", "/clients", json=fields).status_code == 201
    root = bearer(plant, plant.root.user, [listing], SUPER_ADMIN)
    assert error_of(root.request("GET", "/clients", params={"user": owner})) == FORBIDDEN
    root = bearer(plant, plant.root.user, [Scope(plant.domain, "list_user_clients")], SUPER_ADMIN)
    assert root.request("GET", "/clients", params={"user": owner}).status_code == 200


def test_a_token_used_tells_the_event(plant: Plant) -> None:
    owner = plant.world.member(plant.domain, EVERYTHING)
    client = bearer(plant, owner, [Scope(plant.domain, "create_clients")]).create()["id"]
    ((payload,),) = kept(plant.service, "SELECT payload FROM outbox WHERE client_id = ?", (client,))
    assert b'"token_type":"pat"' in payload
