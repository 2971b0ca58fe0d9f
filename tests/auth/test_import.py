"""What an import may do by Auth: to each client what the caller could do to it through the single routes."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api import Api
from tests.support.cloud.plant import Plant
from tests.support.operations import GROUP
from tests.support.waiting import wait_until

ATOMIC = [{}, {"atomic": "true"}]
REFUSED = "failed to perform authorization over the entity"


@pytest.fixture(autouse=True)
def group(plant: Plant) -> str:
    return plant.world.group(plant.domain, GROUP)


def imported(api: Api, content: str | Iterator[bytes], query: dict[str, str]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    response = api.request("POST", "/clients/import", content=content, headers={"content-type": "text/csv"}, params=query)
    assert response.status_code == 200, response.text
    *told, summary = map(json.loads, response.text.splitlines())
    return told, {name: count for name, count in summary.items() if count}


def viewed(plant: Plant, client: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = plant.root.request("GET", f"/clients/{client['id']}").json()
    return found


@pytest.mark.parametrize("query", ATOMIC)
def test_a_grant_of_the_parent_group(plant: Plant, group: str, query: dict[str, str]) -> None:
    """It holds for clients of that group only."""
    inside, outside = plant.root.create(name="a", parent_group_id=group), plant.root.create(name="b")
    caller = plant.member(["client_create"])
    plant.world.grant(group, caller.user, "client_update")
    assert imported(caller, f"id,name\n{inside['id']},new\n", query) == ([], {"updated": 1})
    assert viewed(plant, inside)["name"] == "new"
    told, summary = imported(caller, f"id,name\n{inside['id']},newer\n{outside['id']},newer\n", {})
    assert summary == {"updated": 1, "failed": 1}
    assert [(one["line"], one["reason"]) for one in told] == [(3, REFUSED)]
    assert viewed(plant, outside)["name"] == "b"


@pytest.mark.parametrize("query", ATOMIC)
def test_a_role_of_the_client(plant: Plant, query: dict[str, str]) -> None:
    client, other = plant.root.create(name="a"), plant.root.create(name="b")
    caller = plant.member(["client_create"])
    plant.root.give_role(client["id"], "mine", ["update"], [caller.user])
    assert imported(caller, f"id,name\n{client['id']},new\n", query) == ([], {"updated": 1})
    assert imported(caller, f"id,name\n{other['id']},new\n", query)[1] == {"failed": 1}


@pytest.mark.parametrize("query", ATOMIC)
def test_a_group_is_left_by_those_who_may_change_it(plant: Plant, group: str, query: dict[str, str]) -> None:
    client = plant.root.create(name="a", parent_group_id=group)
    caller = plant.member(["client_create", "client_update", "client_set_parent_group"])
    content = f"id,name,parent_group_id\n{client['id']},new,\n"
    told, summary = imported(caller, content, query)
    assert summary == {"failed": 1}
    assert told[0]["reason"] == REFUSED
    assert viewed(plant, client)["parent_group_id"] == group
    able = plant.member(["client_create", "client_update", "client_set_parent_group", "group_set_child"])
    assert imported(able, content, query) == ([], {"updated": 1})
    assert "parent_group_id" not in viewed(plant, client)


def test_a_grant_of_the_group_that_a_client_leaves_puts_it_into_no_other(plant: Plant, group: str) -> None:
    """Through the single routes it is in no group when it is put into the other one."""
    there = plant.world.group(plant.domain)
    client = plant.root.create(name="a", parent_group_id=group)
    caller = plant.member(["client_create", "group_set_child"])
    plant.world.grant(group, caller.user, "client_set_parent_group")
    assert imported(caller, f"id,parent_group_id\n{client['id']},{there}\n", {})[1] == {"failed": 1}
    assert viewed(plant, client)["parent_group_id"] == group
    assert imported(caller, f"id,parent_group_id\n{client['id']},\n", {}) == ([], {"updated": 1})


@pytest.mark.parametrize("query", ATOMIC)
def test_a_grant_that_ends_while_the_file_arrives(plant: Plant, group: str, query: dict[str, str]) -> None:
    """It counts no longer for what is stored afterwards: all of the file, if it is atomic."""
    early, late = (plant.root.create(name="old", parent_group_id=group) for _ in range(2))
    caller = plant.member(["client_create"])
    plant.world.grant(group, caller.user, "client_update")

    def refused() -> bool:
        """Auth's answers are kept for some seconds."""
        return caller.request("PATCH", f"/clients/{late['id']}", json={"metadata": {}}).status_code == 403

    before = len(plant.cloud.calls)

    def asked() -> bool:
        return any(group in str(call.request) for call in plant.cloud.calls[before:])

    def body() -> Iterator[bytes]:
        yield f"id,name\n{early['id']},new\n".encode() + b"".join(f"{uuid.uuid4()},filler\n".encode() for _ in range(499))
        wait_until(lambda: asked() if query else viewed(plant, early)["name"] == "new", "the first part")
        plant.world.groups[group].roles.clear()
        wait_until(refused, "the end of the grant")
        yield f"{uuid.uuid4() if query else late['id']},new\n".encode()

    told, summary = imported(caller, body(), query)
    bad = [one for one in told if "reason" in one]
    assert len(bad) == summary["failed"] == 1
    assert bad[0]["line"] == (2 if query else 502)
    assert REFUSED in bad[0]["reason"]
    assert viewed(plant, early)["name"] == ("old" if query else "new")
    assert viewed(plant, late)["name"] == "old"
