"""Collectors that are away, slow, hostile or gone: nobody waits for them, and what is lost is counted."""

import re
import ssl
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from edgeclients.ops.spans import SpanQueue
from tests.support import asking
from tests.support.api import Api
from tests.support.callee import Asked, Reply
from tests.support.certificates import Authority
from tests.support.collector import collecting
from tests.support.ports import free_port
from tests.support.proxy import Proxy
from tests.support.service import Service, started
from tests.support.waiting import PATIENCE, wait_until

_LOST = "the collector of MG_JAEGER_URL does not accept spans; they are dropped"


def counted(service: Service, name: str) -> float:
    """What a metric says."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", asking.get(f"{service.http}/metrics").text, re.MULTILINE)
    assert found, name
    return float(found[1])


def lines(service: Service, message: str) -> list[str]:
    return [line["level"] for line in service.lines if line["msg"] == message]


def test_a_collector_that_is_away_costs_spans_and_one_line(tmp_path: Path) -> None:
    """Until it is back."""
    with collecting() as collector, Proxy(collector.callee.port) as way:
        way.cut()
        env = {"MG_JAEGER_URL": f"http://{way.address}/v1/traces"}
        with started(tmp_path / "data", env) as service, Api(service) as api:
            for _ in range(20):
                api.create(name="n")
            wait_until(lambda: counted(service, 'clients_spans_dropped_total{reason="failed"}') > 0, "spans to be dropped")
            assert lines(service, _LOST) == ["WARN"]
            assert counted(service, "clients_spans_sent_total") == 0
            way.mend()
            wait_until(lambda: bool(api.create(name="n") and collector.spans), "spans to be sent")
            wait_until(lambda: counted(service, "clients_spans_sent_total") > 0, "them to be counted")
            assert lines(service, "the collector of MG_JAEGER_URL accepts spans again") == ["INFO"]


@pytest.mark.parametrize("reply", [Reply(500), Reply(400, b"x" * 100_000), Reply(302, headers={"location": "/elsewhere"})])
def test_a_collector_that_refuses_costs_spans_and_one_line(tmp_path: Path, reply: Reply) -> None:
    with collecting() as collector:
        collector.callee.reply = lambda _: reply
        with started(tmp_path / "data", {"MG_JAEGER_URL": collector.url}) as service, Api(service) as api:
            for asked in (1, 2):
                api.create(name="n")
                wait_until(lambda asked=asked: len(collector.callee.asked) >= asked, "spans to be sent")  # type: ignore[misc]
            wait_until(lambda: counted(service, 'clients_spans_dropped_total{reason="failed"}') > 0, "spans to be dropped")
            assert counted(service, "clients_spans_sent_total") == 0
            assert {asked.path for asked in collector.callee.asked} == {"/v1/traces"}
        assert lines(service, _LOST) == ["WARN"]
        assert not [line for line in service.lines if line["level"] == "ERROR"]


@pytest.mark.parametrize("known", [True, False])
def test_a_collector_with_tls_has_to_prove_who_it_is(tmp_path: Path, known: bool) -> None:
    authority, pair = Authority(), tmp_path / "pair.pem"
    pair.write_text("".join(authority.sign("collector")))
    named = tmp_path / "ca.pem"
    named.write_text((authority if known else Authority("stranger")).certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair)
    with collecting(tls) as collector:
        env = {"MG_JAEGER_URL": collector.url, "OTEL_EXPORTER_OTLP_CERTIFICATE": str(named)}
        with started(tmp_path / "data", env) as service, Api(service) as api:
            api.create(name="n")
            if known:
                assert collector.wait_for("create_client")
            else:
                wait_until(lambda: counted(service, 'clients_spans_dropped_total{reason="failed"}') > 0, "spans to be dropped")
                assert collector.callee.asked == []


def test_a_collector_that_answers_on_and_on_is_hung_up_on(tmp_path: Path) -> None:
    with collecting() as collector:
        collector.callee.reply = lambda _: Reply(200, more=b"x" * 65536)
        with started(tmp_path / "data", {"MG_JAEGER_URL": collector.url}) as service, Api(service) as api:
            api.create(name="n")
            assert collector.callee.given_up.wait(PATIENCE)
            wait_until(lambda: counted(service, "clients_spans_sent_total") > 0, "spans to be counted")


def test_a_collector_that_does_not_answer_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Not those who are served, and not the end."""
    with collecting() as collector:
        collector.callee.reply = collector.callee.silent
        with started(tmp_path / "data", {"MG_JAEGER_URL": collector.url}) as service, Api(service) as api:
            api.create(name="n")
            wait_until(lambda: bool(collector.callee.asked), "spans to be sent")
            for _ in range(20):
                api.create(name="n")
            assert counted(service, "clients_spans_waiting") > 0
            assert service.stop() == 0
        assert lines(service, "spans dropped at shutdown") == ["WARN"]


def test_what_waits_is_sent_at_the_end(tmp_path: Path) -> None:
    with collecting() as collector:
        with started(tmp_path / "data", {"MG_JAEGER_URL": collector.url}) as service, Api(service) as api:
            for _ in range(100):
                api.create(name="n")
            assert service.stop() == 0
        assert len(collector.named("create_client")) == 100
        assert len(collector.named("Clients.create")) == 100
        assert not lines(service, "spans dropped at shutdown")


def test_many_are_sent_together(tmp_path: Path) -> None:
    with collecting() as collector:
        with started(tmp_path / "data", {"MG_JAEGER_URL": collector.url}) as service, Api(service) as api:
            for _ in range(300):
                api.request("GET", "/clients/nobody")
        assert len(collector.named("view_client")) == 300
        assert len(collector.callee.asked) < 60


@pytest.mark.source_only("it calls parts of the program, without the program")
def test_no_more_wait_than_there_is_room_for() -> None:
    with collecting() as collector:
        collector.callee.reply = collector.callee.silent
        queue = SpanQueue(collector.url, most=5)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(queue)
        tracer = provider.get_tracer("test")
        tracer.start_span("under way").end()
        wait_until(lambda: bool(collector.callee.asked), "the first to be sent")
        for _ in range(8):
            tracer.start_span("waits").end()
        assert (queue.waiting, queue.dropped["full"]) == (5, 3)
        queue.close(0.01)
        tracer.start_span("too late").end()
        assert (queue.waiting, queue.dropped["closed"]) == (0, 6)


def test_one_that_was_asked_again_after_it_was_busy_gets_them(tmp_path: Path) -> None:
    replies = iter([Reply(503), Reply(200)])

    def busy_once(_: Asked) -> Reply:
        return next(replies, Reply(200))

    with collecting() as collector:
        collector.callee.reply = busy_once
        with started(tmp_path / "data", {"MG_JAEGER_URL": collector.url}) as service, Api(service) as api:
            api.create(name="n")
            wait_until(lambda: counted(service, "clients_spans_sent_total") > 0, "spans to be sent")
            assert counted(service, 'clients_spans_dropped_total{reason="failed"}') == 0
    assert not lines(service, _LOST)


def test_nobody_listens_and_it_ends_at_once(tmp_path: Path) -> None:
    env = {"MG_JAEGER_URL": f"http://127.0.0.1:{free_port()}/v1/traces"}
    with started(tmp_path / "data", env) as service, Api(service) as api:
        api.create(name="n")
        assert service.stop() == 0
