"""Authenticate on our own gRPC server, against gRPC's libraries: what a call costs, and how long it takes."""

import math
from collections.abc import Iterator

from tests.perf import beside, contenders, idle, prepared
from tests.perf.contenders import BARE, CPP, GRPCIO, LANE, Contender, Tls
from tests.perf.fleet import BULK, DOMAIN, create
from tests.perf.homes import serving
from tests.perf.measure import Figure, Row, Run, Spread, cpu_seconds, pair
from tests.perf.wire import Order, Seen, ask
from tests.support.api import Api

_SHAPES = ((4, 32), (4, 1), (1, 1))
"""Connections, and calls under way on each."""
_TLS_SHAPES = ((4, 32), (1, 1))
_VARIETY = (prepared.TIMEOUT, prepared.TRACE, prepared.CONSTANT)
_COUNTS = {LANE: 12_000, GRPCIO: 3_000, BARE: 3_000, CPP: 12_000}
_QUICK = 256
_GOALS = {(4, 32): 8.0, (1, 1): 2.8}
"""Calls per CPU-second where grpc-timeout varies, as multiples of a bare handler's."""
_RATES = (1_000, 4_000)
_SECONDS = 2
_COLD_GOAL = 4.0


def lane(run: Run) -> list[Row]:
    """All that is promised of it."""
    program, reason = contenders.program_in(run.folder)
    rows = [] if program else [Row("lane", f"no C++ server: {reason}", Figure(Spread(0, 0, 0), 0))]
    with contenders.all_of(run.home, program) as found:
        for varies in _VARIETY[: run.pick(3, 1)]:
            for shape in _SHAPES[: run.pick(3, 1)]:
                rows += _costs(run, found, shape, varies)
        for rate in _RATES[: run.pick(2, 1)]:
            rows += _times(run, found, rate)
    tls = contenders.tls_in(run.folder)
    with contenders.all_of(run.home, program, tls) as found:
        for shape in _TLS_SHAPES[: run.pick(2, 1)]:
            rows += _costs(run, found, shape, prepared.TIMEOUT, tls)
        for rate in _RATES[: run.pick(2, 1)]:
            rows += _times(run, found, rate, tls)
    return [*rows, *_cold(run), *idle.idle(run, tls), *beside.beside(run)]


def _costs(run: Run, found: list[Contender], shape: tuple[int, int], varies: str, tls: Tls | None = None) -> list[Row]:
    """Calls per CPU-second of each, in turns; the first round is a rehearsal."""
    rounds = run.pick(3, 1)
    connections, at_a_time = shape
    seen: dict[str, list[Seen]] = {one.name: [] for one in found}
    counts = {one.name: run.pick(_COUNTS[one.name], _QUICK) for one in found}
    for _ in range(rounds + 1):
        for one in found:
            order = Order(one.port, one.questions, counts[one.name], connections, at_a_time, varies=varies)
            seen[one.name].append(ask(_over(order, tls), lambda pid=one.pid: cpu_seconds(pid)))  # type: ignore[misc]
    per = {name: [counts[name] / one.cpu_seconds for one in some[1:]] for name, some in seen.items()}
    speed = {name: Spread.of(counts[name] / one.seconds for one in some[1:]).median for name, some in seen.items()}
    what = f"{connections} × {at_a_time}, {_varies(varies)}{', TLS' if tls else ''}"
    ratio = pair(list(zip(per[BARE], per[LANE], strict=True))).ratio
    goal = _GOALS.get(shape) if varies == prepared.TIMEOUT and tls is None else None
    verdict = (f"≥ {goal} ×", ratio.median >= goal) if goal else ("", None)
    return [
        *(
            Row("lane", f"{what}: {name}, calls per CPU-second; {speed[name]:,.0f} a second", Figure(Spread.of(some), 0))
            for name, some in per.items()
        ),
        Row("lane", f"…{LANE} against {BARE}; {rounds} rounds", Figure(ratio, 2, " ×"), *verdict),
    ]


def _times(run: Run, found: list[Contender], rate: int, tls: Tls | None = None) -> list[Row]:
    """How long calls take at a rate, from when each was meant to begin."""
    rounds, count = run.pick(3, 1), run.pick(rate * _SECONDS, _QUICK)
    taken: dict[str, list[list[float]]] = {one.name: [] for one in found}
    for _ in range(rounds + 1):
        for one in found:
            order = Order(one.port, one.questions, count, 4, rate=rate, varies=prepared.TIMEOUT)
            taken[one.name].append(ask(_over(order, tls)).each_ms)
    what = f"{rate:,} a second offered on 4{', TLS' if tls else ''}"
    return [row for name, some in taken.items() for row in _percentiles(f"{what}: {name}", some[1:])]


def _percentiles(what: str, taken: list[list[float]]) -> Iterator[Row]:
    failed = sum(math.isinf(took) for one in taken for took in one)
    for part in (50, 99):
        more = f"; {failed:,} of {sum(map(len, taken)):,} calls failed" if failed else ""
        yield Row("lane", f"{what}, {part}th percentile{more}", Figure(beside.percentile(taken, part), 2, " ms"))


def _cold(run: Run) -> list[Row]:
    """Every client once after a restart, on either server in turns."""
    count, rounds = run.pick(BULK, 200), run.pick(3, 1)
    with serving(run.home, "once") as service, Api(service, DOMAIN) as api:
        questions = contenders.asked_of(create(api, range(count)))
        others = contenders.asked_of(create(api, range(32)))
    measured = [(_once(run, GRPCIO, questions, others), _once(run, LANE, questions, others)) for _ in range(rounds)]
    found = pair(measured)
    what = f"{count:,} clients once each after a restart, 4 × 32, {_varies(prepared.TIMEOUT)}"
    return [
        Row("lane", f"{what}: {LANE}, calls per CPU-second", Figure(found.ours, 0)),
        Row("lane", f"{what}: {GRPCIO}, calls per CPU-second", Figure(found.base, 0)),
        Row(
            "lane",
            f"…{LANE} against {GRPCIO}; {rounds} restarts of each",
            Figure(found.ratio, 2, " ×"),
            f"≥ {_COLD_GOAL} ×",
            found.ratio.median >= _COLD_GOAL,
        ),
    ]


def _once(run: Run, server: str, questions: list[tuple[str, str]], others: list[tuple[str, str]]) -> float:
    with serving(run.home, "once", contenders.on(server)) as service:
        port = contenders.port(service)
        ask(Order(port, others, 4 * len(others), 4, 8))  # what is imported or made once
        order = Order(port, questions, len(questions), 4, 32, varies=prepared.TIMEOUT)
        return len(questions) / ask(order, lambda: cpu_seconds(service.process.pid)).cpu_seconds


def _over(order: Order, tls: Tls | None) -> Order:
    return order if tls is None else order._replace(authority=tls.authority)


def _varies(varies: str) -> str:
    return "constant headers" if varies == prepared.CONSTANT else f"{varies} varies"
