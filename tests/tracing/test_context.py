"""A caller's trace goes on here, and from here to whoever is asked (W3C trace context)."""

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.callee import asked_by_http
from tests.support.callers import calling
from tests.support.collector import collecting
from tests.support.database import write_locked
from tests.support.inflight import wait_until_in_flight
from tests.support.raw import Raw, request
from tests.support.service import started
from tests.tracing.conftest import Traced


def parent(flags: str = "01") -> tuple[str, str, dict[str, str]]:
    """A trace, a span of it, and the header that names both."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return trace, span, {"traceparent": f"00-{trace}-{span}-{flags}"}


def test_it_goes_on_through_the_gate_the_database_and_a_callout(traced: Traced, caller: Api) -> None:
    trace, span, headers = parent()
    traced.callee.forget()
    response = caller.request("POST", "/clients", json={"name": "n"}, headers=headers | {"tracestate": "vendor=of-the-caller"})
    assert response.status_code == 201

    request = traced.collector.wait_for("create_client", trace)
    (callout,), (change,) = traced.collector.named("callout", trace), traced.collector.named("Clients.create", trace)
    assert (request.kind, request.parent) == ("server", span)
    assert (callout.kind, callout.parent) == ("client", request.id)
    assert (change.kind, change.parent) == ("client", request.id)
    (asked,) = traced.callee.asked
    assert asked.headers["traceparent"] == f"00-{trace}-{callout.id}-01"
    assert asked.headers["tracestate"] == "vendor=of-the-caller"


def test_a_span_says_what_was_asked_by_names_and_ids(traced: Traced, caller: Api) -> None:
    trace, _, headers = parent()
    caller.request("GET", "/clients", headers=headers)
    span = traced.collector.wait_for("list_clients", trace)
    line = traced.line_of(trace)
    assert span.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "request_id": line["request_id"],
        "domain_id": caller.domain,
    }
    assert {key: span.resource[key] for key in ("service.name", "host.id")} == {
        "service.name": "clients",
        "host.id": "gateway-7",
    }
    (read,) = traced.collector.named("SELECT page", trace)
    assert read.attributes == {"db.system.name": "sqlite", "db.operation.name": "SELECT"}


@pytest.mark.parametrize("how", [Raw.reset, Raw.close])
def test_a_caller_who_hangs_up_has_a_span_all_the_same(traced: Traced, caller: Api, how: Callable[[Raw], None]) -> None:
    trace, _, headers = parent()
    path = f"/{caller.domain}/clients"
    with write_locked(traced.service.data):
        raw = Raw(traced.service).send(request(traced.service, "POST", path, b"{}", **headers))
        wait_until_in_flight(traced.service, 1)
        how(raw)
    span = traced.collector.wait_for("create_client", trace)
    assert span.attributes["http.request.method"] == "POST"
    assert traced.collector.wait_for("Clients.create", trace).parent == span.id


def test_without_a_caller_s_trace_a_new_one_begins(traced: Traced, caller: Api) -> None:
    traced.callee.forget()
    created = caller.create(name="n")
    (asked,) = traced.callee.asked
    _, trace, _, flags = asked.headers["traceparent"].split("-")
    assert int(flags, 16) & 1
    assert traced.collector.wait_for("create_client", trace).parent == ""
    line = traced.line_of(trace)
    assert line["msg"] == "createClient completed successfully"
    assert created["domain_id"] == line["domain_id"]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "x",
        f"00-{'0' * 32}-{'1' * 16}-01",
        f"00-{'1' * 32}-{'0' * 16}-01",
        f"ff-{'1' * 32}-{'1' * 16}-01",
        f"00-{'1' * 32}-{'1' * 16}-01-more",
        f"00-{'A' * 32}-{'1' * 16}-01",
        f"01-{'1' * 32}-{'1' * 16}-01-{'x' * 500}",
    ],
)
def test_what_names_no_trace_is_left_alone(traced: Traced, caller: Api, header: str) -> None:
    traced.callee.forget()
    response = caller.request("GET", "/clients", headers={"traceparent": header, "tracestate": "=,=;" * 300})
    assert response.status_code == 200
    (asked,) = traced.callee.asked
    trace = asked.headers["traceparent"].split("-")[1]
    assert trace not in {"0" * 32, "1" * 32}
    assert traced.collector.wait_for("list_clients", trace).parent == ""
    assert "tracestate" not in asked.headers


def test_of_two_traces_neither_is_taken(traced: Traced, caller: Api) -> None:
    traced.callee.forget()
    two = [("traceparent", parent()[2]["traceparent"]), ("traceparent", parent()[2]["traceparent"])]
    assert caller.request("GET", "/clients", headers=two).status_code == 200
    (asked,) = traced.callee.asked
    trace = asked.headers["traceparent"].split("-")[1]
    assert trace not in str(two)
    assert traced.collector.wait_for("list_clients", trace).parent == ""


def test_nobody_is_told_what_a_caller_s_trace_state_was_where_it_is_malformed(traced: Traced, caller: Api) -> None:
    _, _, headers = parent()
    caller.request("GET", "/clients", headers=headers | {"tracestate": "geheim geheim,ok=1"})
    assert "geheim geheim" not in str(traced.service.lines)


def test_what_a_caller_does_not_record_is_not_recorded_here(tmp_path: Path) -> None:
    """Whoever is asked is told so."""
    trace, _, headers = parent("00")
    with collecting() as collector, asked_by_http() as callee:
        env = {
            "MG_JAEGER_URL": collector.url,
            "MG_CLIENTS_CALLOUT_URLS": callee.url,
            "MG_CLIENTS_CALLOUT_OPERATIONS": "create_clients",
        }
        with started(tmp_path / "data", env) as service, Api(service) as api:
            assert api.request("POST", "/clients", json={}, headers=headers).status_code == 201
        (asked,) = callee.asked
        told, _, flags = asked.headers["traceparent"].split("-")[1:]
        assert (told, flags) == (trace, "00")
        assert collector.spans == []


@pytest.mark.parametrize(("ratio", "recorded"), [("0", 0), ("1", 20), ("0.0", 0)])
def test_of_traces_that_begin_here_a_part_is_recorded(tmp_path: Path, ratio: str, recorded: int) -> None:
    """The traces of others are as those say."""
    trace, _, headers = parent()
    with collecting() as collector:
        env = {"MG_JAEGER_URL": collector.url, "MG_JAEGER_TRACE_RATIO": ratio}
        with started(tmp_path / "data", env) as service, calling(service) as (api, _):
            for _ in range(20):
                api.create(name="n")
            api.request("GET", "/clients", headers=headers)
        assert len(collector.named("create_client")) == recorded
        assert len({span.trace for span in collector.spans}) == recorded + 1
        assert [span.trace for span in collector.named("list_clients")] == [trace]
