"""In a cloud: the services that are asked hear of the trace, and so does PostgreSQL's part of it."""

import secrets
from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.cloud.plant import planted
from tests.support.collector import collecting
from tests.support.on_postgres import Cloud
from tests.support.service import started


@pytest.mark.parametrize("flags", ["00", "01"])
def test_the_services_that_are_asked_hear_of_the_trace(tmp_path: Path, flags: str) -> None:
    """As of one that is recorded or not, as its caller has decided."""
    trace = secrets.token_hex(16)
    with collecting() as collector:
        env = {"MG_JAEGER_URL": collector.url}
        with planted(tmp_path / "data", ("domains", "groups", "channels"), env) as plant:
            member = plant.member(["client_create_permission"])
            headers = {"traceparent": f"00-{trace}-{'5' * 16}-{flags}"}
            member.request("POST", "/clients", json={}, headers=headers)
            told = [call.metadata["traceparent"].split("-") for call in plant.cloud.calls]
            assert {call.method for call in plant.cloud.calls} >= {"Authenticate", "Authorize"}
            token = member.session.headers["authorization"].removeprefix("Bearer ")
        assert {one[1] for one in told} == {trace}
        assert {one[3] for one in told} == {flags}
        sent = collector.named("create_client")
        assert [span.trace for span in sent] == ([trace] if flags == "01" else [])
        asked = [span for span in collector.spans if span.kind == "client" and "rpc.system" in span.attributes]
        names = {"auth.v1.AuthService/Authenticate", "auth.v1.AuthService/Authorize"} if flags == "01" else set()
        assert {span.name for span in asked} >= names
        assert {span.parent for span in asked} == {span.id for span in sent}
        assert {(span.kind, span.attributes["rpc.system"], span.failed) for span in asked} <= {("client", "grpc", False)}
        if flags == "01":
            assert sorted(span.id for span in asked) == sorted(one[2] for one in told), "each is told which call it is"
        assert all(token.encode() not in asked.body for asked in collector.callee.asked)


def test_a_service_that_is_away_is_noted(tmp_path: Path) -> None:
    with collecting() as collector:
        env = {"MG_JAEGER_URL": collector.url, "MG_AUTH_GRPC_TIMEOUT": "300ms"}
        with planted(tmp_path / "data", (), env) as plant:
            member = plant.member()
            plant.cloud.go_away()
            assert member.request("GET", "/clients").status_code == 503
            plant.cloud.come_back()
        (call,) = collector.named("auth.v1.AuthService/Authenticate")
        assert (call.failed, call.attributes["error.type"]) == (True, "unavailable")


def test_without_tracing_they_hear_of_none(tmp_path: Path) -> None:
    with planted(tmp_path / "data") as plant:
        plant.member().request("GET", "/clients", headers={"traceparent": f"00-{'ab' * 16}-{'5' * 16}-01"})
        assert plant.cloud.calls
        assert not [call for call in plant.cloud.calls if "traceparent" in call.metadata]


def test_postgresql_is_a_part_of_the_trace(tmp_path: Path, cloud: Cloud) -> None:
    with collecting() as collector:
        env = cloud.env | {"MG_JAEGER_URL": collector.url}
        with started(tmp_path / "data", env) as service, Api(service) as api:
            api.create(name="n")
            api.listed()
        (request,), (change,) = collector.named("create_client"), collector.named("Clients.create")
        assert (change.trace, change.parent) == (request.trace, request.id)
        assert change.attributes["db.system.name"] == "postgresql"
        (read,) = collector.named("SELECT page")
        assert read.parent == collector.named("list_clients")[0].id
