"""Events that leave: what is sent, and that it stays in the outbox no longer than it takes."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeclients.core.events import STREAMS
from tests.support import asking
from tests.support.api import Api
from tests.support.database import keep_events, rows
from tests.support.ports import free_port
from tests.support.redis import RedisServer
from tests.support.service import started
from tests.support.streams import GAP, arrived, create_many, metric, relay_of, wait_until_all_is_sent


def change_everything(api: Api) -> dict[str, Any]:
    """Make every event there is; the client it is about, its secrets, and the role."""
    client = api.create(name="all", tags=["t"], identity="i", metadata={"a": 1}, private_metadata={"p": 2})
    path = f"/clients/{client['id']}"

    def done(method: str, path: str, **body: Any) -> Any:
        response = api.request(method, path, **({"json": body} if body else {}))
        assert response.is_success, response.text
        return response.json() if response.content else None

    done("PATCH", path, name="all of it")
    done("PATCH", f"{path}/tags", tags=["u"])
    generated = done("PATCH", f"{path}/secret", generate=True, grace=60)["credentials"]["secret"]
    done("PATCH", f"{path}/secret", secret="chosen by a person")
    done("POST", f"{path}/disable")
    done("POST", f"{path}/enable")
    done("POST", f"{path}/parent", parent_group_id="7c1f3f0e-4b1f-4f0b-8f5f-5a4d8e2b9c11")
    done("DELETE", f"{path}/parent")
    role = api.give_role(client["id"], "r", ["read"], ["bob"])["id"]
    done("PUT", f"{path}/roles/{role}", name="s")
    done("POST", f"{path}/roles/{role}/actions", actions=["update"])
    done("POST", f"{path}/roles/{role}/actions/delete", actions=["update"])
    done("POST", f"{path}/roles/{role}/actions/delete-all")
    done("POST", f"{path}/roles/{role}/members", members=["ann"])
    done("POST", f"{path}/roles/{role}/members/delete", members=["ann"])
    done("POST", f"{path}/roles/{role}/members/delete-all")
    done("DELETE", f"{path}/roles/{role}")
    done("DELETE", path)
    return {"id": client["id"], "secrets": [client["credentials"]["secret"], generated, "chosen by a person"]}


OPERATIONS = [
    "client.create", "client.update", "client.update_tags", "client.update_secret", "client.update_secret", "client.disable",
    "client.enable", "client.set_parent", "client.remove_parent", "client.role.add", "client.role.update",
    "client.role.actions.add", "client.role.actions.remove", "client.role.actions.remove_all", "client.role.members.add",
    "client.role.members.remove", "client.role.members.remove_all", "client.role.remove", "client.remove",
]  # fmt: skip


def test_every_change_is_told_in_order_and_in_its_stream(tmp_path: Path, redis: RedisServer) -> None:
    with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service, Api(service) as api:
        client = change_everything(api)
        redis.wait_for(len(OPERATIONS))
        events = arrived(redis)
        wait_until_all_is_sent(service)
    assert [event["operation"] for event in events] == OPERATIONS
    assert {event.get("entity_id") or event["id"] for event in events} == {client["id"]}
    for stream in STREAMS:
        operations = {one.event["operation"] for one in redis.entries(stream)}
        assert operations == ({name for name in OPERATIONS if ".role." in name} if stream == "client.roles" else {stream})


def test_an_event_is_as_it_was_written_and_says_which_it_is(tmp_path: Path, redis: RedisServer) -> None:
    with started(tmp_path / "data") as service, Api(service) as api:
        keep_events(service)
        api.create(name="n", metadata={"big": 2**63, "text": "ä"})
        ((sequence, payload, at),) = rows(service.data, "SELECT seq, payload, occurred_at FROM outbox")
        ((store_id,),) = rows(service.data, "SELECT store_id FROM relay")
    with started(tmp_path / "data", {"MG_ES_URL": f"redis://{redis.address}/0"}) as service:
        redis.wait_for(1)
        wait_until_all_is_sent(service)
    ((_, event),) = redis.entries("client.create")
    added = {"occurred_at": at, "sequence": sequence, "event_id": f"{store_id}-{sequence}-{at}"}
    assert event == json.loads(payload) | added
    with redis.client() as client:
        assert client.keys("*") == [b"events.magistrala.client.create"]
        ((_, fields),) = client.xrange("events.magistrala.client.create")
        assert list(fields) == [b"data"]


def test_the_variable_of_the_service_goes_before_that_of_the_installation(tmp_path: Path, redis: RedisServer) -> None:
    env = {"MG_CLIENTS_ES_URL": redis.address, "MG_ES_URL": "amqp://guest:guest@localhost:5682/"}
    with started(tmp_path / "data", env) as service, Api(service) as api:
        api.create(name="n")
        redis.wait_for(1)


def test_nothing_secret_leaves(tmp_path: Path, redis: RedisServer) -> None:
    with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service, Api(service) as api:
        told = change_everything(api)
        chosen = api.create(name="c", credentials={"identity": "known", "secret": "another chosen one"})
        redis.wait_for(len(OPERATIONS) + 1)
        kept = [text for (text,) in rows(service.data, "SELECT secret FROM clients")]
        lookups = [lookup.hex() for (lookup,) in rows(service.data, "SELECT secret_lookup FROM clients")]
        secrets = [*told["secrets"], "another chosen one", service.token, *kept, *lookups]
        pepper = (service.data / "pepper").read_bytes()
        dump = redis.dump()
    assert chosen["id"].encode() in dump
    assert b"known" in dump
    for secret in secrets:
        assert secret.encode() not in dump
    assert pepper not in dump
    assert b"argon2id" not in dump
    assert b"hmac-sha256" not in dump


@pytest.mark.parametrize("count", [1, 300])
def test_what_waits_when_it_is_told_to_stop_is_sent_first(tmp_path: Path, redis: RedisServer, count: int) -> None:
    with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service, Api(service) as api:
        ids = create_many(api, count)
        assert service.stop() == 0
    assert [event["id"] for event in arrived(redis)] == ids
    assert redis.count() == count
    assert rows(tmp_path / "data", "SELECT count(*) FROM outbox") == [(0,)]


def test_sending_is_shown_and_costs_few_commits(tmp_path: Path, redis: RedisServer) -> None:
    with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service, Api(service) as api:
        assert relay_of(service) == {
            "relay": "on", "waiting": 0, "oldest_age": 0.0, "dropped": 0, "last_success": None, "failures": {},
        }  # fmt: skip
        create_many(api, 2500)
        redis.wait_for(2500)
        wait_until_all_is_sent(service)
        said = relay_of(service)
        assert (said["relay"], said["waiting"], said["failures"]) == ("on", 0, {})
        assert said["last_success"] is not None
        assert metric(service, "clients_events_sent_total") == 2500
        assert metric(service, "clients_events_waiting") == 0
        assert metric(service, "clients_events_dropped") == 0
        assert metric(service, "clients_events_last_success_timestamp_seconds") > 1e9
        assert metric(service, "clients_store_commits_total") < 12, "of 2,500 events"
    assert rows(tmp_path / "data", "SELECT lease_owner FROM relay") == [(None,)]


def test_without_a_stream_events_are_not_kept_and_the_first_stream_is_told(tmp_path: Path, redis: RedisServer) -> None:
    with started(tmp_path / "data") as service, Api(service) as api:
        create_many(api, 3)
        assert relay_of(service) == {"relay": "off"}
        assert "clients_events" not in asking.get(f"{service.http}/metrics").text
        assert rows(service.data, "SELECT count(*) FROM outbox") == [(0,)]
    with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service, Api(service) as api:
        client = api.create(name="n")
        redis.wait_for(len(STREAMS) + 1)
        wait_until_all_is_sent(service)
        assert metric(service, "clients_events_dropped") == 0, "nothing was lost that anybody waited for"
    for stream in STREAMS:
        marker, *others = [one.event for one in redis.entries(stream)]
        assert (marker["operation"], marker["count"], marker["from"], marker["to"]) == (GAP, 3, 1, 3)
        assert [event["sequence"] for event in others] == ([4] if stream == "client.create" else [])
    assert arrived(redis)[0]["id"] == client["id"]


def test_a_stream_that_is_not_named_for_a_while_gets_what_happens_meanwhile(tmp_path: Path, redis: RedisServer) -> None:
    with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service, Api(service) as api:
        create_many(api, 1)
        wait_until_all_is_sent(service)
    with started(tmp_path / "data") as service, Api(service) as api:
        create_many(api, 2)
        assert rows(service.data, "SELECT count(*) FROM outbox") == [(2,)]
    with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service:
        wait_until_all_is_sent(service)
    assert [event["sequence"] for event in arrived(redis)] == [1, 2, 3]


def test_what_no_stream_ever_got_is_not_kept_without_one(tmp_path: Path, redis: RedisServer) -> None:
    """As in a data directory of an earlier version, which kept events for nobody."""
    nobody = {"MG_CLIENTS_ES_URL": f"127.0.0.1:{free_port()}"}
    with started(tmp_path / "data", nobody) as service, Api(service) as api:
        create_many(api, 5)
        assert rows(service.data, "SELECT count(*) FROM outbox") == [(5,)]
    with started(tmp_path / "data") as service, Api(service) as api:
        create_many(api, 2)
        assert rows(service.data, "SELECT count(*), sum(outbox_rows) FROM outbox, store_state") == [(0, None)]
    with started(tmp_path / "data", {"MG_CLIENTS_ES_URL": redis.address}) as service:
        redis.wait_for(len(STREAMS))
        wait_until_all_is_sent(service)
    (marker,) = [one.event for one in redis.entries("client.create")]
    assert (marker["count"], marker["from"], marker["to"]) == (7, 1, 7)
