"""`last_seen_at` (when a client last authenticated) in a view and in lists."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from tests.support.api import Api, basic, error_of, of_domain
from tests.support.service import Service, started


def _authenticate(service: Service, *tokens: str) -> None:
    with grpc.insecure_channel(service.grpc) as channel:
        stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
        for token in tokens:
            assert stub.Authenticate(clients_pb2.AuthnReq(token=token)).authenticated


def _view(api: Api, client_id: str) -> dict[str, Any]:
    response = api.request("GET", f"/clients/{client_id}")
    assert response.status_code == 200
    viewed: dict[str, Any] = response.json()
    return viewed


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("secret", ["", "open sesame"], ids=["generated", "chosen"])
def test_a_view_says_when_a_client_last_proved_itself(api: Api, service: Service, secret: str) -> None:
    client = api.create(credentials={"secret": secret} if secret else {})
    assert "last_seen_at" not in client
    assert "last_seen_at" not in _view(api, client["id"])
    seen = []
    for token in (
        basic(client["id"], client["credentials"]["secret"]),
        of_domain(api.domain, client["credentials"]["secret"]),
    ) * 2:
        before = datetime.now(UTC)
        _authenticate(service, token)
        viewed = _view(api, client["id"])
        seen.append(_time(viewed["last_seen_at"]))
        assert before - timedelta(microseconds=1) <= seen[-1] <= datetime.now(UTC)
        assert list(viewed).index("last_seen_at") > list(viewed).index("created_at")
        (listed,) = api.request("GET", "/clients").json()["clients"]
        assert listed["last_seen_at"] == viewed["last_seen_at"]
    assert seen == sorted(seen)
    assert "updated_at" not in _view(api, client["id"])  # to be seen is no change


def test_a_denied_token_is_not_seen(api: Api, service: Service, stub: Any) -> None:
    client = api.create()
    with pytest.raises(grpc.RpcError):
        stub.Authenticate(clients_pb2.AuthnReq(token=basic(client["id"], "wrong")))
    assert "last_seen_at" not in _view(api, client["id"])


def test_lists_by_it(api: Api, service: Service) -> None:
    clients = [api.create(name=str(number)) for number in range(4)]
    times = []
    for client in clients[1:]:
        _authenticate(service, basic(client["id"], client["credentials"]["secret"]))
        times.append(_view(api, client["id"])["last_seen_at"])

    def names(**query: str) -> list[str]:
        response = api.request("GET", "/clients", params=query)
        assert response.status_code == 200, response.text
        page = response.json()
        assert page["total"] == len(page["clients"])
        return [client["name"] for client in page["clients"]]

    assert names(order="last_seen_at") == ["3", "2", "1", "0"]
    assert names(order="last_seen_at", dir="asc") == ["0", "1", "2", "3"]
    assert names(order="name", dir="asc", seen_after=times[1]) == ["2", "3"]
    assert names(order="name", dir="asc", seen_before=times[1]) == ["1", "2"]
    assert names(order="name", dir="asc", seen_after=times[0], seen_before=times[0]) == ["1"]
    assert names(seen_after="2099-01-01T00:00:00Z") == []
    for query in ({"seen_after": "yesterday"}, {"seen_before": ""}, {"seen_before": "2026-01-01"}):
        assert error_of(api.request("GET", "/clients", params=query)) == (400, "invalid_query")


def test_it_outlives_a_restart_and_is_gone_with_its_client(tmp_path: Path) -> None:
    with started(tmp_path / "data") as service, Api(service, "d1") as api:
        client, gone = api.create(), api.create()
        _authenticate(service, *(basic(one["id"], one["credentials"]["secret"]) for one in (client, gone)))
        before = _view(api, client["id"])
        assert api.request("DELETE", f"/clients/{gone['id']}").status_code == 204
    with started(tmp_path / "data") as service, Api(service, "d1") as api:
        assert _view(api, client["id"]) == before
        api.create(id=gone["id"])
        assert "last_seen_at" not in _view(api, gone["id"])


def test_it_is_written_every_now_and_then(tmp_path: Path) -> None:
    """What was written survives a sudden end."""
    with started(tmp_path / "data", {"MG_CLIENTS_ACTIVITY_FLUSH": "50ms"}) as service:
        with Api(service, "d1") as api:
            client = api.create()
            _authenticate(service, basic(client["id"], client["credentials"]["secret"]))
            before = _view(api, client["id"])
            deadline = time.monotonic() + 30
            while "clients_activity_flushes_total 0.0" in api.session.get("/metrics").text:
                assert time.monotonic() < deadline
        service.kill()
    with started(tmp_path / "data") as service, Api(service, "d1") as api:
        assert _view(api, client["id"]) == before


def test_bytes_written_to_disk_are_counted(api: Api) -> None:
    text = api.session.get("/metrics").text
    assert "clients_disk_written_bytes_total " in text
