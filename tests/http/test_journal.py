"""The journal: who did what to a client, when and from where, before and after (schema/README.md#journal)."""

import hashlib
import json
import time
import uuid
from datetime import datetime
from typing import Any

import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2
from edgeclients._pb.common.v1 import common_pb2
from tests.support.api import Api, basic, error_of
from tests.support.operations import GROUP, OPERATIONS, made, tried
from tests.support.people import People, Town

# The name of the entry, and what it tells of before and after; CHANNEL is filled in.
TOLD: dict[str, tuple[str, dict[str, Any]]] = {
    "update": ("client.update", {"before": {"name": ""}, "after": {"name": "new"}}),
    "update tags": ("client.update_tags", {"before": {"tags": ""}, "after": {"tags": ["new"]}}),
    "update secret": ("client.update_secret", {"grace_seconds": 0}),
    "choose secret": ("client.update_secret", {"grace_seconds": 0}),
    "enable": ("client.enable", {"before": {"status": "disabled"}, "after": {"status": "enabled"}}),
    "disable": ("client.disable", {"before": {"status": "enabled"}, "after": {"status": "disabled"}}),
    "delete": ("client.remove", {"before": {"status": "enabled"}}),
    "set parent group": (
        "client.set_parent",
        {"before": {"parent_group_id": ""}, "after": {"parent_group_id": GROUP}},
    ),
    "remove parent group": (
        "client.remove_parent",
        {"before": {"parent_group_id": GROUP}, "after": {"parent_group_id": ""}},
    ),
    **{
        name: (
            f"client.{name.split()[0]}",
            {"connections": 1, "channel_ids": ["CHANNEL"], "connection_types": ["publish"]},
        )
        for name in ("connect", "connect channel", "disconnect", "disconnect channel")
    },
    "role add": ("client.role.add", {"role_name": "new", "after": {"actions": ["delete"], "members": ["carol"]}}),
    "role remove": ("client.role.remove", {"role_name": "theirs", "before": {"actions": ["read"]}}),
    "role update": (
        "client.role.update",
        {"role_name": "theirs", "before": {"name": "theirs"}, "after": {"name": "new"}},
    ),
    "role add actions": ("client.role.actions.add", {"role_name": "theirs", "after": {"actions": ["delete"]}}),
    "role remove actions": ("client.role.actions.remove", {"role_name": "theirs", "before": {"actions": ["read"]}}),
    "role remove all actions": (
        "client.role.actions.remove_all",
        {"role_name": "theirs", "before": {"actions": ["read"]}},
    ),
    "role add members": ("client.role.members.add", {"role_name": "theirs", "after": {"members": ["carol"]}}),
    "role remove members": ("client.role.members.remove", {"role_name": "theirs", "before": {"members": ["bob"]}}),
    "role remove all members": (
        "client.role.members.remove_all",
        {"role_name": "theirs", "before": {"members": ["bob"]}},
    ),
}


def journal(api: Api, client_id: str = "", **query: Any) -> list[dict[str, Any]]:
    """The entries about a client, or else of the domain."""
    path = f"/journal/client/{client_id}" if client_id else "/journal"
    response = api.request("GET", path, params={"limit": 100, "with_attributes": "true", **query})
    assert response.status_code == 200, response.text
    body = response.json()
    assert (body["offset"], body["limit"]) == (0, 100)
    assert body["total"] >= len(body["journals"])
    entries: list[dict[str, Any]] = body["journals"]
    return entries


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_change_and_no_reading_is_one_entry(town: Town, name: str) -> None:
    target = made(town.operator, OPERATIONS[name])
    before = journal(town.operator, target.client)
    assert tried(town.admin, OPERATIONS[name], target).status_code == OPERATIONS[name].status
    entries = journal(town.operator, target.client)
    new = entries[: len(entries) - len(before)]
    assert entries[len(new) :] == before
    if OPERATIONS[name].method == "GET":
        assert new == []
        return
    ((entry),) = new
    operation, told = TOLD[name]
    attributes = entry["attributes"]
    assert (entry["operation"], entry["domain"]) == (operation, town.domain)
    assert (attributes.pop("id"), attributes.pop("user_id"), attributes.pop("from")) == (
        target.client,
        town.admin.user,
        "127.0.0.1",
    )
    assert uuid.UUID(attributes.pop("request_id"))
    assert attributes.pop("role_id", "").startswith("client_" if "role" in operation else "")
    assert attributes == json.loads(json.dumps(told).replace("CHANNEL", target.channel))


