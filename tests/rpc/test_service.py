"""`clients.v1.ClientsService` over a socket (schema/README.md#grpc)."""

import base64
import uuid
from typing import Any

import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2
from edgeclients._pb.common.v1 import common_pb2
from tests.support.api import Api
from tests.support.service import Service

DENIED = "entity not found : failed to perform authorization over the entity"


def _failure(call: Any, request: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as failed:
        call(request)
    error: Any = failed.value
    return error.code().name, error.details()


def _connection(client: dict[str, Any], channel: str, kind: int) -> common_pb2.Connection:
    return common_pb2.Connection(client_id=client["id"], channel_id=channel, domain_id=client["domain_id"], type=kind)


class TestEntities:
    def test_one(self, api: Api, stub: Any) -> None:
        group = str(uuid.uuid4())
        client = api.create(status="disabled", parent_group_id=group)
        entity = stub.RetrieveEntity(common_pb2.RetrieveEntityReq(id=client["id"])).entity
        assert (entity.id, entity.domain_id, entity.parent_group_id, entity.status) == (client["id"], api.domain, group, 1)

    @pytest.mark.parametrize("client_id", ["", "nope", "9b2f6c1e-3c7a-4f0d-8a51-6d2e4b7f9c10", "x" * 10000, "\0"])
    def test_none(self, stub: Any, client_id: str) -> None:
        request = common_pb2.RetrieveEntityReq(id=client_id)
        assert _failure(stub.RetrieveEntity, request) == ("NOT_FOUND", "entity not found")

    def test_several_come_once_oldest_first_whatever_their_status(self, api: Api, stub: Any) -> None:
        a, b = api.create()["id"], api.create(status="disabled")["id"]
        answer = stub.RetrieveEntities(common_pb2.RetrieveEntitiesReq(ids=[b, a, b, "nope", str(uuid.uuid4())]))
        assert [(one.id, one.status) for one in answer.entities] == [(a, 0), (b, 1)]
        assert (answer.total, answer.limit, answer.offset) == (2, 2, 0)

    def test_no_ids_no_entities(self, stub: Any) -> None:
        assert stub.RetrieveEntities(common_pb2.RetrieveEntitiesReq()) == common_pb2.RetrieveEntitiesRes()

    def test_too_many_ids(self, stub: Any) -> None:
        request = common_pb2.RetrieveEntitiesReq(ids=["x"] * 10_001)
        assert _failure(stub.RetrieveEntities, request)[0] == "INVALID_ARGUMENT"


class TestConnections:
    def test_adding_is_idempotent_and_so_is_removing(self, api: Api, stub: Any) -> None:
        client, channel = api.create(status="disabled"), str(uuid.uuid4())
        both = common_pb2.AddConnectionsReq(connections=[_connection(client, channel, 1), _connection(client, channel, 2)])
        for _ in range(2):
            assert stub.AddConnections(both).ok
        listed = api.request("GET", "/clients", params={"channel": channel, "status": "all"}).json()["clients"]
        assert listed[0]["connection_types"] == ["Publish", "Subscribe"]
        for _ in range(2):
            assert stub.RemoveConnections(common_pb2.RemoveConnectionsReq(connections=both.connections)).ok
        assert api.listed(channel=channel, status="all") == []
        assert stub.RemoveConnections(common_pb2.RemoveConnectionsReq()).ok

    @pytest.mark.parametrize("kind", [0, 3, 257, 258])
    def test_types_are_one_and_two(self, api: Api, stub: Any, kind: int) -> None:
        client, channel = api.create(), str(uuid.uuid4())
        connections = [_connection(client, channel, 1), _connection(client, channel, kind)]
        expected = ("INVALID_ARGUMENT", f"Unknown connection type {kind}")
        assert _failure(stub.AddConnections, common_pb2.AddConnectionsReq(connections=connections)) == expected
        assert _failure(stub.RemoveConnections, common_pb2.RemoveConnectionsReq(connections=connections)) == expected
        assert api.listed(channel=channel) == []

    def test_one_bad_connection_and_nothing_is_added(self, api: Api, other: Api, stub: Any) -> None:
        good, foreign, channel = api.create(), other.create(), str(uuid.uuid4())
        for bad in (foreign | {"domain_id": api.domain}, good | {"id": str(uuid.uuid4())}):
            connections = [_connection(good, channel, 1), _connection(bad, channel, 1)]
            failure = _failure(stub.AddConnections, common_pb2.AddConnectionsReq(connections=connections))
            assert failure == ("NOT_FOUND", "entity not found")
        assert api.listed(channel=channel) == []

    @pytest.mark.parametrize("field", ["client_id", "channel_id", "domain_id"])
    @pytest.mark.parametrize("text", ["", "x" * 37, "a\0"])
    def test_ids_have_their_size(self, api: Api, stub: Any, field: str, text: str) -> None:
        connection = _connection(api.create(), str(uuid.uuid4()), 1)
        setattr(connection, field, text)
        assert _failure(stub.AddConnections, common_pb2.AddConnectionsReq(connections=[connection]))[0] == "INVALID_ARGUMENT"

    def test_an_empty_or_endless_list(self, api: Api, stub: Any) -> None:
        assert _failure(stub.AddConnections, common_pb2.AddConnectionsReq())[0] == "INVALID_ARGUMENT"
        many = [_connection(api.create(), str(uuid.uuid4()), 1)] * 10_001
        assert _failure(stub.AddConnections, common_pb2.AddConnectionsReq(connections=many))[0] == "INVALID_ARGUMENT"

    def test_a_channel_that_is_no_more(self, api: Api, other: Api, stub: Any) -> None:
        channel = str(uuid.uuid4())
        for caller in (api, other):
            body = {"client_ids": [caller.create()["id"]], "types": ["publish"]}
            assert caller.request("POST", f"/channels/{channel}/connect", json=body).status_code == 201
        for _ in range(2):
            stub.RemoveChannelConnections(clients_pb2.RemoveChannelConnectionsReq(channel_id=channel))
        assert api.listed(channel=channel) == other.listed(channel=channel) == []
        stub.RemoveChannelConnections(clients_pb2.RemoveChannelConnectionsReq())


def test_a_group_that_is_no_more(api: Api, other: Api, stub: Any) -> None:
    group = str(uuid.uuid4())
    mine, theirs = api.create(parent_group_id=group), other.create(parent_group_id=group, status="disabled")
    for _ in range(2):
        stub.UnsetParentGroupFromClient(clients_pb2.UnsetParentGroupFromClientReq(parent_group_id=group))
    for caller, client in ((api, mine), (other, theirs)):
        body = caller.request("GET", f"/clients/{client['id']}").json()
        assert "parent_group_id" not in body
        assert "updated_at" not in body
    stub.UnsetParentGroupFromClient(clients_pb2.UnsetParentGroupFromClientReq())


def test_a_message_that_is_none(service: Service) -> None:
    with grpc.insecure_channel(service.grpc) as channel:
        call = channel.unary_unary("/clients.v1.ClientsService/Authenticate")
        for message in (b"\xff\xff\xff", b"\x0a\x02\xff\xfe"):
            assert _failure(call, message) == ("INVALID_ARGUMENT", "malformed entity specification")
        assert _failure(channel.unary_unary("/clients.v1.ClientsService/Nope"), b"")[0] == "UNIMPLEMENTED"


def test_a_message_that_is_too_large(service: Service) -> None:
    with grpc.insecure_channel(service.grpc) as channel:
        call = channel.unary_unary("/clients.v1.ClientsService/Authenticate")
        assert _failure(call, b"x" * (4 * 1024 * 1024 + 1))[0] == "RESOURCE_EXHAUSTED"


def test_tokens_in_base64_of_go(api: Api, stub: Any) -> None:
    """Standard alphabet, padding, line breaks tolerated (schema/README.md#authenticate)."""
    client = api.create()
    payload = f"{client['id']}:{client['credentials']['secret']}".encode()
    token = "Basic" + base64.encodebytes(payload).decode().replace("\n", "\r\n")
    assert stub.Authenticate(clients_pb2.AuthnReq(token=token)).id == client["id"]
