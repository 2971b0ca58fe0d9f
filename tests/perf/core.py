"""`Authentication.authenticate` from the cache, without a transport: `python -m tests.perf.core` measures it with pyperf."""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from edgeclients.cache.memory import MemoryTokenCache
from edgeclients.core.authn.authentication import Authentication
from edgeclients.core.authn.queue import CheckQueue
from edgeclients.core.secrets.keyring import Keyring
from edgeclients.core.secrets.pool import Argon2Threads, HashQueue
from edgeclients.model import ClientDraft
from tests.perf import fleet
from tests.perf.homes import registry
from tests.perf.measure import Figure, Row, Run, Spread
from tests.perf.on_sqlite import OnSqlite
from tests.support.api import basic

_BUDGET_US = 3.0


def hit(run: Run) -> list[Row]:
    """A hit in the core, measured by pyperf in processes of its own."""
    result = run.folder / "core.json"
    thoroughness = ["--processes", "2", "--values", "2"] if run.quick else []
    command = [sys.executable, "-m", "tests.perf.core", "--quiet", "-o", str(result), *thoroughness]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    runs = json.loads(result.read_text())["benchmarks"][0]["runs"]
    spread = Spread.of(value * 1_000_000 for one in runs for value in one.get("values", ()))
    return [
        Row(
            "core",
            f"Authenticate, cache hit, in the core alone, without a transport; pyperf, {len(runs)} processes",
            Figure(spread, 2, " µs"),
            "≤ 3 µs",
            spread.median <= _BUDGET_US,
        )
    ]


async def _measure(loops: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        keyring = Keyring([bytes(32)], 19 * 1024, 2)
        async with registry(OnSqlite(Path(folder)), "clients") as ours:
            (created,) = await ours.clients.create(fleet.SESSION, [ClientDraft(name="one")])
            cache = MemoryTokenCache(3600, 50_000, ours.store.now)
            threads = Argon2Threads(1)
            authentication = Authentication(ours.store, cache, keyring, CheckQueue(threads, 1), HashQueue(threads, 1))
            token = basic(created.client.id, created.secret).encode()
            await authentication.authenticate(token)
            started = time.perf_counter()
            for _ in range(loops):
                await authentication.authenticate(token)
            return time.perf_counter() - started


def _time(loops: int) -> float:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure(loops))


def main() -> None:
    """What pyperf starts."""
    import pyperf

    def pass_on(command: list[str], _: Any) -> None:
        command.extend(["--inherit-environ", "PYTHONPATH"])

    pyperf.Runner(program_args=["-m", "tests.perf.core"], add_cmdline_args=pass_on).bench_time_func("authenticate", _time)


if __name__ == "__main__":
    main()
