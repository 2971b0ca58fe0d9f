"""What spans are called, and what is in them: names of ours and ids, and nothing else."""

import json
import re
from pathlib import Path

import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2
from edgeclients.files import schema_path
from edgeclients.http.edge.traced import span_name
from edgeclients.ops.traced import TracedStore
from edgeclients.ops.tracing import Tracing
from edgeclients.ports import Store
from tests.conftest import authenticate
from tests.support.api import Api, basic, of_domain
from tests.support.callee import Reply
from tests.support.callers import calling
from tests.support.collector import collecting
from tests.support.disks import no_file_grows
from tests.support.proving import proving
from tests.support.service import started
from tests.tracing.conftest import Traced

# schema/README.md#spans, without delete_entity_members, for which there is no route.
OF_CLIENTS = """
create_client create_clients list_clients view_client update_client update_client_tags update_client_credentials enable_client
disable_client set_client_parent_group remove_client_parent_group delete_client create_role list_roles list_entity_members
view_role update_role delete_role list_available_actions add_role_actions list_role_actions delete_role_actions
delete_all_role_actions add_role_members list_role_members delete_role_members delete_all_role_members
"""
OF_CHANNELS = "connect disconnect connect_channel disconnect_channel"
# The contract knows none of these.
OF_OURS = ("import_clients", "export_clients", "list_retiring_secrets", "list_journal", "list_client_journal")
OURS = re.compile(r"[a-z_]+|[A-Z]+|SELECT [a-z_]+|[A-Z][A-Za-z]+\.[a-z_]+|clients\.v1\.ClientsService/[A-Za-z]+")
ATTRIBUTES = {
    "http.request.method", "http.response.status_code", "request_id", "domain_id", "error.type", "rpc.system",
    "rpc.grpc.status_code", "db.system.name", "db.operation.name", "edgeclients.operation",
}  # fmt: skip


@pytest.mark.source_only("it calls parts of the program, without the program")
def test_every_operation_has_the_contract_s_name() -> None:
    paths = json.loads(schema_path("openapi.json").read_bytes())["paths"]
    operations = {one["operationId"] for path, item in paths.items() if "{" in path for one in item.values()}
    assert {span_name(operation) for operation in operations} == {*f"{OF_CLIENTS} {OF_CHANNELS}".split(), *OF_OURS}


@pytest.mark.source_only("it calls parts of the program, without the program")
async def test_whatever_the_store_is_asked_is_a_span(tmp_path: Path) -> None:
    """Each coroutine of the port; what needs no waiting is the store's own."""
    with collecting() as collector:
        tracing = Tracing(collector.url, 1.0, "gateway-7")
        async with proving(tmp_path / "clients.db") as registry:
            store = TracedStore(registry.store, "sqlite", tracing)
            port = [name for name in dir(Store) if not name.startswith("_")]
            same = {name for name in port if getattr(store, name) == getattr(registry.store, name)}
            at_once = {"secrets_of_at_once", "secrets_by_lookup_at_once"}  # of calls without a span
            assert (
                same == {"now", "note_seen", "note_denied", "snapshot"} | at_once
            )  # a snapshot is read as its caller takes it
            await store.client("nobody")  # nothing is traced that belongs to no trace
            with tracing.serving("asked", ()):
                await store.client("nobody")
        await tracing.close(10)
    assert len(collector.named("SELECT client")) == 1


def test_requests_that_come_from_machinery_are_no_spans(tmp_path: Path) -> None:
    with collecting() as collector:
        with started(tmp_path / "data", {"MG_JAEGER_URL": collector.url}) as service, Api(service) as api:
            for path in ("/health", "/ready", "/metrics", "/openapi.json", "/docs", "/docs/start.js", "/", "/nothing"):
                api.session.get(path)
        assert collector.spans == []


def test_who_is_turned_away_is_a_span_without_a_fault(traced: Traced, caller: Api) -> None:
    trace = "ab" * 16
    headers = {"authorization": "Bearer wrong-token-of-somebody", "traceparent": f"00-{trace}-{'5' * 16}-01"}
    assert caller.request("GET", "/clients", headers=headers).status_code == 401
    span = traced.collector.wait_for("GET", trace)
    assert (span.attributes["http.response.status_code"], span.failed) == (401, False)
    assert span.attributes["request_id"]


def test_a_refusal_is_noted_where_it_was_found(traced: Traced, caller: Api) -> None:
    trace = "ac" * 16
    client = caller.create(name="n")
    headers = {"traceparent": f"00-{trace}-{'5' * 16}-01"}
    assert caller.request("POST", f"/clients/{client['id']}/enable", headers=headers).status_code == 409
    span = traced.collector.wait_for("enable_client", trace)
    assert (span.attributes["http.response.status_code"], span.failed) == (409, False)
    (change,) = [one for one in traced.collector.spans if one.parent == span.id and "error.type" in one.attributes]
    assert (change.attributes["error.type"], change.failed) == ("status_unchanged", False)


