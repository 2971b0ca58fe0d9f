"""What every measurement shares: how much work a run does, what a process costs, and a row of the table."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tests.perf.homes import Home

_SCHEDULED = 2  # of a process's clocks in the kernel: the time that the scheduler gave it


class Run(NamedTuple):
    """One run: how thorough, a folder of its own on the file system that is measured, and where clients are kept."""

    quick: bool
    folder: Path
    home: "Home"

    def pick(self, full: int, quick: int) -> int:
        """A count, as large as this run has time for."""
        return quick if self.quick else full


class Spread(NamedTuple):
    """The median of several values, between the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """The spread of `values`, at least one."""
        ordered = sorted(values)
        return cls(statistics.median(ordered), ordered[0], ordered[-1])

    def text(self, digits: int, unit: str = "") -> str:
        """The spread for the table."""
        low, median, high = (f"{value:,.{digits}f}" for value in (self.low, self.median, self.high))
        return f"{median}{unit} ({low}–{high})"


class Figure(NamedTuple):
    """A spread, and how it is written."""

    spread: Spread
    digits: int
    unit: str = ""

    def __str__(self) -> str:
        return self.spread.text(self.digits, self.unit)


class Row(NamedTuple):
    """One line of the table; `within` is None where there is no budget."""

    name: str
    measured: str
    figure: Figure
    budget: str = ""
    within: bool | None = None

    def as_data(self) -> dict[str, Any]:
        """The row for a file."""
        spread = self.figure.spread._asdict()
        unit = self.figure.unit.strip()
        return {**self._asdict(), "figure": {**spread, "unit": unit}}


class Pair(NamedTuple):
    """A baseline and ours, measured in turns."""

    base: Spread
    ours: Spread
    ratio: Spread  # ours ÷ base, of each round


def in_turns(rounds: int, base: Callable[[], float], ours: Callable[[], float]) -> Pair:
    """Measure `base` and `ours` alternately; the first of either is a rehearsal."""
    base(), ours()
    measured = [(base(), ours()) for _ in range(rounds)]
    return pair(measured)


def pair(measured: list[tuple[float, float]]) -> Pair:
    """What rounds of (baseline, ours) say."""
    return Pair(
        Spread.of(base for base, _ in measured),
        Spread.of(ours for _, ours in measured),
        Spread.of(ours / base for base, ours in measured),
    )


def cpu_seconds(pid: int) -> float:
    """User and system time a process has used so far, all threads together."""
    return time.clock_gettime(~pid << 3 | _SCHEDULED)  # as clock_getcpuclockid(3) makes it; /proc tells hundredths


def per_cpu_second(pid: int, count: int, work: Callable[[], object]) -> float:
    """How many of `count` things the process `pid` does in a second of CPU time while `work` asks for them."""
    before = cpu_seconds(pid)
    work()
    return count / (cpu_seconds(pid) - before)


def resident_mib(pid: int) -> float:
    """Memory of a process that is in RAM (VmRSS)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no memory")


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def chunks(count: int, size: int) -> Iterator[range]:
    """`range(count)` in pieces of `size`."""
    for start in range(0, count, size):
        yield range(start, min(start + size, count))
