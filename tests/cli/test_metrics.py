"""What `/metrics` says of the state of a service, while that changes (packaging/monitoring.md#metrics)."""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edgeclients import __version__
from tests.support import asking, disks, promql
from tests.support.api import Api, error_of
from tests.support.database import write_locked
from tests.support.on_postgres import Cloud, clients_locked
from tests.support.service import Service, started
from tests.support.waiting import wait_until


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Service]:
    with started(tmp_path / "data") as running:
        yield running


def value(service: Service, name: str) -> float:
    """Of a metric without labels."""
    (sample,) = promql.families(asking.get(f"{service.http}/metrics").text)[name].samples
    return sample.value


def states(service: Service) -> tuple[float, float]:
    return value(service, "clients_ready"), value(service, "clients_store_writable")


def test_a_service_that_cannot_write_is_not_ready(gateway: Service) -> None:
    assert states(gateway) == (1, 1)
    with Api(gateway) as api:
        with disks.no_file_grows(gateway):
            assert error_of(api.request("POST", "/clients", json={})) == (503, "unavailable")
        wait_until(lambda: states(gateway) == (1, 1), "the write that a scrape begins, as a request for /ready does")
        with disks.no_file_grows(gateway):
            assert error_of(api.request("POST", "/clients", json={})) == (503, "unavailable")
            assert states(gateway) == (0, 0)  # that write happens once an hour
        api.create()
        assert states(gateway) == (1, 1)


def test_a_scrape_says_which_version_runs_and_how_much_fits_on_the_disk(gateway: Service) -> None:
    (version,) = promql.families(asking.get(f"{gateway.http}/metrics").text)["clients_build_info"].samples
    assert (version.labels, version.value) == ({"version": __version__}, 1)
    assert value(gateway, "clients_disk_free_bytes") > 0


def test_changes_that_wait_are_counted_in_a_gateway(gateway: Service) -> None:
    _assert_counted(gateway, write_locked(gateway.data))


def test_changes_that_wait_are_counted_in_the_cloud(cloud: Cloud, tmp_path: Path) -> None:
    with started(tmp_path / "data", cloud.env) as service:
        _assert_counted(service, clients_locked(cloud))


def _assert_counted(service: Service, locked: AbstractContextManager[None]) -> None:
    assert value(service, "clients_store_changes_active") == 0
    with _changing(service), locked:
        wait_until(lambda: value(service, "clients_store_changes_active") == 1, "a change that waits")
    assert value(service, "clients_store_changes_active") == 0


@contextlib.contextmanager
def _changing(service: Service) -> Iterator[None]:
    """Somebody tries to create a client again and again: who waits too long is refused."""

    def change() -> None:
        with Api(service) as api:
            while not enough.is_set():
                api.request("POST", "/clients", json={})

    enough = threading.Event()
    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
