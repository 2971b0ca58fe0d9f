"""What a gateway's process and its write-ahead log keep after bulk work."""

import time
from pathlib import Path

from tests.perf import fleet
from tests.perf.homes import serving
from tests.perf.measure import Figure, Row, Run, Spread, chunks, resident_mib
from tests.support.api import Api
from tests.support.service import AS_INSTALLED

_MIB = 1024 * 1024


def resident(run: Run) -> list[Row]:
    """Memory after three bulks of 10,000 and a minute later, and the log that 100,000 clients leave on the disk."""
    size, more = run.pick(fleet.BULK, 200), run.pick(100_000, 400)
    with serving(run.home, "resident", AS_INSTALLED) as service, Api(service, fleet.DOMAIN) as api:
        pid, log = service.process.pid, Path(service.data) / "clients.db-wal"
        for some in chunks(3 * size, size):
            fleet.create(api, some)
        at_once, log_of_three = resident_mib(pid), _mib(log)
        time.sleep(run.pick(60, 1))
        later = resident_mib(pid)
        for some in chunks(more, size):
            fleet.create(api, range(some.start + 3 * size, some.stop + 3 * size))
        log_of_all = _mib(log)
    return [
        _row(f"resident after three bulks of {size:,}", at_once, 100),
        _row("…a minute later", later, 75),
        _row("…write-ahead log on disk after the three bulks", log_of_three, 8),
        _row(f"…and after {more:,} more", log_of_all, 8),
    ]


def _row(measured: str, value: float, budget: int) -> Row:
    return Row("resident", measured, Figure(Spread(value, value, value), 1, " MiB"), f"≤ {budget} MiB", value <= budget)


def _mib(path: Path) -> float:
    return path.stat().st_size / _MIB if path.exists() else 0