def test_a_new_client_and_its_metadata(town: Town) -> None:
    fields = {"name": "boiler", "tags": ["a"], "external_id": "SN-1", "credentials": {"identity": "me"}, "status": "disabled"}
    metadata = {"metadata": {"room": "b1", "depth": {"x": 1}}, "private_metadata": {"owner": "hush"}}
    client = town.operator.create(**fields, **metadata)
    (entry,) = journal(town.operator, client["id"])
    after = {"name": "boiler", "tags": ["a"], "external_id": "SN-1", "identity": "me", "status": "disabled"}
    assert entry["operation"] == "client.create"
    assert entry["attributes"]["after"] == {**after, "metadata": ["room", "depth"]}
    assert "before" not in entry["attributes"]


def test_metadata_is_told_by_its_keys(town: Town) -> None:
    client = town.operator.create(metadata={"same": 1, "changed": 1, "gone": {"deep": 1}, "type": 1})
    new = {"same": 1, "changed": 2, "new": "value-of-it", "type": True}
    town.operator.request("PATCH", f"/clients/{client['id']}", json={"metadata": new, "private_metadata": {"owner": "hush"}})
    attributes = journal(town.operator, client["id"])[0]["attributes"]
    assert (attributes["before"], attributes["after"]) == (
        {"metadata": ["changed", "gone", "type"]},
        {"metadata": ["changed", "new", "type"]},
    )
    told = json.dumps(journal(town.operator, client["id"]))
    assert not any(text in told for text in ("value-of-it", "owner", "hush", "deep"))


def test_long_values_are_cut(town: Town) -> None:
    client = town.operator.create(name="ä" * 500, metadata={"k" * 200 + str(number): 1 for number in range(20)})
    town.operator.request("PATCH", f"/clients/{client['id']}/tags", json={"tags": ["t" * 200 + str(n) for n in range(30)]})
    updated, created = journal(town.operator, client["id"])
    after = created["attributes"]["after"]
    assert after["name"] == "ä" * 500
    for value, most in ((after["metadata"], 20), (updated["attributes"]["after"]["tags"], 30)):
        assert value[-1] == f"… {most - len(value) + 1} more"
        assert 700 < len("".join(value).encode()) <= 1024


def test_no_call_displaces_the_others_entries(town: Town) -> None:
    """An entry is small, whatever was sent: else the bytes of a ring were soon full."""
    client = town.operator.create()["id"]
    members = [f"{number:036}" for number in range(10_000)]
    role = town.operator.request("POST", f"/clients/{client}/roles", json={"role_name": "all", "optional_members": members})
    assert role.status_code == 201, role.text
    path = f"/clients/{client}/roles/{role.json()['id']}/members"
    assert town.operator.request("POST", f"{path}/delete-all").is_success
    assert town.operator.request("POST", path, json={"members": members}).is_success
    assert town.operator.request("POST", f"{path}/delete", json={"members": members}).is_success
    *changes, _ = journal(town.operator, client)
    assert len(changes) == 4
    for change in changes:
        (told,) = (
            change["attributes"].get(name, {}).get("members") for name in ("before", "after") if name in change["attributes"]
        )
        assert told[0] in members
        assert told[-1] == f"… {len(members) - len(told) + 1} more"
        assert len(json.dumps(change["attributes"])) <= 4096


def test_no_secret_is_told(town: Town) -> None:
    chosen = f"open sesame {uuid.uuid4()}"
    client = town.operator.create(credentials={"secret": chosen})
    path = f"/clients/{client['id']}/secret"
    made_secret = town.operator.request("PATCH", path, json={"generate": True, "grace": 60}).json()["credentials"]["secret"]
    again = f"sesame open {uuid.uuid4()}"
    assert town.operator.request("PATCH", path, json={"secret": again}).status_code == 200
    told = json.dumps(journal(town.operator, client["id"]))
    assert [entry["attributes"].get("grace_seconds") for entry in journal(town.operator, client["id"])] == [0, 60, None]
    assert not any(secret in told for secret in (chosen, made_secret, again, "$hmac", "$argon2"))


