"""SIGHUP where there is a terminal and where there is none, and signals that mean nothing."""

import json
import signal
from collections.abc import Sequence
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support import asking
from tests.support.api import Api
from tests.support.on_postgres import Cloud, secret_works
from tests.support.service import Service, started
from tests.support.terminals import WITHOUT, Terminal
from tests.support.waiting import wait_until

REREAD = "certificates and keys reloaded"
USUAL = (signal.SIGUSR1, signal.SIGUSR2)


def _hears(process: int, mask: str, number: signal.Signals) -> bool:
    """Whether a process catches (`SigCgt`) or ignores (`SigIgn`) a signal."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return any(line.startswith(mask) and int(line.split()[1], 16) >> (number - 1) & 1 for line in lines)


def _answers(service: Service) -> bool:
    return asking.get(f"{service.http}/health").status_code == httpx.codes.OK


def _seen(api: Api) -> str:
    """The id of a client that was just seen, which the process that saw it has not written down yet."""
    client = api.create()
    assert secret_works(api.service, client)
    return str(client["id"])


def _last_seen(api: Api, client_id: str) -> str | None:
    viewed: dict[str, str] = api.request("GET", f"/clients/{client_id}").json()
    return viewed.get("last_seen_at")


def test_usr1_and_usr2_mean_nothing(tmp_path: Path) -> None:
    with started(tmp_path / "data") as service:
        for number in USUAL * 3:
            service.process.send_signal(number)
        assert all(_hears(service.process.pid, "SigIgn", number) for number in USUAL)
        assert _answers(service)
        assert service.stop() == 0


def test_hup_before_it_serves_is_heard_when_it_does(tmp_path: Path) -> None:
    service = Service.launch(tmp_path / "data", command=WITHOUT)
    wait_until(lambda: _hears(service.process.pid, "SigCgt", signal.SIGHUP), "SIGHUP to be caught")
    for number in (signal.SIGHUP, *USUAL):
        service.process.send_signal(number)
    service.wait_ready()
    service.wait_for(REREAD)
    assert service.stop() == 0


def test_without_a_terminal_hup_is_no_stop(tmp_path: Path) -> None:
    with started(tmp_path / "data", command=WITHOUT) as service, Api(service) as api:
        api.create()
        for _ in range(3):
            service.process.send_signal(signal.SIGHUP)
            assert service.wait_for(REREAD)["settings"] == []
        api.create()
        assert service.stop() == 0


@pytest.mark.parametrize("streams", ["0", ""])
def test_a_terminal_that_hangs_up_stops_it(tmp_path: Path, streams: str) -> None:
    with Terminal() as terminal, started(tmp_path / "data", command=terminal.command(streams)) as service:
        with Api(service) as api:
            client_id = _seen(api)
        terminal.hang_up()
        assert service.end() == 0
        assert [line["msg"] for line in service.lines][-2:] == ["stopping", "stopped"]
    with started(tmp_path / "data") as service, Api(service, api.domain) as api:
        assert _last_seen(api, client_id)


def test_nobody_is_left_to_read_the_log(tmp_path: Path) -> None:
    """All three streams are the terminal that has gone."""
    with Terminal() as terminal:
        service = Service.launch(tmp_path / "data", command=terminal.command("012"))
        lines = terminal.read_until('"msg":"ready"').splitlines()
        service.ready = next(line for line in map(json.loads, filter(None, lines)) if line["msg"] == "ready")
        with Api(service) as api:
            client_id = _seen(api)
        terminal.hang_up()
        assert service.end() == 0
    with started(tmp_path / "data") as service, Api(service, api.domain) as api:
        assert _last_seen(api, client_id)


def test_hup_from_somebody_is_a_stop_where_there_is_a_terminal(tmp_path: Path) -> None:
    """As a shell sends it to what it has started."""
    with Terminal() as terminal, started(tmp_path / "data", command=terminal.command("0")) as service:
        service.process.send_signal(signal.SIGHUP)
        service.process.send_signal(signal.SIGHUP)
        assert service.end() == 0
        assert service.lines[-1]["msg"] == "stopped"


def test_under_nohup_it_outlives_its_terminal(tmp_path: Path) -> None:
    with Terminal() as terminal, started(tmp_path / "data", command=terminal.command("0", nohup=True)) as service:
        terminal.hang_up()
        service.wait_for(REREAD)
        assert _answers(service)
        assert service.stop() == 0


@pytest.fixture
def env(cloud: Cloud) -> dict[str, str]:
    return {**cloud.env, "MG_CLIENTS_WORKERS": "2", "MG_CLIENTS_DB_MAX_CONNECTIONS": "5"}


def _workers(service: Service) -> Sequence[psutil.Process]:
    return psutil.Process(service.process.pid).children()


def test_a_terminal_that_hangs_up_stops_the_workers(tmp_path: Path, env: dict[str, str]) -> None:
    with Terminal() as terminal, started(tmp_path / "data", env, terminal.command("0")) as service:
        with Api(service) as api:
            client_id = _seen(api)
        workers = _workers(service)
        terminal.hang_up()
        assert service.end() == 0
        assert not any(worker.is_running() for worker in workers)
        said = [line["msg"] for line in service.lines]
        assert said.count("stopped") == len(workers) + 1
        assert not any("restarted" in text for text in said)
    with started(tmp_path / "data", env) as service, Api(service, api.domain) as api:
        assert _last_seen(api, client_id)


def test_workers_go_on_whatever_comes(tmp_path: Path, env: dict[str, str]) -> None:
    """From a terminal that hangs up under `nohup`, too: they get the signal from there, and from their supervisor."""
    with Terminal() as terminal, started(tmp_path / "data", env, terminal.command("0", nohup=True)) as service:
        workers = _workers(service)
        for process in (psutil.Process(service.process.pid), *workers):
            for number in USUAL:
                process.send_signal(number)
        terminal.hang_up()
        for _ in workers:
            service.wait_for(REREAD)
        assert [one.pid for one in _workers(service)] == [one.pid for one in workers]
        assert _answers(service)
        assert service.stop() == 0


def test_a_worker_that_is_starting_hears_it_when_it_serves(tmp_path: Path, env: dict[str, str]) -> None:
    with started(tmp_path / "data", env, WITHOUT) as service:
        before = _workers(service)
        before[0].kill()
        wait_until(lambda: any(one not in before for one in _workers(service)), "a new worker")
        (new,) = (one for one in _workers(service) if one not in before)

        def serves_in_spite_of_it() -> bool:
            service.process.send_signal(signal.SIGHUP)
            return [line["msg"] for line in service.lines].count("worker ready") > len(before)

        wait_until(serves_in_spite_of_it, "the new worker to serve")
        assert new in _workers(service)
        assert service.stop() == 0
