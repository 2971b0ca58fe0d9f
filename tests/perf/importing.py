"""A file of 100,000 clients: what it costs beside a bulk create, what it takes of memory, and what others notice."""

import re
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.perf import fleet
from tests.perf.homes import serving
from tests.perf.measure import Figure, Row, Run, Spread, chunks, cpu_seconds
from tests.support.api import Api
from tests.support.program import PROGRAM
from tests.support.service import AS_INSTALLED, Service, environment

_CSV = {"content-type": "text/csv"}
_SECRETS = 20_000  # that one request makes
_PAUSE_SECONDS = 0.005


def importing(run: Run) -> list[Row]:
    """Rows for cost, memory and others' latency."""
    bulk, count, pauses = run.pick(fleet.BULK, 200), run.pick(100_000, 500), run.pick(40, 1)
    with serving(run.home, "import", AS_INSTALLED) as service, Api(service) as api, Api(service) as other:
        content = fleet.bulk_body(range(bulk))
        api.request("POST", "/clients/bulk", content=content).raise_for_status()
        ratios = []
        for turn in range(run.pick(3, 1)):
            of_bulk = _per_cpu_second(service, bulk, lambda: _send(other.within(f"b{turn}"), "bulk", content))  # noqa: B023 - used at once
            of_import = _per_cpu_second(service, count, lambda: _import(api.within(f"i{turn}"), count))  # noqa: B023 - used at once
            ratios.append(of_import / of_bulk)
        idle = _latency(other, lambda: time.sleep(pauses / 10))
        beside = _latency(other, lambda: _import(api.within("beside"), count))
    of_service, of_command = _memory(run, count)
    ratio = Spread.of(ratios)
    return [
        Row(
            "import",
            f"{count:,} lines of CSV, of them {_SECRETS:,} a request, against a bulk of {bulk:,}: lines per CPU-second",
            Figure(ratio, 2),
            "≥ 0.70",
            ratio.median >= 0.7,
        ),
        *(
            Row("import", f"…most memory of the {what}", Figure(_alone(most), 0, " MiB"), "≤ 110 MiB", most <= 110)
            for what, most in (("service, all lines in one request", of_service), ("command", of_command))
        ),
        *(
            Row(
                "import",
                f"…99th percentile of others' {what} meanwhile, against {before:.1f} ms before",
                Figure(_alone(after / before), 1, " ×"),
                "≤ 5 ×",
                after <= 5 * before,
            )
            for what, before, after in zip(("lists", "creations"), idle, beside, strict=True)
        ),
    ]


def _memory(run: Run, count: int) -> tuple[float, float]:
    """The most memory, in MiB, of a service and of the command that imports a file into it."""
    with serving(run.home, "memory", AS_INSTALLED) as service:
        file = run.folder / "import.csv"
        file.write_bytes(b"".join(_table(range(count))))
        arguments = ["import", str(file), "--domain", "d", "--secrets-out", str(run.folder / "secrets.csv")]
        env = environment(service.data, AS_INSTALLED)
        with subprocess.Popen([*PROGRAM, *arguments], env=env, stdout=subprocess.DEVNULL) as command:
            of_command = 0.0
            while command.poll() is None:
                of_command = max(of_command, _most_mib(command.pid))
                time.sleep(_PAUSE_SECONDS)
        if command.returncode:
            raise RuntimeError(arguments)
        return _most_mib(service.process.pid), of_command


def _import(api: Api, count: int) -> None:
    for some in chunks(count, _SECRETS):
        response = api.request("POST", "/clients/import", content=_table(some), headers=_CSV)
        response.raise_for_status()
        if '"failed":0}' not in response.text[-100:]:
            raise RuntimeError(response.text[-500:])


def _table(numbers: range) -> Iterator[bytes]:
    """The same clients as a bulk's, as they arrive."""
    yield b"external_id,name,tags,metadata.site.room,metadata.site.position,metadata.model\r\n"
    for some in chunks(len(numbers), 500):
        lines = []
        for number in range(numbers.start + some.start, numbers.start + some.stop):
            body = fleet.body(number)
            tags, metadata = ",".join(body["tags"]), body["metadata"]
            lines.append(f'SN-{number},{body["name"]},"{tags}",{metadata["site"]["room"]},{number},{metadata["model"]}\r\n')
        yield "".join(lines).encode()


def _send(api: Api, path: str, content: bytes) -> None:
    api.request("POST", f"/clients/{path}", content=content).raise_for_status()


def _per_cpu_second(service: Service, count: int, work: Callable[[], None]) -> float:
    before = cpu_seconds(service.process.pid)
    work()
    return count / (cpu_seconds(service.process.pid) - before)


def _latency(api: Api, work: Callable[[], None]) -> tuple[float, float]:
    """The 99th percentiles of a list and of a creation during `work`, in ms."""
    over = threading.Event()
    lists: list[float] = []
    creations: list[float] = []

    def ask() -> None:
        while not over.wait(_PAUSE_SECONDS):
            for found, method, options in ((lists, "GET", {}), (creations, "POST", {"content": b"{}"})):
                began = time.perf_counter()
                api.request(method, "/clients", **options).raise_for_status()
                found.append((time.perf_counter() - began) * 1000)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        work()
    finally:
        over.set()
        asking.join()
    return _p99(lists), _p99(creations)


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[-1] if len(values) > 1 else values[0]


def _most_mib(pid: int) -> float:
    """The most memory that a process ever had; 0 once it has ended."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0


def _alone(value: float) -> Spread:
    return Spread(value, value, value)