def test_a_bulk_is_one_entry_and_a_short_one_for_each_client(town: Town) -> None:
    response = town.operator.request("POST", "/clients/bulk", json=[{"name": "a"}, {"name": "b", "tags": ["t"]}])
    ids = [client["id"] for client in response.json()["clients"]]
    entries = journal(town.operator)
    assert {entry["operation"] for entry in entries} == {"client.create"}
    by_client = {entry["attributes"].get("id", ""): entry["attributes"] for entry in entries}
    assert by_client.keys() == {"", *ids}
    assert by_client[""]["clients"] == 2
    for client_id in ids:
        assert by_client[client_id] == {"id": client_id, "user_id": town.operator.user}
        assert len(journal(town.operator, client_id)) == 1


def test_what_is_done_to_several_at_once(town: Town) -> None:
    ids = [town.operator.create()["id"] for _ in range(2)]
    body = {"channel_ids": [GROUP], "client_ids": ids, "types": ["publish", "subscribe"]}
    for verb in ("connect", "disconnect"):
        assert town.operator.request("POST", f"/channels/{verb}", json=body).is_success
        entries = journal(town.operator, operation=f"client.{verb}")
        assert sorted(entry["attributes"].get("id", "") for entry in entries) == sorted(["", *ids])
        (whole,) = (entry["attributes"] for entry in entries if "id" not in entry["attributes"])
        assert (whole["clients"], whole["connections"], whole["channel_ids"]) == (2, 4, [GROUP])


def test_what_another_service_did(town: Town, stub: Any) -> None:
    client_id = town.operator.create(parent_group_id=(group := str(uuid.uuid4())))["id"]
    connection = common_pb2.Connection(channel_id=GROUP, domain_id=town.domain, client_id=client_id, type=1)
    stub.AddConnections(common_pb2.AddConnectionsReq(connections=[connection]))
    stub.RemoveConnections(common_pb2.RemoveConnectionsReq(connections=[connection]))
    removed, added, _ = journal(town.operator, client_id)
    assert (added["operation"], removed["operation"]) == ("client.connect", "client.disconnect")
    for entry in (added, removed):
        assert entry["attributes"] == {
            "id": client_id,
            "from": "gRPC",
            "connections": 1,
            "channel_ids": [GROUP],
            "connection_types": ["publish"],
        }
    stub.UnsetParentGroupFromClient(clients_pb2.UnsetParentGroupFromClientReq(parent_group_id=group))
    (left, *_) = journal(town.operator, client_id)
    assert left["operation"] == "client.remove_parent"
    assert left["attributes"] == {
        "id": client_id,
        "from": "gRPC",
        "before": {"parent_group_id": group},
        "after": {"parent_group_id": ""},
    }


def test_what_another_service_did_to_clients_of_several_domains(town: Town, stub: Any) -> None:
    """Each domain is told of its own; the journal of none has a client of another."""
    channel, group = str(uuid.uuid4()), str(uuid.uuid4())
    callers = (town.operator, town.operator.within(f"d-{uuid.uuid4().hex[:12]}"))
    several = [
        [caller.create(parent_group_id=group)["id"] for _ in range(count)]
        for caller, count in zip(callers, (3, 1), strict=True)
    ]
    connections = [
        common_pb2.Connection(channel_id=channel, domain_id=caller.domain, client_id=client_id, type=way)
        for caller, clients in zip(callers, several, strict=True)
        for client_id in clients
        for way in (1, 2)
    ]
    stub.AddConnections(common_pb2.AddConnectionsReq(connections=connections))
    for _ in range(2):
        stub.RemoveChannelConnections(clients_pb2.RemoveChannelConnectionsReq(channel_id=channel))
        stub.UnsetParentGroupFromClient(clients_pb2.UnsetParentGroupFromClientReq(parent_group_id=group))
    for caller, clients in zip(callers, several, strict=True):
        for operation in ("client.disconnect", "client.remove_parent"):
            entries = journal(caller, operation=operation)
            assert sorted(entry["attributes"].get("id", "") for entry in entries) == sorted(
                [*clients, *[""] * (len(clients) > 1)]
            )
            (whole,) = (entry["attributes"] for entry in entries if len(entry["attributes"]) > 2)
            assert whole.get("client_ids", clients) == sorted(clients)
            if operation == "client.disconnect":
                assert (whole["connections"], whole["channel_ids"]) == (2 * len(clients), [channel])
            else:
                assert whole["before"] == {"parent_group_id": group}


