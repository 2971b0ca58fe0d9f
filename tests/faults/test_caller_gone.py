"""Callers who leave before they are answered: the change is whole or absent, and what it causes happens all the same."""

import asyncio
import uuid

import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2_grpc
from edgeclients._pb.common.v1 import common_pb2
from edgeclients.ports import Transaction
from tests.conformance.harness import add, event, new_client
from tests.conftest import authenticate
from tests.support.api import Api, basic, error_of
from tests.support.database import rows, write_locked
from tests.support.inflight import wait_until_in_flight
from tests.support.raw import Raw, request
from tests.support.service import Service
from tests.support.stores import Held, Opened
from tests.support.waiting import PATIENCE


@pytest.mark.source_only("it calls parts of the program, without the program")
async def test_a_change_that_has_begun_is_whole_though_its_caller_is_cancelled(opened: Opened) -> None:
    store = opened.store
    (client,) = await add(store, new_client())

    async def unit(tx: Transaction) -> None:
        await tx.remove(client)
        await tx.revoke([client.id])
        await tx.append([event(1)])

    async with Held(store, unit) as held:
        held.task.cancel()
    assert held.task.cancelled()
    await add(store, new_client())  # behind it in the queue
    assert await store.client(client.id) is None
    assert [client_id for effects in opened.effects for client_id, _ in effects.revoked] == [client.id]
    assert len(await store.outbox(0, 10)) == 1


@pytest.mark.source_only("it calls parts of the program, without the program")
async def test_a_change_that_has_not_begun_is_absent(opened: Opened) -> None:
    store, new = opened.store, new_client()
    async with Held(store) as held:
        (task,) = await held.queue(lambda tx: tx.insert([new]))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await store.client(new.client.id) is None


def secret_works(stub: clients_pb2_grpc.ClientsServiceStub, client_id: str, secret: str) -> bool:
    try:
        return authenticate(stub, basic(client_id, secret)) == client_id
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.PERMISSION_DENIED:
            return False
        raise


@pytest.mark.parametrize("how", [Raw.reset, Raw.close])
def test_a_connection_cut_behind_a_request_leaves_a_whole_change(
    service: Service, api: Api, stub: clients_pb2_grpc.ClientsServiceStub, how: object
) -> None:
    client = api.create(name="to be disabled")
    client_id, secret = client["id"], client["credentials"]["secret"]
    assert secret_works(stub, client_id, secret)
    with write_locked(service.data):
        raw = Raw(service).send(request(service, "POST", f"/{api.domain}/clients/{client_id}/disable"))
        wait_until_in_flight(service, 1)
        how(raw)  # type: ignore[operator]
        assert secret_works(stub, client_id, secret)
    api.create(name="behind it in the queue")
    assert rows(service.data, "SELECT status FROM clients WHERE id = ?", (client_id,)) == [(1,)]
    assert rows(service.data, "SELECT count(*) FROM outbox WHERE client_id = ?", (client_id,)) == [(2,)]
    assert not secret_works(stub, client_id, secret)
    assert error_of(api.request("POST", f"/clients/{client_id}/disable")) == (409, "status_unchanged")


@pytest.mark.parametrize("how", [Raw.reset, Raw.close])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.99])
def test_a_connection_cut_within_a_body_changes_nothing(service: Service, api: Api, part: float, how: object) -> None:
    name = f"cut-{uuid.uuid4()}"
    whole = request(service, "POST", f"/{api.domain}/clients", b'{"name":"%s","tags":["a"]}' % name.encode())
    head = whole.index(b"\r\n\r\n") + 4
    raw = Raw(service).send(whole[: head + int(part * (len(whole) - head))])
    wait_until_in_flight(service, 1)
    how(raw)  # type: ignore[operator]
    wait_until_in_flight(service, 0)
    api.create(name="behind it")
    assert rows(service.data, "SELECT count(*) FROM clients WHERE name = ?", (name,)) == [(0,)]
    assert not [line for line in service.lines if line.get("level") == "ERROR"]


def test_a_deadline_that_ends_before_the_change_began_leaves_nothing(
    service: Service, api: Api, stub: clients_pb2_grpc.ClientsServiceStub
) -> None:
    client = api.create(name="to be connected")
    wanted = common_pb2.Connection(channel_id=str(uuid.uuid4()), domain_id=api.domain, client_id=client["id"], type=1)
    request_ = common_pb2.AddConnectionsReq(connections=[wanted])
    with write_locked(service.data):
        first = stub.AddConnections.future(request_, timeout=PATIENCE)  # stands at the lock
        with pytest.raises(grpc.RpcError) as raised:
            stub.AddConnections(request_, timeout=0.3)
        assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        first.cancel()
    api.create(name="behind it in the queue")
    found = rows(service.data, "SELECT count(*) FROM connections WHERE client_id = ?", (client["id"],))[0][0]
    assert found in {0, 1}
    assert stub.AddConnections(request_, timeout=PATIENCE).ok
    found = rows(service.data, "SELECT count(*) FROM connections WHERE client_id = ?", (client["id"],))[0][0]
    assert found == 1


def test_callers_who_leave_by_the_dozen_are_nobodys_trouble(service: Service, api: Api) -> None:
    """Half of them within their bodies, half behind them."""
    with write_locked(service.data):
        raws = []
        for number in range(40):
            whole = request(service, "POST", f"/{api.domain}/clients", b'{"name":"dozen %d"}' % number)
            raws.append(Raw(service).send(whole if number % 2 else whole[:-5]))
        wait_until_in_flight(service, 40)
        for raw in raws:
            raw.reset()
    api.create(name="behind them")
    wait_until_in_flight(service, 0)
    names = {name for (name,) in rows(service.data, "SELECT name FROM clients WHERE name LIKE 'dozen %'")}
    assert names <= {f"dozen {number}" for number in range(1, 40, 2)}
    torn = "SELECT id FROM clients WHERE id NOT IN (SELECT entity_id FROM clients_role_members)"
    assert rows(service.data, torn) == []
    assert service.process.poll() is None
    assert not [line for line in service.lines if line.get("level") == "ERROR"]
