"""Disks that fill up, or refuse to take more, under a running service."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.conftest import authenticate
from tests.support import asking, disks
from tests.support.api import Api, basic, error_of
from tests.support.callers import calling
from tests.support.database import keep_events, rows
from tests.support.service import Service, started

BIG = {"p": "x" * 60_000}


def create_many(api: Api, count: int) -> list[httpx.Response]:
    """Concurrent creates."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda n: api.request("POST", "/clients", json={"name": f"n{n}", "metadata": BIG}), range(count)))


def written(data: Path) -> int:
    """How many clients there are; each is whole."""
    counts = rows(
        data,
        "SELECT (SELECT count(*) FROM clients), (SELECT count(*) FROM clients_roles), (SELECT count(*) FROM"
        " clients_role_members), (SELECT count(*) FROM outbox WHERE stream LIKE '%create')",
    )[0]
    assert len(set(counts)) == 1, counts
    return int(counts[0])


def ready_of(service: Service) -> int:
    return asking.get(f"{service.http}/ready").status_code


def test_writes_that_fail_change_nothing_and_say_so(tmp_path: Path) -> None:
    with started(tmp_path / "data") as service, calling(service) as (api, stub):
        keep_events(service)
        kept = api.create(name="kept")
        with disks.no_file_grows(service):
            for response in create_many(api, 16):
                assert error_of(response) == (503, "unavailable")
                assert response.headers["retry-after"]
            assert ready_of(service) == 503
            assert asking.get(f"{service.http}/health").status_code == 200
            assert authenticate(stub, basic(kept["id"], kept["credentials"]["secret"])) == kept["id"]
            assert api.listed() == [kept["id"]]
        assert written(service.data) == 1
        assert {response.status_code for response in create_many(api, 16)} == {201}
        assert ready_of(service) == 200
        assert written(service.data) == 17
        assert service.stop() == 0


def test_it_ends_well_on_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    with started(tmp_path / "data") as service:
        with calling(service) as (api, _):
            kept = api.create(name="kept")
        # Nothing of the log can be written back now; it stays, and the next start reads it.
        disks.let_files_grow_to(service, 1)
        assert service.stop() == 0
        assert not [line for line in service.lines if "Traceback" in line["msg"]]
    with started(tmp_path / "data") as service:
        assert rows(service.data, "SELECT id FROM clients") == [(kept["id"],)]


@pytest.mark.skipif(disks.WAY is None, reason="this machine lets nobody mount a disk for himself")
def test_a_full_disk_under_load(tmp_path: Path) -> None:
    with disks.service_on_small_disk(tmp_path / "disk", "3m") as service, calling(service) as (api, _):
        filler = service.data.parent / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while file.write(bytes(65536)):
                file.flush()
        answers = [response for _ in range(3) for response in create_many(api, 16)]
        assert {error_of(answer) for answer in answers if answer.status_code != 201} == {(503, "storage_full")}
        created = {answer.json()["id"] for answer in answers if answer.status_code == 201}
        assert len(created) < len(answers)
        assert asking.get(f"{service.http}/health").status_code == 200
        assert written(disks.copied(service, tmp_path / "full")) == len(created)
        filler.unlink()
        after = api.create(name="after")
        assert ready_of(service) == 200
        found = rows(disks.copied(service, tmp_path / "after"), "SELECT id FROM clients")
        assert {client_id for (client_id,) in found} == created | {after["id"]}
        assert service.stop() == 0