def test_what_changes_nothing_is_no_entry(town: Town, stub: Any) -> None:
    client_id = town.operator.create()["id"]
    existing = common_pb2.Connection(channel_id=GROUP, domain_id=town.domain, client_id=client_id, type=1)
    stub.AddConnections(common_pb2.AddConnectionsReq(connections=[existing]))
    before = journal(town.operator, client_id), town.operator.request("GET", "/journal?everything=true").json()["total"]
    stub.AddConnections(common_pb2.AddConnectionsReq(connections=[existing, existing]))
    missing = [
        common_pb2.Connection(channel_id=GROUP, domain_id=domain, client_id=one, type=2)
        for domain, one in ((town.domain, client_id), (str(uuid.uuid4()), client_id), (town.domain, str(uuid.uuid4())))
    ]
    stub.RemoveConnections(common_pb2.RemoveConnectionsReq(connections=missing))
    body = {"channel_ids": [GROUP], "client_ids": [client_id], "types": ["subscribe"]}
    assert town.operator.request("POST", "/channels/disconnect", json=body).is_success
    stub.RemoveChannelConnections(clients_pb2.RemoveChannelConnectionsReq(channel_id=str(uuid.uuid4())))
    stub.UnsetParentGroupFromClient(clients_pb2.UnsetParentGroupFromClientReq(parent_group_id=str(uuid.uuid4())))
    assert journal(town.operator, client_id) == before[0]
    assert town.operator.request("GET", "/journal?everything=true").json()["total"] == before[1]
    both = common_pb2.Connection(channel_id=GROUP, domain_id=town.domain, client_id=client_id, type=2)
    stub.AddConnections(common_pb2.AddConnectionsReq(connections=[existing, both]))
    assert journal(town.operator, client_id)[0]["attributes"]["connection_types"] == ["subscribe"], "the other one existed"


def test_denied_logins_are_counted(town: Town, stub: Any) -> None:
    client = town.operator.create()
    for secret in ("wrong one", "wrong two", "wrong two", str(uuid.uuid4())):
        with pytest.raises(grpc.RpcError):
            stub.Authenticate(clients_pb2.AuthnReq(token=basic(client["id"], secret)))
    entries = [entry for entry in journal(town.operator, client["id"]) if entry["operation"] == "client.denied"]
    assert sum(entry["attributes"]["count"] for entry in entries) == 4
    assert len(entries) <= 2, "of one hour, or of two that have just changed"
    assert journal(town.operator, client["id"], operation="client.denied") == entries
    assert "wrong" not in json.dumps(entries)


def test_a_mistyped_name_is_not_told(town: Town, stub: Any) -> None:
    """It may be a secret."""
    before = journal(town.operator, operation="client.denied", everything="true")
    mistyped = str(uuid.uuid4())
    for name in (mistyped, "hunter2"):
        with pytest.raises(grpc.RpcError):
            stub.Authenticate(clients_pb2.AuthnReq(token=basic(name, "x")))
    after = journal(town.operator, operation="client.denied", everything="true")
    assert sum(_unknown(after)) >= sum(_unknown(before)) + 2
    assert mistyped not in json.dumps(after)


def _unknown(entries: list[dict[str, Any]]) -> list[int]:
    return [entry["attributes"]["count"] for entry in entries if "id" not in entry["attributes"]]


