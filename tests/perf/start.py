"""From nothing to ready, and what the service weighs when nobody asks it anything."""

import http.client
import os
import subprocess
import sys
import time

from tests.perf.fleet import LOOPBACK
from tests.perf.measure import Figure, Row, Run, Spread, resident_mib, seconds
from tests.support.ports import free_port
from tests.support.service import START_SECONDS, Service, started

_IMPORTS = "import edgeclients.cli.main, edgeclients.cli.serve"


def start(run: Run) -> list[Row]:
    """Start to the first answer, memory a second later, and how much of it is imports."""
    rounds = run.pick(5, 1)
    data, settings = run.folder / "start", {**LOOPBACK, **run.home.settings("start")}
    # As installed: compiled once. Where that is switched off in the environment, every start would compile us anew.
    compiled = {"PYTHONDONTWRITEBYTECODE": ""}
    with started(data, {**settings, **compiled}):
        pass
    times, routed, memory, imports, bare = [], [], [], [], []
    for _ in range(rounds + 1):
        port = free_port()
        began = time.perf_counter()
        service = Service.launch(data, {**settings, **compiled, "MG_CLIENTS_HTTP_PORT": str(port)})
        try:
            _wait_for(port, "/health", 200)
            times.append((time.perf_counter() - began) * 1000)
            _wait_for(port, "/docs", 200)
            routed.append((time.perf_counter() - began) * 1000)
            time.sleep(1)
            memory.append(resident_mib(service.process.pid))
        finally:
            service.stop()
        imports.append(_python(_IMPORTS, compiled) * 1000)
        bare.append(_python("", compiled) * 1000)
    ready, all_there, weight, importing, nothing = (Spread.of(values[1:]) for values in (times, routed, memory, imports, bare))
    return [
        Row(
            "start",
            f"start to the first answer of /health, existing data directory; {rounds} times",
            Figure(ready, 0, " ms"),
            "≤ 400 ms",
            ready.median <= 400,
        ),
        Row("start", "…to the first answer of a route, which waits until all are imported", Figure(all_there, 0, " ms")),
        Row("start", "…of the first answer, Python with the service's imports", Figure(importing, 0, " ms")),
        Row("start", "…of the first answer, Python with nothing", Figure(nothing, 0, " ms")),
        Row("memory", "resident memory a second after that", Figure(weight, 1, " MiB"), "≤ 65 MiB", weight.median <= 65),
    ]


def _python(code: str, environment: dict[str, str]) -> float:
    """How long a process takes that runs `code` and leaves without cleaning up."""
    command = [sys.executable, "-c", f"{code}\nimport os; os._exit(0)"]
    return seconds(lambda: subprocess.run(command, env={**os.environ, **environment}, check=True))


def _wait_for(port: int, path: str, status: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == status:
                return
        except ConnectionRefusedError:
            time.sleep(0.002)
        finally:
            connection.close()
    raise RuntimeError("the service does not answer")
