"""`python -m tests.perf`: the budgets of the service, measured here and now, as a table.

Ratios compare with a baseline in the same run, in turns. Nothing is asserted: the exit code says only whether it ran.
"""

import argparse
import contextlib
import itertools
import json
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from tests.perf import (
    authenticate,
    core,
    curves,
    growth,
    importing,
    lane,
    listing,
    load,
    outbox,
    resident,
    start,
    store,
    storm,
    upgrade,
    web,
    written,
)
from tests.perf.homes import Home
from tests.perf.measure import Row, Run
from tests.perf.on_postgres import on_postgres
from tests.perf.on_sqlite import OnSqlite

MEASUREMENTS: dict[str, Callable[[Run], list[Row]]] = {
    "core": core.hit,
    "hit": authenticate.hit,
    "cold": authenticate.cold,
    "storm": storm.storm,
    "read": store.read,
    "create": store.create,
    "outbox": outbox.outbox,
    "bulk": web.bulk,
    "list": listing.page,
    "get": web.get,
    "start": start.start,
    "written": written.written,
    "resident": resident.resident,
    "upgrade": upgrade.upgrade,
    "growth": growth.growth,
    "import": importing.importing,
    "lane": lane.lane,
}
STORAGES = ("gateway", "cloud")
_OF_A_GATEWAY = {"core", "written", "resident", "upgrade", "growth", "import", "lane"}
_ANYWHERE = {"hit", "cold", "storm", "list", "get", "outbox"}  # whose budgets are the same on a gateway and in a cloud
_MEASURED_WIDTH = 76
_HEAD = ("name", "measured", "median (lowest–highest)", "budget", "within")
_LINE = "{:<7} {:<76} {:<26} {:<10} {}"
_VERDICTS = {True: "yes", False: "NO", None: ""}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.perf", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small numbers: whether it runs, not what it tells")
    parser.add_argument("--only", action="append", choices=[*MEASUREMENTS], help="measure only this; may be repeated")
    parser.add_argument(
        "--storage", action="append", choices=STORAGES, help="measure only with this; may be repeated; unset: with each"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there as well")
    parser.add_argument("--curves", type=Path, metavar="FILE", help="draw latency and throughput there, as PNG")
    parser.add_argument("--growth", type=Path, metavar="FILE", help="draw what grows with the number of clients there, as PNG")
    parser.add_argument("--folder", type=Path, help="where data is written (default: the system's temporary folder)")
    parsed = parser.parse_args(arguments)
    machine = _machine()
    print(*(f"{name}: {text}" for name, text in machine.items()), "", sep="\n", flush=True)
    table = []
    for storage in parsed.storage or STORAGES:
        names = [one for one in parsed.only or MEASUREMENTS if storage == "gateway" or one not in _OF_A_GATEWAY]
        with _homes(storage, parsed.folder, shared=parsed.quick) as homes:
            for number, (name, home) in enumerate(zip(names, homes, strict=False)):
                if not number:
                    print(f"\n{home.title}", _LINE.format(*_HEAD), sep="\n", flush=True)
                began = time.monotonic()
                rows = [_judged(row, storage) for row in MEASUREMENTS[name](Run(parsed.quick, home.folder, home))]
                table += [{"storage": storage, **row.as_data()} for row in rows]
                for row in rows:
                    print(*_lines(row), sep="\n", flush=True)
                print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    if parsed.json:
        parsed.json.write_text(json.dumps({**machine, "rows": table}, indent=1, ensure_ascii=False) + "\n")
    for draw, picture in ((curves.draw, parsed.curves), (growth.draw, parsed.growth)):
        if picture:
            with _home(STORAGES[0], parsed.folder) as home:
                draw(Run(parsed.quick, home.folder, home), picture)


@contextlib.contextmanager
def _homes(storage: str, parent: Path | None, *, shared: bool) -> Iterator[Iterator[Home]]:
    """Places of a kind, each gone when the next is asked for; `shared`: the same one all the time."""

    def each() -> Generator[Home, None, None]:
        while True:
            with _home(storage, parent) as home:
                yield from itertools.repeat(home) if shared else [home]

    with contextlib.closing(each()) as homes:
        yield homes


@contextlib.contextmanager
def _home(storage: str, parent: Path | None) -> Iterator[Home]:
    """A place of a kind, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="edgeclients-perf-", dir=parent))
    folder.chmod(0o755)  # PostgreSQL's user has to get there
    try:
        if storage == "gateway":
            yield OnSqlite(folder)
            return
        with on_postgres(folder) as home:
            yield home
    finally:
        shutil.rmtree(folder)


def _judged(row: Row, storage: str) -> Row:
    """A row, with a budget only where that was meant."""
    return row if storage == "gateway" or row.name in _ANYWHERE else row._replace(budget="", within=None)


def _machine() -> dict[str, str]:
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in info if line.startswith("model name")), platform.machine())
    packages = ", ".join(f"{name} {version(name)}" for name in ("grpcio", "litestar", "uvicorn", "uvloop", "msgspec"))
    return {
        "machine": f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "versions": f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}",
        "load driver": load.DRIVER,
    }


def _lines(row: Row) -> Iterator[str]:
    first, *others = textwrap.wrap(row.measured, _MEASURED_WIDTH)
    yield _LINE.format(row.name, first, str(row.figure), row.budget, _VERDICTS[row.within]).rstrip()
    for line in others:
        yield _LINE.format("", "  " + line, "", "", "").rstrip()


if __name__ == "__main__":
    main()