def test_pages_and_filters(town: Town) -> None:
    client_id = town.operator.create()["id"]
    for name in ("one", "two"):
        town.operator.request("PATCH", f"/clients/{client_id}", json={"name": name})
    path = f"/journal/client/{client_id}"
    newest = town.operator.request("GET", path, params={"limit": 1}).json()
    assert (newest["total"], newest["offset"], newest["limit"]) == (3, 0, 1)
    (entry,) = newest["journals"]
    assert entry.keys() == {"operation", "occurred_at", "domain"}
    oldest = town.operator.request("GET", path, params={"limit": 1, "dir": "asc", "with_metadata": "true"}).json()["journals"][
        0
    ]
    assert (oldest["operation"], oldest["metadata"]) == ("client.create", {})
    assert len(journal(town.operator, client_id, operation="client.update")) == 2
    now = int(time.time())
    times: list[tuple[dict[str, int], int]] = [({"from": now + 3600}, 0), ({"from": now - 3600}, 3), ({"to": now - 3600}, 0)]
    for query, count in [*times, ({"from": 0, "to": 0}, 3), ({"to": now + 3600}, 3)]:
        assert len(journal(town.operator, client_id, **query)) == count
    assert [len(journal(town.operator, client=one)) for one in (client_id, str(uuid.uuid4()))] == [3, 0]


def test_the_second_of_an_upper_bound_is_within_it(town: Town) -> None:
    client_id = town.operator.create()["id"]
    (entry,) = journal(town.operator, client_id)
    second = int(datetime.fromisoformat(entry["occurred_at"]).timestamp())
    bounds = [({"from": second, "to": second}, 1), ({"to": second - 1}, 0), ({"from": second + 1}, 0), ({"to": second}, 1)]
    for query, count in bounds:
        assert len(journal(town.operator, client_id, **query)) == count


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_each_page_leads_to_the_next(town: Town, stub: Any, direction: str) -> None:
    clients = town.operator.request("POST", "/clients/bulk", json=[{}] * 7).json()["clients"]
    for client in clients[:2]:
        with pytest.raises(grpc.RpcError):
            stub.Authenticate(clients_pb2.AuthnReq(token=basic(client["id"], str(uuid.uuid4()))))
    query = {"dir": direction, "with_attributes": "true"}
    everything = town.operator.request("GET", "/journal", params={**query, "limit": 100}).json()
    assert "next" not in everything
    assert everything["total"] == len(everything["journals"]) == 10
    for limit in (1, 3, 5, 10):
        page = town.operator.request("GET", "/journal", params={**query, "limit": limit}).json()
        assert page["total"] == 10
        entries = page["journals"]
        while "next" in page:
            page = town.operator.request("GET", "/journal", params={**query, "limit": limit, "after": page["next"]}).json()
            assert "total" not in page
            entries += page["journals"]
        assert entries == everything["journals"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "invalid_limit"),
        ("limit=101", "invalid_limit"),
        ("offset=-1", "invalid_query"),
        ("from=yesterday", "invalid_query"),
        ("from=2147483648", "invalid_query"),
        ("to=-1", "invalid_query"),
        ("dir=up", "invalid_direction"),
        *((f"after={text}", "invalid_query") for text in ("x", "%C3%A4", "1_2", "-1_-1_", "1_-2_", f"{10**18}_-1_", "1_1_x")),
        ("with_attributes=maybe", "invalid_query"),
        ("operation=%00", "invalid_query"),
    ],
)
def test_a_query_that_is_wrong(town: Town, query: str, code: str) -> None:
    for path in (f"/journal/client/{GROUP}", "/journal"):
        assert error_of(town.operator.request("GET", f"{path}?{query}")) == (400, code)


def test_a_removed_client_keeps_its_entries_and_no_other_domain_sees_them(people: People, town: Town) -> None:
    client_id = town.operator.create(name="gone")["id"]
    assert town.operator.request("DELETE", f"/clients/{client_id}").status_code == 204
    assert [entry["operation"] for entry in journal(town.operator, client_id)] == ["client.remove", "client.create"]
    elsewhere = people.town()
    assert journal(elsewhere.operator, client_id) == []
    assert client_id not in json.dumps(journal(elsewhere.admin))
    assert client_id in json.dumps(journal(town.operator, client=client_id, everything="true"))


def test_the_domains_admin_sees_it_and_members_do_not(town: Town) -> None:
    client_id = town.operator.create()["id"]
    town.operator.give_role(client_id, "mine", ["read", "manage_role"], [town.member.user])
    for path in (f"/journal/client/{client_id}", "/journal"):
        for caller in (town.operator, town.admin):
            assert caller.request("GET", path).status_code == 200
        assert error_of(town.member.request("GET", path)) == (403, "forbidden")
        assert error_of(town.stranger.request("GET", path)) == (403, "domain_forbidden")
    assert town.operator.request("GET", "/journal?everything=true").status_code == 200
    assert error_of(town.admin.request("GET", "/journal?everything=true")) == (403, "super_admin_only")


