"""Memory of connections that are open and do nothing."""

import contextlib
import time

from tests.perf import contenders, prepared, wire
from tests.perf.contenders import GRPCIO, LANE, Tls
from tests.perf.measure import Figure, Row, Run, Spread, resident_mib
from tests.perf.wire import Order

_GOAL_KIB = 10


def idle(run: Run, tls: Tls) -> list[Row]:
    """What each of 200 connections adds to a process, once a call was made on it."""
    rounds, count = run.pick(3, 1), run.pick(200, 20)
    rows = []
    for server, files in ((LANE, None), (LANE, tls), (GRPCIO, None), (GRPCIO, tls)):
        found = Spread.of(_kib_each(run, server, count, files) for _ in range(rounds))
        what = f"memory of each of {count} idle connections{', TLS' if files else ''}: {server}; {rounds} processes"
        has_goal = server == LANE and files is None
        verdict = (f"≤ {_GOAL_KIB} KiB", found.median <= _GOAL_KIB) if has_goal else ("", None)
        rows.append(Row("lane", what, Figure(found, 1, " KiB"), *verdict))
    return rows


def _kib_each(run: Run, server: str, count: int, tls: Tls | None) -> float:
    with contenders.ours(run.home, server, tls) as one, contextlib.ExitStack() as stack:
        order = Order(one.port, one.questions, count, count, varies=prepared.TIMEOUT, authority=tls.authority if tls else "")
        wire.ask(order._replace(calls=run.pick(2_000, 100), connections=4))
        time.sleep(run.pick(2, 0))  # what is imported after the start
        before = resident_mib(one.pid)
        links = wire.connected(order)
        for link in links:
            stack.callback(link.socket.close)
        wire.keep_under_way(links, 1)
        return (resident_mib(one.pid) - before) * 1024 / count
