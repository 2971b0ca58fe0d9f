"""Several processes on one database, each of which could send: one does at a time, and another goes on where it ended."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.api import Api
from tests.support.on_postgres import Cloud
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer
from tests.support.service import Service, started
from tests.support.streams import arrived, create_many, metric, relay_of, wait_until_all_is_sent, waiting

PROCESSES = 3
EACH = 20  # requests to each of them
MANY = 50  # clients a request


@pytest.fixture
def services(cloud: Cloud, redis: RedisServer, tmp_path: Path) -> Iterator[list[Service]]:
    with ExitStack() as stack:
        env = {**cloud.env, "MG_CLIENTS_ES_URL": redis.address}
        yield [stack.enter_context(started(tmp_path / str(number), env)) for number in range(PROCESSES)]


def test_what_three_change_at_a_time_arrives_in_order(services: list[Service], redis: RedisServer) -> None:
    with ThreadPoolExecutor(PROCESSES) as pool:
        made = list(pool.map(_create, services))
    ids = {client for of_process in made for client in of_process}
    wait_until_all_is_sent(services[0])
    events = arrived(redis)
    assert len(events) == len(ids) == PROCESSES * EACH * MANY
    assert {event["id"] for event in events} == ids
    for of_process in made:
        wanted = set(of_process)
        assert [event["id"] for event in events if event["id"] in wanted] == of_process, "as one caller made them"
    sent = [metric(service, "clients_events_sent_total") for service in services]
    assert sum(sent) == redis.count(), "who sends counts"
    # Two that sent all the time would have sent everything twice.
    assert redis.count() < len(ids) * 1.5
    for service in services:
        assert relay_of(service)["failures"] == {}


def test_what_one_was_about_to_send_when_it_was_killed_another_sends(cloud: Cloud, redis: RedisServer, tmp_path: Path) -> None:
    with Proxy(redis.port, freeze_after=300_000) as proxy:
        first = Service.launch(tmp_path / "first", {**cloud.env, "MG_CLIENTS_ES_URL": proxy.address}).wait_ready()
        try:
            with Api(first) as api:
                ids = create_many(api, 3000)
            assert proxy.frozen.wait(60)
        finally:
            first.kill()
    assert 0 < redis.count() < len(ids)
    cloud.execute("UPDATE relay SET lease_until = lease_until + 3600000000")  # the machine may be slow
    env = {**cloud.env, "MG_CLIENTS_ES_URL": redis.address}
    with started(tmp_path / "second", env) as second, started(tmp_path / "third", env) as third, Api(third) as api:
        before = redis.count()
        ids += create_many(api, 10)
        assert waiting(second) > 0
        assert redis.count() == before, "the lease of the first has not ended"
        cloud.execute("UPDATE relay SET lease_until = 0")  # as it will
        wait_until_all_is_sent(second)
        assert [relay_of(one)["failures"] for one in (second, third)] == [{}, {}]
    assert [event["id"] for event in arrived(redis)] == ids


def _create(service: Service) -> list[str]:
    with Api(service) as api:
        return [client for _ in range(EACH) for client in create_many(api, MANY)]
