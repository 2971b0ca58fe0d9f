"""A database that was copied without its write-ahead log, or begun anew beside old files: it serves, and says so loudly."""

import shutil
from pathlib import Path

import pytest

from tests.support import asking
from tests.support.api import Api
from tests.support.commands import ready_to_run, run
from tests.support.service import Service, started
from tests.support.streams import metric


def incomplete(service: Service) -> str | None:
    """What `/ready` says is missing; metric and log agree."""
    answer = asking.get(f"{service.http}/ready")
    assert answer.status_code == 200, answer.text
    found: str | None = answer.json()["storage"].get("incomplete")
    assert metric(service, "clients_store_incomplete") == (found is not None)
    loud = [line for line in service.lines if line.get("level") == "ERROR"]
    assert bool(loud) == (found is not None), loud
    return found


def copied(data: Path, *without: str) -> Path:
    """A copy of a data directory, but for some files."""
    copy = data.with_name("copy")
    shutil.copytree(data, copy, ignore=lambda _, names: [name for name in names if name in without or name.endswith(".sock")])
    return copy


@pytest.mark.parametrize("starts", [1, 2])
def test_a_copy_without_the_log(tmp_path: Path, starts: int) -> None:
    """Made while the service runs, at its first start and at a later one."""
    data = tmp_path / "data"
    for _ in range(starts - 1):
        with started(data):
            pass
    with started(data) as service, Api(service, "d") as api:
        api.create()
        assert incomplete(service) is None
        copy = copied(data, "clients.db-wal", "clients.db-shm")
    with started(copy) as service, Api(service, "d") as api:
        assert incomplete(service) == "write_ahead_log_missing"
        assert api.listed() == []
        api.create()
    with started(copy) as service, Api(service, "d") as api:
        assert incomplete(service) is None
        assert len(api.listed()) == 1


@pytest.mark.parametrize("left", ["pepper", "operator.token", "lock"])
def test_a_database_begun_anew(tmp_path: Path, left: str) -> None:
    data = tmp_path / "data"
    with started(data) as service, Api(service, "d") as api:
        api.create()
    for path in data.iterdir():
        if path.name not in {left, "operator.id"}:
            path.unlink()
    with started(data) as service:
        assert incomplete(service) == "begun_anew"
    with started(data) as service:
        assert incomplete(service) is None


def test_a_database_that_is_whole_is_not_said_to_be_less(tmp_path: Path) -> None:
    """After a kill, with the log beside it; and after a command has opened it since."""
    data = tmp_path / "data"
    with started(data) as service, Api(service, "d") as api:
        api.create()
        service.kill()
    with started(data) as service, Api(service, "d") as api:
        assert incomplete(service) is None
        assert len(api.listed()) == 1
        service.kill()
    with ready_to_run():
        assert run("operators", "list", data=data).code == 0
    with started(data) as service, Api(service, "d") as api:
        assert incomplete(service) is None
        assert len(api.listed()) == 1
        with ready_to_run():
            assert run("operators", "list", data=data).code == 0
        copy = copied(data)
        copy.joinpath("clients.db-wal").unlink()
    with started(copy) as service:
        assert incomplete(service) == "write_ahead_log_missing"


def test_a_first_start_that_failed_leaves_no_alarm(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with ready_to_run():
        assert run("serve", data=data, env={"MG_CLIENTS_PEPPER_FILE": "/nowhere"}).code != 0
    (data / "pepper").write_bytes(bytes(range(32)))  # as after a first start that ended behind making it
    with started(data) as service:
        assert incomplete(service) is None
