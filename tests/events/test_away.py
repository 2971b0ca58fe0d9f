"""The stream is away, cut off, silent or full: nothing is lost up to the outbox's bounds, and nobody waits for it."""

import ssl
from pathlib import Path

import pytest

from edgeclients.core.events import STREAMS
from tests.support.api import Api
from tests.support.certificates import Authority
from tests.support.database import rows
from tests.support.ports import free_port
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer
from tests.support.service import Service, started
from tests.support.streams import GAP, arrived, create_many, metric, relay_of, wait_until_all_is_sent, waiting
from tests.support.waiting import wait_until

MANY = 10_000


def wait_until_it_fails(service: Service, kind: str) -> None:
    """Wait until sending has failed in this way."""
    wait_until(lambda: relay_of(service)["failures"].get(kind, 0) > 0, f"a failure of the kind {kind}")
    assert relay_of(service)["relay"] == "failing"


def test_ten_thousand_changes_made_meanwhile_arrive_in_order_over_a_restart(tmp_path: Path) -> None:
    with RedisServer() as redis:
        redis.stop()
        env = {"MG_CLIENTS_ES_URL": redis.address}
        with started(tmp_path / "data", env) as service, Api(service) as api:
            ids = create_many(api, MANY - 100)
            for client_id in ids[:100]:
                assert api.request("POST", f"/clients/{client_id}/disable").status_code == 200
            wait_until_it_fails(service, "unreachable")
            said = relay_of(service)
            assert said["waiting"] == MANY
            assert said["oldest_age"] > 0
            assert metric(service, "clients_events_waiting") == MANY
            assert metric(service, "clients_events_oldest_age_seconds") > 0
            assert metric(service, 'clients_events_failures_total{kind="unreachable"}') > 0
            assert service.stop() == 0
        assert not [line for line in service.lines if "Traceback" in str(line)]
        with started(tmp_path / "data", env) as service:
            assert waiting(service) == MANY
            wait_until_it_fails(service, "unreachable")
            redis.start()
            redis.wait_for(MANY)
            wait_until_all_is_sent(service)
            assert relay_of(service)["relay"] == "on"
        events = arrived(redis)
        assert redis.count() == MANY, "once each, when nothing breaks"
    assert [event["id"] for event in events] == ids + ids[:100]
    assert [event["operation"] for event in events] == ["client.create"] * len(ids) + ["client.disable"] * 100


def test_a_kill_in_the_middle_of_sending_loses_nothing(tmp_path: Path, redis: RedisServer) -> None:
    with Proxy(redis.port, freeze_after=2_500_000) as proxy:
        service = Service.launch(tmp_path / "data", {"MG_CLIENTS_ES_URL": proxy.address}).wait_ready()
        try:
            with Api(service) as api:
                ids = create_many(api, MANY)
            assert proxy.frozen.wait(60)
        finally:
            service.kill()
        before = waiting(service)
        assert 0 < redis.count() < MANY
        assert 0 < before < MANY, "some were noted as sent"
    with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service:
        wait_until_all_is_sent(service)
    assert [event["id"] for event in arrived(redis)] == ids
    assert redis.count() > MANY, "those that were not noted came twice, with the same ids"


def test_where_events_were_dropped_each_stream_says_so(tmp_path: Path) -> None:
    with RedisServer() as redis:
        redis.stop()
        env = {"MG_CLIENTS_ES_URL": redis.address, "MG_CLIENTS_OUTBOX_MAX_ROWS": "100"}
        with started(tmp_path / "data", env) as service, Api(service) as api:
            ids = [client_id for _ in range(3) for client_id in create_many(api, 250)]
            wait_until_it_fails(service, "unreachable")
            assert relay_of(service)["dropped"] == 650
            assert metric(service, "clients_events_dropped") == 650
            redis.start()
            wait_until_all_is_sent(service)
            more = create_many(api, 5)
            redis.wait_for(100 + len(STREAMS) + 5)
            wait_until_all_is_sent(service)
        assert [event["id"] for event in arrived(redis)] == ids[-100:] + more
        for stream in STREAMS:
            marker = redis.entries(stream)[0].event
            assert (marker["operation"], marker["count"], marker["from"], marker["to"]) == (GAP, 650, 1, 650)
            assert marker["event_id"]
            assert marker["occurred_at"] > 1e18
        assert redis.count() == 105 + len(STREAMS)


def test_an_outbox_that_keeps_nothing_still_says_what_is_missing(tmp_path: Path, redis: RedisServer) -> None:
    env = {"MG_CLIENTS_ES_URL": redis.address, "MG_CLIENTS_OUTBOX_MAX_ROWS": "0"}
    with started(tmp_path / "data", env) as service, Api(service) as api:
        create_many(api, 3)
        redis.wait_for(len(STREAMS))
    assert [one.event["count"] for one in redis.entries("client.create")] == [3]


def test_a_server_that_stops_and_starts_again_and_again_gets_everything(tmp_path: Path, redis: RedisServer) -> None:
    ids = []
    with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service, Api(service) as api:
        for _ in range(3):
            ids += create_many(api, 1500)
            wait_until(lambda: redis.count() > len(ids) - 1500, "some to arrive")  # noqa: B023 - looked at in this round
            redis.stop()
            ids += create_many(api, 200)
            redis.start()
        wait_until_all_is_sent(service)
    assert [event["id"] for event in arrived(redis)] == ids


