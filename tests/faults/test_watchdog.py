"""systemd hears that all is well only while it is, that a slow start goes on, and what is wrong with what does not work."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from edgeclients.store.postgres.migration import _LOCK
from tests.support import asking, disks
from tests.support.api import Api
from tests.support.hanging import LOCK
from tests.support.notified import Notified
from tests.support.on_postgres import TOKEN, Cloud, held
from tests.support.proxy import Proxy
from tests.support.service import Service, started
from tests.support.waiting import wait_until

PERIOD = 0.5  # seconds within which a ping has to come
PING, EXTENSION = "WATCHDOG", "EXTEND_TIMEOUT_USEC"
ENOUGH = 12  # pings, sent in longer than what counts as stuck in `tests.support.hanging`
WORKERS = {"MG_CLIENTS_WORKERS": "2", "MG_CLIENTS_DB_MAX_CONNECTIONS": "5"}


@pytest.fixture
def notified(tmp_path: Path) -> Iterator[Notified]:
    with Notified(tmp_path) as listening:
        yield listening


@pytest.fixture
def hang(tmp_path: Path) -> Path:
    """The file that makes `tests.support.hanging` hang while it exists."""
    return tmp_path / "hang"


def hanging(how: str, file: Path) -> Sequence[str]:
    return [sys.executable, "-m", "tests.support.hanging", how, str(file)]


@contextlib.contextmanager
def change_under_way(service: Service, end: Callable[[], object], token: str = "") -> Iterator[None]:
    """A change that hangs until `end`, and succeeds then."""
    with ThreadPoolExecutor(1) as pool, Api(service, token=token) as api:
        made = pool.submit(api.create)
        try:
            yield
        finally:
            end()
        assert made.result()["id"]


@pytest.mark.source_only("a fault is put into the program")
def test_no_ping_while_the_event_loop_is_blocked(notified: Notified, hang: Path, tmp_path: Path) -> None:
    with started(tmp_path / "data", notified.env(PERIOD), hanging("loop", hang)) as service:
        notified.wait_for(PING)
        hang.touch()
        service.process.send_signal(signal.SIGWINCH)
        notified.wait_for_silence(PING)
        hang.unlink()
        notified.wait_for(PING)


@pytest.mark.source_only("a fault is put into the program")
def test_no_ping_while_the_writer_hangs(notified: Notified, hang: Path, tmp_path: Path) -> None:
    with started(tmp_path / "data", notified.env(PERIOD), hanging("writer", hang)) as service:
        notified.wait_for(PING)
        hang.touch()
        with change_under_way(service, hang.unlink):
            notified.wait_for_silence(PING)
            assert asking.get(f"{service.http}/health").status_code == httpx.codes.OK, "the loop turns"
        notified.wait_for(PING)


@pytest.mark.source_only("a fault is put into the program")
def test_a_slow_statement_is_no_hang(notified: Notified, hang: Path, tmp_path: Path) -> None:
    with started(tmp_path / "data", notified.env(PERIOD), hanging("slow", hang)) as service:
        hang.touch()
        with change_under_way(service, hang.unlink):
            for _ in range(ENOUGH):
                notified.wait_for(PING)


@pytest.mark.source_only("a fault is put into the program")
def test_no_ping_while_the_server_does_not_answer_the_writer(
    cloud: Cloud, notified: Notified, hang: Path, tmp_path: Path
) -> None:
    with Proxy(cloud.server.port) as proxy:
        env = {**cloud.env, "MG_CLIENTS_DB_HOST": "127.0.0.1", "MG_CLIENTS_DB_PORT": str(proxy.port), **notified.env(PERIOD)}
        with started(tmp_path / "data", env, hanging("nothing", hang)) as service:
            with Api(service, token=TOKEN) as api:
                api.create()
            notified.wait_for(PING)
            proxy.freeze()
            with change_under_way(service, proxy.thaw, TOKEN):
                notified.wait_for_silence(PING)
            notified.wait_for(PING)


@pytest.mark.source_only("a fault is put into the program")
def test_no_ping_while_a_worker_hangs(cloud: Cloud, notified: Notified, hang: Path, tmp_path: Path) -> None:
    env = {**cloud.env, **WORKERS, **notified.env(PERIOD)}
    with started(tmp_path / "data", env, hanging("nothing", hang)) as service:
        notified.wait_for(PING)
        worker = psutil.Process(service.process.pid).children()[0]
        worker.suspend()
        notified.wait_for_silence(PING)
        worker.resume()
        notified.wait_for(PING)
        assert {one.sender for one in notified.messages} == {service.process.pid}


@pytest.mark.source_only("a fault is put into the program")
def test_a_slow_migration_extends_the_time_of_the_start(notified: Notified, hang: Path, tmp_path: Path) -> None:
    """Whenever the time-out would have come: the first extension is there before, and others follow until the end."""
    with started(tmp_path / "data"):
        pass
    hang.touch()
    service = Service.launch(tmp_path / "data", notified.env(), hanging("slow_migration", hang))
    try:
        for _ in range(3):
            extension = notified.wait_for(EXTENSION)
            assert extension == {"STATUS": "preparing the database", EXTENSION: "60000000"}
        assert notified.told("READY") == []
        hang.unlink()
        notified.wait_for("READY")
        service.wait_ready()
    finally:
        hang.unlink(missing_ok=True)
        assert service.stop() == 0
    assert list((tmp_path / "data").glob("clients.db.schema-*")), "a backup came before"


@pytest.mark.source_only("a fault is put into the program")
def test_a_migration_that_hangs_extends_nothing(notified: Notified, hang: Path, tmp_path: Path) -> None:
    hang.touch()
    service = Service.launch(tmp_path / "data", notified.env(), hanging("migration", hang))
    try:
        notified.wait_for("STATUS", "starting")
        notified.wait_for_silence(EXTENSION)
        hang.unlink()
        notified.wait_for("READY")
        service.wait_ready()
    finally:
        hang.unlink(missing_ok=True)
        assert service.stop() == 0


@pytest.mark.source_only("a fault is put into the program")
def test_a_slow_migration_on_a_server_extends_it_as_long_as_the_server_works(
    cloud: Cloud, notified: Notified, hang: Path, tmp_path: Path
) -> None:
    with Proxy(cloud.server.port) as proxy:
        env = {**cloud.env, "MG_CLIENTS_DB_HOST": "127.0.0.1", "MG_CLIENTS_DB_PORT": str(proxy.port), **notified.env()}
        service = Service.launch(tmp_path / "data", env, hanging("postgres_migration", hang))
        try:
            with held(cloud, LOCK):
                for _ in range(3):
                    notified.wait_for(EXTENSION)
                proxy.freeze()
                notified.wait_for_silence(EXTENSION)
                assert notified.told("READY") == []
                proxy.thaw()
                notified.wait_for(EXTENSION)
            notified.wait_for("READY")
            service.wait_ready()
        finally:
            assert service.stop() == 0


@pytest.mark.parametrize("more", [{}, WORKERS], ids=["one process", "workers"])
def test_waiting_for_another_process_that_migrates_extends_it(
    cloud: Cloud, notified: Notified, tmp_path: Path, more: dict[str, str]
) -> None:
    """The server says that it works on the statement."""
    with held(cloud, _LOCK):
        service = Service.launch(tmp_path / "data", {**cloud.env, **more, **notified.env()})
        service.wait_for("another edgeclients starts on this database: waiting for it")
        for _ in range(2):
            notified.wait_for(EXTENSION)
        assert notified.told("READY") == []
    notified.wait_for("READY")
    service.wait_ready()
    assert service.stop() == 0


def test_the_status_has_the_fault_of_the_storage(notified: Notified, tmp_path: Path) -> None:
    with started(tmp_path / "data", notified.env()) as service, Api(service) as api:
        serving = notified.wait_for("READY")["STATUS"]
        with disks.no_file_grows(service):
            assert api.request("POST", "/clients", json={}).status_code == httpx.codes.SERVICE_UNAVAILABLE
            status = notified.wait_for("STATUS", "storage fails")["STATUS"]
            assert "SQLITE_" in status
        api.create()
        assert notified.wait_for("STATUS", "serving")["STATUS"] == serving


@pytest.mark.source_only("a fault is put into the program")
def test_the_status_tells_that_grpc_is_down(notified: Notified, tmp_path: Path) -> None:
    breaking = [sys.executable, "-m", "tests.support.breaking", "for_good"]
    service = Service.launch(tmp_path / "data", notified.env(), breaking).wait_ready()
    try:
        notified.wait_for("READY")
        service.process.send_signal(signal.SIGWINCH)
        notified.wait_for("STATUS", "gRPC is not served")
        assert service.end() == 1
        notified.wait_for("STOPPING")
        notified.wait_for("STATUS", "gRPC server ended and cannot listen")
    finally:
        if service.process.poll() is None:
            service.kill()


@pytest.mark.parametrize(
    ("more", "fault"), [({}, "storage fails: "), (WORKERS, "workers are not ready")], ids=["one process", "workers"]
)
def test_the_status_has_the_fault_of_a_storage_elsewhere(
    cloud: Cloud, notified: Notified, tmp_path: Path, more: dict[str, str], fault: str
) -> None:
    with Proxy(cloud.server.port) as proxy:
        env = {**cloud.env, **more, "MG_CLIENTS_DB_HOST": "127.0.0.1", "MG_CLIENTS_DB_PORT": str(proxy.port)}
        with started(tmp_path / "data", {**env, **notified.env()}) as service, Api(service, token=TOKEN) as api:
            notified.wait_for("READY")
            proxy.cut()
            assert api.request("POST", "/clients", json={}).status_code == httpx.codes.SERVICE_UNAVAILABLE
            notified.wait_for("STATUS", fault)
            proxy.mend()
            wait_until(lambda: all(ready(service) for _ in range(20)), "every process to be ready")
            notified.wait_for("STATUS", "serving")


def ready(service: Service) -> bool:
    """Whether the worker says so that a new connection meets."""
    return asking.get(f"{service.http}/ready").status_code == httpx.codes.OK