@pytest.mark.parametrize("name", ["nope", "5c3a3f0e-3a0f-4b0a-9a3a-00000000000", "x" * 300])
def test_an_id_that_no_client_can_have(town: Town, name: str) -> None:
    assert error_of(town.operator.request("GET", f"/journal/client/{name}")) == (400, "invalid_id")


def test_paths_beside_it(town: Town) -> None:
    for path in ("/journal/user/x", "/journal/client", "/journal/client/a/b"):
        assert town.operator.request("GET", path).status_code in {400, 404}
    for path in ("/journal", f"/journal/client/{GROUP}"):
        assert town.operator.request("POST", path, json={}).status_code == 405


def _imported(api: Api, content: str, media_type: str = "text/csv", **query: str) -> dict[str, Any]:
    """The summary of an import."""
    response = api.request("POST", "/clients/import", params=query, content=content, headers={"content-type": media_type})
    assert response.status_code == 200, response.text
    summary: dict[str, Any] = json.loads(response.text.splitlines()[-1])
    return summary


@pytest.mark.parametrize("atomic", ["false", "true"])
def test_an_import_is_one_entry_and_a_short_one_for_each_client_that_it_changes(town: Town, atomic: str) -> None:
    first = "external_id,name,tags,status,channels\n" + "".join(f"SN-{n},n{n},a,enabled,{GROUP}\n" for n in range(1200))
    assert _imported(town.operator, first, atomic=atomic)["created"] == 1200
    (whole,) = journal(town.operator, operation="client.import")
    assert whole["attributes"].pop("request_id")
    assert whole["attributes"] == {
        "user_id": town.operator.user,
        "from": "127.0.0.1",
        "created": 1200,
        "updated": 0,
        "unchanged": 0,
        "failed": 0,
        "source": hashlib.sha256(first.encode()).hexdigest(),
    }
    page = town.operator.request("GET", "/journal", params={"operation": "client.create"}).json()
    assert page["total"] == 1200
    second = f"external_id,name,tags,status,channels\nSN-0,new,b,disabled,\nSN-1,n1,a,enabled,{GROUP}\n"
    assert _imported(town.operator, second, atomic=atomic)["updated"] == 1
    newest, older = journal(town.operator, operation="client.import")
    assert (newest["attributes"]["updated"], newest["attributes"]["unchanged"]) == (1, 1)
    assert older["attributes"]["created"] == 1200
    (client_id,) = (one["id"] for one in town.operator.request("GET", "/clients?external_id=SN-0&status=all").json()["clients"])
    entries = journal(town.operator, client_id)
    operations = ["client.create", "client.disable", "client.disconnect", "client.update", "client.update_tags"]
    assert sorted(entry["operation"] for entry in entries) == operations
    assert all(entry["attributes"] == {"id": client_id, "user_id": town.operator.user} for entry in entries)


def test_an_import_that_changes_nothing_is_no_entry(town: Town) -> None:
    table = "external_id,name\nSN-1,a\n"
    _imported(town.operator, table)
    before = journal(town.operator)
    assert _imported(town.operator, table)["unchanged"] == 1
    assert _imported(town.operator, "external_id,name\nSN-2,b\n", dry_run="true")["created"] == 1
    assert _imported(town.operator, "external_id,status\nSN-3,bogus\n")["failed"] == 1
    assert _imported(town.operator, "external_id,status\nSN-3,bogus\nSN-4,enabled\n", atomic="true")["failed"] == 1
    assert journal(town.operator) == before


def test_bad_lines_of_an_import_are_counted(town: Town) -> None:
    lines = [{"external_id": f"SN-{number}", "status": "bogus" if number % 3 else "enabled"} for number in range(30)]
    summary = _imported(town.operator, "\n".join(map(json.dumps, lines)), "application/jsonl")
    (whole,) = journal(town.operator, operation="client.import")
    assert {name: whole["attributes"][name] for name in summary} == summary
    assert (summary["created"], summary["failed"]) == (10, 20)
