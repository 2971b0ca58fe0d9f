"""Every operation on a client over HTTP, what it needs by schema/README.md#permissions, and trying it."""

import json
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx

from edgeclients.store.clause import Clause
from tests.support.api import Api, error_of
from tests.support.database import each_kept
from tests.support.service import Service

GROUP = "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f50"

# schema/README.md#permissions.
NEEDS = {
    "view": "read",
    "view with roles": "read",
    "list retiring": "read",
    "update": "update",
    "update tags": "update",
    "update secret": "update",
    "choose secret": "update",
    "enable": "update",
    "disable": "update",
    "delete": "delete",
    "set parent group": "set_parent_group",
    "remove parent group": "set_parent_group",
    "connect": "connect_to_channel",
    "connect channel": "connect_to_channel",
    "disconnect": "connect_to_channel",
    "disconnect channel": "connect_to_channel",
    "role add": "manage_role",
    "role remove": "manage_role",
    "role update": "manage_role",
    "role add actions": "manage_role",
    "role remove actions": "manage_role",
    "role remove all actions": "manage_role",
    "role retrieve": "view_role_users",
    "role retrieve all": "view_role_users",
    "role list actions": "view_role_users",
    "role list members": "view_role_users",
    "role list entity members": "view_role_users",
    "role add members": "add_role_users",
    "role remove members": "remove_role_users",
    "role remove all members": "remove_role_users",
}
ACTIONS = list(dict.fromkeys(NEEDS.values()))


class Operation(NamedTuple):
    """A route that acts on a client; CLIENT, ROLE (of `bob`, who may `read`) and CHANNEL are filled in."""

    method: str
    path: str
    body: Any
    status: int
    fields: Mapping[str, Any] = MappingProxyType({})  # that the client is created with
    connected: bool = False  # with CHANNEL


_BOTH = {"client_ids": ["CLIENT"], "types": ["publish"]}
_ALL = {"channel_ids": ["CHANNEL"], **_BOTH}
_CHOSEN = {"secret": "open sesame CLIENT"}
_NEW = {"role_name": "new", "optional_actions": ["delete"], "optional_members": ["carol"]}
OPERATIONS = {
    "view": Operation("GET", "/clients/CLIENT", None, 200),
    "view with roles": Operation("GET", "/clients/CLIENT?roles=true", None, 200),
    "list retiring": Operation("GET", "/clients/retiring-secrets?client=CLIENT", None, 200),
    "update": Operation("PATCH", "/clients/CLIENT", {"name": "new"}, 200),
    "update tags": Operation("PATCH", "/clients/CLIENT/tags", {"tags": ["new"]}, 200),
    "update secret": Operation("PATCH", "/clients/CLIENT/secret", {"generate": True}, 200),
    "choose secret": Operation("PATCH", "/clients/CLIENT/secret", _CHOSEN, 200),
    "enable": Operation("POST", "/clients/CLIENT/enable", None, 200, {"status": "disabled"}),
    "disable": Operation("POST", "/clients/CLIENT/disable", None, 200),
    "delete": Operation("DELETE", "/clients/CLIENT", None, 204),
    "set parent group": Operation("POST", "/clients/CLIENT/parent", {"parent_group_id": GROUP}, 200),
    "remove parent group": Operation("DELETE", "/clients/CLIENT/parent", None, 204, {"parent_group_id": GROUP}),
    "connect": Operation("POST", "/channels/connect", _ALL, 201),
    "connect channel": Operation("POST", "/channels/CHANNEL/connect", _BOTH, 201),
    "disconnect": Operation("POST", "/channels/disconnect", _ALL, 204, connected=True),
    "disconnect channel": Operation("POST", "/channels/CHANNEL/disconnect", _BOTH, 204, connected=True),
    "role add": Operation("POST", "/clients/CLIENT/roles", _NEW, 201),
    "role remove": Operation("DELETE", "/clients/CLIENT/roles/ROLE", None, 204),
    "role update": Operation("PUT", "/clients/CLIENT/roles/ROLE", {"name": "new"}, 200),
    "role add actions": Operation("POST", "/clients/CLIENT/roles/ROLE/actions", {"actions": ["delete"]}, 200),
    "role remove actions": Operation("POST", "/clients/CLIENT/roles/ROLE/actions/delete", {"actions": ["read"]}, 204),
    "role remove all actions": Operation("POST", "/clients/CLIENT/roles/ROLE/actions/delete-all", None, 204),
    "role retrieve": Operation("GET", "/clients/CLIENT/roles/ROLE", None, 200),
    "role retrieve all": Operation("GET", "/clients/CLIENT/roles", None, 200),
    "role list actions": Operation("GET", "/clients/CLIENT/roles/ROLE/actions", None, 200),
    "role list members": Operation("GET", "/clients/CLIENT/roles/ROLE/members", None, 200),
    "role list entity members": Operation("GET", "/clients/CLIENT/roles/members", None, 200),
    "role add members": Operation("POST", "/clients/CLIENT/roles/ROLE/members", {"members": ["carol"]}, 200),
    "role remove members": Operation("POST", "/clients/CLIENT/roles/ROLE/members/delete", {"members": ["bob"]}, 204),
    "role remove all members": Operation("POST", "/clients/CLIENT/roles/ROLE/members/delete-all", None, 204),
}
WHOSE = {
    "clients": "id", "clients_roles": "entity_id", "clients_role_members": "entity_id", "connections": "client_id",
    "secret_retirements": "client_id", "revocations": "client_id", "outbox": "client_id",
    "journal": "client_id",
}  # fmt: skip
FORBIDDEN, ELSEWHERE = (403, "forbidden"), (403, "domain_forbidden")


class Target(NamedTuple):
    """What an operation is tried on."""

    client: str
    role: str = "client_" + "0" * 32
    channel: str = GROUP


def made(api: Api, operation: Operation) -> Target:
    """A client that `operation` can be done to."""
    client = api.create(**operation.fields)["id"]
    target = Target(client, api.give_role(client, "theirs", ["read"], ["bob"])["id"], str(uuid.uuid4()))
    if operation.connected:
        assert tried(api, OPERATIONS["connect"], target).status_code == 201
    return target


def tried(api: Api, operation: Operation, target: Target) -> httpx.Response:
    """The answer to `operation` on `target`."""
    text = json.dumps([operation.path, operation.body])
    for place, value in zip(("CLIENT", "ROLE", "CHANNEL"), target, strict=True):
        text = text.replace(place, value)
    path, body = json.loads(text)
    return api.request(operation.method, path, json=body)


def stored(service: Service, client_id: str) -> dict[str, list[Any]]:
    """All that is stored of a client, in an order that no engine promises by itself."""
    queries = [Clause(f"SELECT * FROM {table} WHERE {key} = ?", (client_id,)) for table, key in WHOSE.items()]
    return {table: sorted(rows, key=repr) for table, rows in zip(WHOSE, each_kept(service, queries), strict=True)}


def expect(api: Api, name: str, target: Target, refusal: tuple[int, str] | None) -> None:
    """Try it: it must be refused and change nothing, or do what it is there for."""
    operation = OPERATIONS[name]
    before = stored(api.service, target.client)
    response = tried(api, operation, target)
    after = stored(api.service, target.client)
    if refusal:
        assert error_of(response) == refusal
        assert after == before
    else:
        assert response.status_code == operation.status, response.text
        assert (after == before) == (operation.method == "GET")