def test_what_failed_is_marked(tmp_path: Path) -> None:
    with collecting() as collector:
        env, group = {"MG_JAEGER_URL": collector.url}, "7c1f3f0e-4b1f-4f0b-8f5f-5a4d8e2b9c11"
        with started(tmp_path / "data", env) as service, calling(service) as (api, stub), no_file_grows(service):
            assert api.request("POST", "/clients", json={}).status_code == 503
            with pytest.raises(grpc.RpcError):
                stub.UnsetParentGroupFromClient(clients_pb2.UnsetParentGroupFromClientReq(parent_group_id=group))
        request_span, change = collector.named("create_client")[0], collector.named("Clients.create")[0]
        assert (request_span.failed, request_span.attributes["error.type"]) == (True, "503")
        assert (change.failed, change.attributes["error.type"]) == (True, "unavailable")
        (call,) = collector.named("clients.v1.ClientsService/UnsetParentGroupFromClient")
        assert (call.failed, call.attributes["error.type"]) == (True, "UNAVAILABLE")


def test_a_callout_that_refuses_or_is_away_is_noted(traced: Traced, caller: Api) -> None:
    """A no is an answer."""
    for status, trace, failed in ((403, "ad" * 16, False), (302, "ae" * 16, True)):
        traced.callee.reply = lambda _, status=status: Reply(status, b"geheim")  # type: ignore[misc]
        caller.request("POST", "/clients", json={}, headers={"traceparent": f"00-{trace}-{'5' * 16}-01"})
        span = traced.collector.wait_for("callout", trace)
        assert (span.attributes["error.type"], span.failed) == ("callout_failed" if failed else "callout_refused", failed)
        assert span.attributes["edgeclients.operation"] == "create_clients"


CHOSEN, PHRASE, WRONG = "chosen-by-a-person", "geheim-in-metadata", "wrong-token-of-somebody"


def test_nothing_that_a_caller_sent_is_in_it(tmp_path: Path) -> None:
    """Every byte that left: no token, no secret, no name, no metadata; and every name and attribute is one of ours."""
    password = "geheim-of-the-collector"
    with collecting() as collector:
        url = collector.url.replace("//", f"//user:{password}@")
        env = {"MG_JAEGER_URL": url, "MG_CLIENTS_LOG_LEVEL": "debug"}
        with started(tmp_path / "data", env) as service, calling(service) as (api, stub):
            told = use(api)
            for token in told:
                if token.startswith(("Basic", "Domain")):
                    authenticate(stub, token)
            told += [service.token, PHRASE, CHOSEN, WRONG, "Name of a client", "tag-of-a-client", "role of somebody"]
        sent = b"\n".join(asked.body for asked in collector.callee.asked)
        assert collector.callee.asked[0].headers["Authorization"].startswith("Basic ")
        assert len(collector.spans) > 20
        assert [text for text in told if text.encode() in sent] == []
        assert password.encode() not in sent
        assert password not in str(service.lines)
        assert [span.name for span in collector.spans if not OURS.fullmatch(span.name)] == []
        assert {key for span in collector.spans for key in span.attributes} <= ATTRIBUTES


def use(api: Api) -> list[str]:
    """Do some of everything; every secret that was told or shown."""
    made = api.create(name="Name of a client", tags=["tag-of-a-client"], metadata={"key": PHRASE})
    chosen = api.create(name="Name of a client", credentials={"secret": CHOSEN, "identity": PHRASE})
    role = api.give_role(made["id"], "role of somebody", ["read"], ["bob"])
    api.listed(name="Name of", tag="tag-of-a-client", metadata=json.dumps({"key": PHRASE}))
    api.request("POST", "/clients", json={"credentials": {"secret": CHOSEN}})  # it is taken
    api.request("GET", f"/clients/{PHRASE}")
    api.request("GET", f"/clients?{WRONG}={CHOSEN}")
    api.request("GET", "/clients", headers={"authorization": f"Bearer {WRONG}"})
    api.request("PATCH", f"/clients/{made['id']}/tags", json={"tags": ["tag-of-a-client", PHRASE]})
    api.request("PATCH", f"/clients/{made['id']}/roles/{role['id']}", json={"name": "role of somebody"})
    response = api.request("PATCH", f"/clients/{made['id']}/secret", json={"generate": True, "grace": 60})
    fresh = response.json()["credentials"]["secret"]
    old = made["credentials"]["secret"]
    tokens = [basic(made["id"], old), basic(made["id"], fresh), basic(chosen["id"], CHOSEN), of_domain(api.domain, fresh)]
    return [old, fresh, *tokens, *(token.removeprefix("Basic").removeprefix("Domain") for token in tokens)]
