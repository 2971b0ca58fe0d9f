"""Many wrong chosen secrets at once: how hits fare meanwhile, and how long anybody waits for the event loop."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.perf import fleet, load
from tests.perf.homes import Home
from tests.perf.measure import Figure, Row, Run, Spread, pair, seconds
from tests.support.api import Api
from tests.support.service import environment

_TARGETS = 50  # clients that are guessed at: their rations together are more than argon2 can do


class _Watched(NamedTuple):
    """A service that says how late its event loop is."""

    process: "subprocess.Popen[str]"
    ready: dict[str, Any]
    token: str

    @property
    def http(self) -> str:
        return str(self.ready["http"])

    @property
    def grpc_port(self) -> int:
        return int(str(self.ready["grpc"]).rpartition(":")[2])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}

    def lateness(self) -> dict[str, float]:
        """Milliseconds, since the last time."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        told: dict[str, float] = json.loads(self.process.stdout.readline())
        return told


def storm(run: Run) -> list[Row]:
    """Hits alone and in the storm, in turns."""
    count, rounds = run.pick(6_000, 200), run.pick(4, 1)
    measured, quiet, stormy = [], [], []
    with _watched(run.home) as service:
        with Api(service, fleet.DOMAIN) as api:  # type: ignore[arg-type]
            (token,) = fleet.create(api, range(1))
            wanted = [{"credentials": {"secret": f"open sesame {number}"}} for number in range(_TARGETS)]
            response = api.request("POST", "/clients/bulk", json=wanted)
            response.raise_for_status()
            targets = [client["id"] for client in response.json()["clients"]]

        def rate() -> float:
            service.lateness()
            return count / seconds(lambda: load.authenticate(service.grpc_port, token, count, run.folder))

        rate()
        for number in range(rounds):
            alone = rate()
            quiet.append(service.lateness()["p99"])
            with _guessing(service.grpc_port, targets, number):
                measured.append((alone, rate()))
                stormy.append(service.lateness()["p99"])
    found, before, during = pair(measured), Spread.of(quiet), Spread.of(stormy)
    return [
        Row(
            "storm",
            f"Authenticate from the cache while {2 * _TARGETS} wrong chosen secrets a second come: "
            f"{found.ours.median:,.0f} calls a second, without {found.base.median:,.0f}; {rounds} rounds of {count:,}",
            Figure(found.ratio, 2),
            "≥ 0.80",
            found.ratio.median >= 0.8,
        ),
        Row(
            "storm", "…how late the event loop is then, 99th percentile", Figure(during, 2, " ms"), "≤ 5 ms", during.median <= 5
        ),
        Row("storm", "…and without the guesses", Figure(before, 2, " ms")),
    ]


@contextlib.contextmanager
def _watched(home: Home) -> Iterator[_Watched]:
    data, settings = home.folder / "storm", home.settings("storm")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.perf.lag"],
        env=environment(data, {**fleet.LOOPBACK, **settings}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        ready = json.loads(process.stdout.readline())
        token = settings.get("MG_CLIENTS_STANDALONE_TOKEN") or (data / "operator.token").read_text()
        yield _Watched(process, ready, token)
    finally:
        process.terminate()
        process.communicate()


@contextlib.contextmanager
def _guessing(port: int, targets: list[str], number: int) -> Iterator[None]:
    """Wrong secrets from a process of its own, until the context is left."""
    order = {"port": port, "targets": targets, "name": f"guess {number}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.perf.callers", "guess"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(order).encode())
    process.stdin.close()
    process.stdout.readline()  # the first guesses are under way
    try:
        yield
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
