"""Services on hosts whose clocks are wrong, and set right: nobody is locked out for good, and it is said."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from tests.support import asking
from tests.support.api import Api, basic
from tests.support.commands import ready_to_run
from tests.support.on_postgres import Cloud
from tests.support.people import People
from tests.support.service import Service, started
from tests.support.streams import metric

pytestmark = pytest.mark.source_only("the clock of the program is moved")

YEARS = 10 * 365 * 86_400
SINCE_1970 = 56 * 365 * 86_400
SLOW = timedelta(minutes=10)  # a test may be


@pytest.fixture(autouse=True)
def _commands() -> Iterator[None]:
    with ready_to_run():
        yield


class ShiftedClock:
    """How many seconds ahead the clock of a service is."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ahead"
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set it; a reader sees all of it or nothing."""
        with self.path.open("r+" if self.path.exists() else "w") as file:
            file.write(f"{seconds:+020d}")

    @contextmanager
    def serving(self, data: Path, env: Mapping[str, str] = {}) -> Iterator[Service]:
        """A service by this clock."""
        command = [sys.executable, "-m", "tests.support.shifted", str(self.path), "serve"]
        with started(data, env, command) as service:
            yield service


@pytest.fixture
def clock(tmp_path: Path) -> ShiftedClock:
    return ShiftedClock(tmp_path)


def rotated(api: Api, client: dict[str, Any], grace: int) -> None:
    """Give a client a new secret."""
    answer = api.request("PATCH", f"/clients/{client['id']}/secret", json={"generate": True, "grace": grace})
    assert answer.status_code == 200, answer.text


def hired(service: Service) -> str:
    """A new operator's token, for a day."""
    people = People(service)
    people.run("add", "ann", "--domain", "d=member")
    token = people.token("ann", "laptop", "--expires-in", "24h")
    people.close()
    return token


def works(service: Service, client: dict[str, Any]) -> bool:
    """Whether the first secret of a client does."""
    with grpc.insecure_channel(service.grpc) as channel:
        stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
        try:
            request = clients_pb2.AuthnReq(token=basic(client["id"], client["credentials"]["secret"]))
            return bool(stub.Authenticate(request).authenticated)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.PERMISSION_DENIED:
                return False
            raise


def listed(service: Service, token: str) -> int:
    """The status of a list, for whoever has this token."""
    return asking.get(f"{service.http}/d/clients", headers={"authorization": f"Bearer {token}"}).status_code


def told(service: Service) -> tuple[str, int]:
    """What `/ready` says of the clock; it is ready all the same, and the metric agrees."""
    answer = asking.get(f"{service.http}/ready")
    assert answer.status_code == 200, answer.text
    found = answer.json()["clock"]
    assert abs(metric(service, "clients_clock_difference_seconds") - found["difference_seconds"]) < SLOW.total_seconds()
    return found["status"], found["difference_seconds"]


def is_now(text: str) -> bool:
    return abs(datetime.fromisoformat(text) - datetime.now(UTC)) < SLOW


def test_a_clock_that_ran_ahead_once_spoils_nothing(tmp_path: Path, clock: ShiftedClock) -> None:
    with clock.serving(tmp_path / "data") as service, Api(service, "d") as api:
        client = api.create()
        rotated(api, client, grace=86_400)
        token = hired(service)
        assert (works(service, client), listed(service, token)) == (True, 200)
        assert told(service) == ("ok", 0)

        clock.set(YEARS)
        assert (works(service, client), listed(service, token)) == (False, 401)
        ahead = [api.create() for _ in range(3)]
        rotated(api, ahead[0], grace=86_400)
        assert told(service)[0] == "differs"

        clock.set(0)
        assert (works(service, client), listed(service, token)) == (True, 200)
        assert works(service, ahead[0])
        status, seconds = told(service)
        assert (status, abs(seconds) > YEARS / 2) == ("differs", True)
        changed = api.request("PATCH", f"/clients/{ahead[1]['id']}", json={"name": "n"}).json()
        assert changed["updated_at"] >= changed["created_at"] > f"{datetime.now(UTC).year + 5}"
        assert is_now(api.create()["created_at"])
        messages = [line["msg"] for line in service.lines]
        assert sum("the clock was set forward" in text for text in messages) == 1
        assert sum("the clock is behind the newest change" in text for text in messages) == 1
    with clock.serving(tmp_path / "data") as service:
        assert (works(service, client), listed(service, token)) == (True, 200)
        assert told(service) == ("ok", 0)


def test_a_start_with_a_clock_that_is_ahead_is_told(tmp_path: Path, clock: ShiftedClock) -> None:
    with clock.serving(tmp_path / "data") as service, Api(service, "d") as api:
        api.create()
    clock.set(YEARS)
    with clock.serving(tmp_path / "data") as service, Api(service, "d") as api:
        api.create()
        status, seconds = told(service)
        assert (status, abs(seconds - YEARS) < SLOW.total_seconds()) == ("differs", True)
        assert sum("more than a day ahead of the newest change" in line["msg"] for line in service.lines) == 1


def test_a_gateway_that_boots_in_1970_goes_on_by_its_newest_change(tmp_path: Path, clock: ShiftedClock) -> None:
    with clock.serving(tmp_path / "data") as service, Api(service, "d") as api:
        client = api.create()
        rotated(api, client, grace=86_400)
    clock.set(-SINCE_1970)
    with clock.serving(tmp_path / "data") as service, Api(service, "d") as api:
        assert told(service)[0] == "differs"
        assert works(service, client)
        assert is_now(api.create()["created_at"])
        assert any("the clock is wrong" in line["msg"] for line in service.lines)
        clock.set(0)
        assert told(service) == ("ok", 0)


def test_the_database_servers_clock_is_the_one_for_all(tmp_path: Path, cloud: Cloud, clock: ShiftedClock) -> None:
    clock.set(YEARS)
    with clock.serving(tmp_path / "data", cloud.env) as service, Api(service, "d") as api:
        client = api.create()
        rotated(api, client, grace=86_400)
        token = hired(service)
        assert (works(service, client), listed(service, token)) == (True, 200)
        status, seconds = told(service)
        assert (status, abs(seconds - YEARS) < SLOW.total_seconds()) == ("differs", True)
        found = api.request("PATCH", f"/clients/{client['id']}", json={"name": "n"}).json()
        assert is_now(found["created_at"])
        assert is_now(found["updated_at"])
        assert is_now(api.request("GET", f"/clients/{client['id']}").json()["last_seen_at"])
        ((newest,),) = cloud.rows("SELECT to_timestamp(newest_at / 1e6) FROM store_state")
        assert abs(newest - datetime.now(UTC)) < SLOW
