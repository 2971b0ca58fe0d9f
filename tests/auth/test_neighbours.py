"""Groups and channels that other services keep (schema/README.md#services-asked)."""

import uuid
from pathlib import Path

import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from edgeclients._pb.common.v1 import common_pb2
from tests.support.api import Api, error_of
from tests.support.cloud.plant import Plant, planted
from tests.support.cloud.server import Fault
from tests.support.database import kept
from tests.support.service import started

AWAY = grpc.StatusCode.UNAVAILABLE


def parent_of(api: Api, client_id: str) -> str:
    return str(api.request("GET", f"/clients/{client_id}").json().get("parent_group_id", ""))


def put(api: Api, client_id: str, group_id: str) -> tuple[int, str]:
    response = api.request("POST", f"/clients/{client_id}/parent", json={"parent_group_id": group_id})
    return (response.status_code, "") if response.is_success else error_of(response)


def created_in(api: Api, group_id: str) -> tuple[int, str]:
    response = api.request("POST", "/clients", json={"parent_group_id": group_id})
    return (response.status_code, "") if response.is_success else error_of(response)


def test_a_group_has_to_be_there_of_this_domain_and_enabled(whole: Plant) -> None:
    """For whoever may put clients into any; for a client that is, and for one to be."""
    world, root = whole.world, whole.root
    good, foreign, disabled = world.group(whole.domain), world.group(world.domain()), world.group(whole.domain)
    world.groups[disabled].status = 1
    client = root.create()["id"]
    for group, refusal in (
        (foreign, (422, "group_of_other_domain")),
        (disabled, (422, "group_not_enabled")),
        (str(uuid.uuid4()), (403, "forbidden")),
        ("nonsense", (400, "invalid_id")),
    ):
        assert put(root, client, group) == created_in(root, group) == refusal
    assert parent_of(root, client) == ""
    assert put(root, client, good) == (200, "")
    assert created_in(root, good) == (201, "")
    assert put(root, client, good) == (409, "same_parent")
    assert put(root, client, disabled) == (409, "has_parent")
    assert root.request("DELETE", f"/clients/{client}/parent").status_code == 204


def test_a_group_that_auth_knows_and_the_groups_service_does_not(whole: Plant) -> None:
    group, client = whole.world.group(whole.domain), whole.root.create()["id"]
    whole.cloud.faults["RetrieveEntity"] = Fault(grpc.StatusCode.NOT_FOUND, times=1)
    assert put(whole.root, client, group) == (404, "not_found")


def test_a_client_leaves_a_group_that_is_disabled_or_gone(whole: Plant) -> None:
    disabled, group = whole.world.group(whole.domain), whole.world.group(whole.domain)
    clients = [whole.root.create(parent_group_id=one)["id"] for one in (disabled, group)]
    whole.world.groups[disabled].status = 1
    assert whole.root.request("DELETE", f"/clients/{clients[0]}/parent").status_code == 204
    del whole.world.groups[group]
    whole.root.give_role(clients[1], "another")  # what was known is asked anew
    assert error_of(whole.root.request("DELETE", f"/clients/{clients[1]}/parent")) == (403, "forbidden")
    with grpc.insecure_channel(whole.service.grpc) as channel:
        stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
        stub.UnsetParentGroupFromClient(clients_pb2.UnsetParentGroupFromClientReq(parent_group_id=group))
    assert parent_of(whole.root, clients[1]) == ""


def test_a_groups_service_that_is_away_lets_nobody_in(whole: Plant) -> None:
    group, client = whole.world.group(whole.domain), whole.root.create()["id"]
    whole.cloud.faults["RetrieveEntity"] = Fault(AWAY, times=4)
    assert put(whole.root, client, group) == created_in(whole.root, group) == (503, "unavailable")
    assert parent_of(whole.root, client) == ""
    assert put(whole.root, client, group) == (200, "")


def connected(api: Api) -> str:
    """A client with a connection, as the channels service makes it."""
    client = str(api.create()["id"])
    wanted = common_pb2.Connection(client_id=client, channel_id=str(uuid.uuid4()), domain_id=api.domain, type=1)
    with grpc.insecure_channel(api.service.grpc) as channel:
        stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
        assert stub.AddConnections(common_pb2.AddConnectionsReq(connections=[wanted])).ok
    return client


def test_a_channels_service_hears_of_a_client_that_is_deleted(whole: Plant) -> None:
    """If it has connections, and whoever deletes it may."""
    client, unconnected = connected(whole.root), whole.root.create()["id"]
    assert whole.member().request("DELETE", f"/clients/{client}").status_code == 403
    assert client not in whole.world.forgotten
    for one in (client, unconnected):
        assert whole.root.request("DELETE", f"/clients/{one}").status_code == 204
    assert whole.world.forgotten.count(client) == 1
    assert unconnected not in whole.world.forgotten


def test_a_client_stays_while_the_channels_service_is_away(whole: Plant) -> None:
    client = connected(whole.root)
    whole.cloud.faults["RemoveClientConnections"] = Fault(AWAY, times=2)
    assert error_of(whole.root.request("DELETE", f"/clients/{client}")) == (503, "unavailable")
    assert len(kept(whole.service, "SELECT * FROM connections WHERE client_id = ?", (client,))) == 1
    assert whole.root.request("DELETE", f"/clients/{client}").status_code == 204


def test_connecting_is_the_channels_services(whole: Plant) -> None:
    assert error_of(whole.root.request("POST", "/channels/connect", json={})) == (404, "no_route")


@pytest.mark.parametrize("peer", ["groups", "channels"])
def test_without_an_auth_service(tmp_path: Path, peer: str) -> None:
    """A gateway with one operator asks them just the same."""
    with planted(tmp_path / "beside") as plant:
        env = {f"MG_{peer.upper()}_GRPC_URL": plant.cloud.address}
        with started(tmp_path / "data", env) as service, Api(service) as operator:
            if peer == "groups":
                group = plant.world.group(operator.domain)
                assert created_in(operator, group) == (201, "")
                assert created_in(operator, str(uuid.uuid4())) == (404, "not_found")
            else:
                client = connected(operator)
                assert operator.request("DELETE", f"/clients/{client}").status_code == 204
                assert plant.world.forgotten == [client]