def test_connections_that_are_cut_are_made_anew(tmp_path: Path, redis: RedisServer) -> None:
    ids = []
    with (
        Proxy(redis.port) as proxy,
        started(tmp_path / "data", {"MG_CLIENTS_ES_URL": proxy.address}) as service,
        Api(service) as api,
    ):
        for _ in range(3):
            ids += create_many(api, 500)
            wait_until(lambda: redis.count() > len(ids) - 500, "some to arrive")  # noqa: B023 - looked at in this round
            proxy.cut()
            ids += create_many(api, 10)
            wait_until(lambda: relay_of(service)["relay"] == "failing", "it to be noticed")
            proxy.mend()
            wait_until_all_is_sent(service)
    assert [event["id"] for event in arrived(redis)] == ids


def test_nobody_waits_for_a_server_that_is_silent(tmp_path: Path, redis: RedisServer) -> None:
    with (
        Proxy(redis.port) as proxy,
        started(tmp_path / "data", {"MG_CLIENTS_ES_URL": proxy.address}) as service,
        Api(service) as api,
    ):
        first = api.create(name="first")["id"]
        wait_until_all_is_sent(service)
        proxy.freeze()
        ids = [first]
        ids += [api.create(name=str(number))["id"] for number in range(20)]
        wait_until_it_fails(service, "timed_out")
        proxy.thaw()
        wait_until_all_is_sent(service)
        assert [event["id"] for event in arrived(redis)] == ids
        lines = [line for line in service.lines if line["msg"].startswith("events cannot be sent")]
        assert [line["kind"] for line in lines] == ["timed_out"], "it is said once"


def test_it_stops_though_the_server_is_silent(tmp_path: Path, redis: RedisServer) -> None:
    with (
        Proxy(redis.port) as proxy,
        started(tmp_path / "data", {"MG_CLIENTS_ES_URL": proxy.address}) as service,
        Api(service) as api,
    ):
        proxy.freeze()
        api.create(name="n")
        assert service.stop() == 0
    assert rows(tmp_path / "data", "SELECT count(*) FROM outbox") == [(1,)]


def test_an_entry_that_a_server_refuses_does_not_repeat_the_others(tmp_path: Path, redis: RedisServer) -> None:
    with redis.client() as client:
        client.set("events.magistrala.client.disable", "somebody's own")
    with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service, Api(service) as api:
        ids = create_many(api, 50)
        assert api.request("POST", f"/clients/{ids[0]}/disable").status_code == 200
        ids += create_many(api, 50)
        wait_until(lambda: relay_of(service)["failures"].get("refused", 0) >= 3, "several attempts")
        assert redis.count() <= 200, "none is sent with it over and over"
        assert not [line for line in service.lines if "n1" in str(line)], "what a server refuses is no matter for the log"
        with redis.client() as client:
            client.delete("events.magistrala.client.disable")
        wait_until_all_is_sent(service)
    events = arrived(redis)
    assert [event["id"] for event in events if event["operation"] == "client.create"] == ids
    assert [event["id"] for event in events if event["operation"] == "client.disable"] == [ids[0]]


def test_a_full_server_gets_everything_when_it_has_room(tmp_path: Path) -> None:
    with RedisServer("--maxmemory", "1b") as redis:
        with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service, Api(service) as api:
            ids = create_many(api, 200)
            wait_until_it_fails(service, "refused")
            assert redis.count() == 0
            with redis.client() as client:
                client.config_set("maxmemory", 0)
            wait_until_all_is_sent(service)
        assert [event["id"] for event in arrived(redis)] == ids


def test_a_password_is_used_and_never_shown(tmp_path: Path) -> None:
    with RedisServer("--requirepass", "s3cret-pa55") as redis:
        with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service, Api(service) as api:
            client_id = api.create(name="n")["id"]
            wait_until_it_fails(service, "denied")
        wrong = {"MG_CLIENTS_ES_URL": f"redis://:wr0ng-pa55@{redis.address}"}
        with started(tmp_path / "data", wrong) as service:
            wait_until_it_fails(service, "denied")
            assert "wr0ng" not in str(relay_of(service))
        assert "wr0ng" not in str(service.lines)
        with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": f"redis://:s3cret-pa55@{redis.address}"}) as service:
            wait_until_all_is_sent(service)
        assert "s3cret" not in str(service.lines)
        assert [event["id"] for event in arrived(redis)] == [client_id]


@pytest.mark.parametrize("known", [True, False])
def test_tls_asks_who_the_server_is(tmp_path: Path, redis: RedisServer, known: bool) -> None:
    authority = Authority()
    pair = authority.sign("redis")
    (tmp_path / "pair.pem").write_text(pair.certificate + pair.key)
    (tmp_path / "ca.pem").write_text((authority if known else Authority("stranger")).certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "pair.pem")
    with Proxy(redis.port, tls=tls) as proxy:
        env = {"MG_CLIENTS_ES_URL": f"rediss://localhost:{proxy.port}?ssl_ca_certs={tmp_path / 'ca.pem'}"}
        with started(tmp_path / "data", env) as service, Api(service) as api:
            api.create(name="n")
            if known:
                redis.wait_for(1)
            else:
                wait_until_it_fails(service, "unreachable")
                assert redis.count() == 0


def test_a_server_that_never_was_does_not_keep_it_from_starting(tmp_path: Path) -> None:
    env = {"MG_CLIENTS_ES_URL": f"localhost:{free_port()}"}
    with started(tmp_path / "data", env) as service, Api(service) as api:
        api.create(name="n")
        wait_until_it_fails(service, "unreachable")
