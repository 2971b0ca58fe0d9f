"""A change while the outbox is full, as it is where no stream is configured, against one while it is empty."""

import asyncio
import statistics
import time

import uvloop

from edgeclients.core.events import STREAMS
from edgeclients.model import Event
from edgeclients.store.limits import OutboxBounds, StoreLimits
from tests.perf.fleet import SESSION, Registry, drafts
from tests.perf.homes import registry
from tests.perf.measure import Figure, Pair, Row, Run, pair

_CALLERS = 64
_PAYLOAD = b'{"operation":"client.update","id":"%s"}' % (b"x" * 500)


def outbox(run: Run) -> list[Row]:
    """Creates, one after the other and many at once."""
    return uvloop.run(_outbox(run))


async def _outbox(run: Run) -> list[Row]:
    rows, rounds, alone, bursts = run.pick(100_000, 4_000), run.pick(15, 2), run.pick(60, 6), run.pick(10, 2)
    limits = StoreLimits(OutboxBounds(rows, 1 << 30))
    one_by_one, at_once = [], []
    async with registry(run.home, "empty", limits) as empty, registry(run.home, "full", limits) as full:
        await _fill(run, full, rows)
        await run.home.rest("empty")  # planned alike
        for _ in range(rounds + 1):
            await _clear(empty)
            one_by_one.append(await _in_turns(empty, full, 1, alone))
            at_once.append(await _in_turns(empty, full, _CALLERS, bursts))
        waiting = (await full.store.outbox_state()).waiting
    apart, together = pair(one_by_one[1:]), pair(at_once[1:])
    return [
        _row(
            f"a create with {waiting:,} events waiting, the most there may be: {apart.ours.median * 1000:.2f} ms, with few "
            f"{apart.base.median * 1000:.2f} ms; {rounds} rounds of {alone}",
            apart,
        ),
        _row(
            f"…{_CALLERS} at once: {_CALLERS / together.ours.median:,.0f}/s, with few waiting "
            f"{_CALLERS / together.base.median:,.0f}/s; {rounds} rounds of {bursts}",
            together,
        ),
    ]


def _row(measured: str, found: Pair) -> Row:
    return Row("outbox", measured, Figure(found.ratio, 2, " ×"), "≤ 1.10 ×", found.ratio.median <= 1.1)


async def _fill(run: Run, ours: Registry, rows: int) -> None:
    """To the bound, and so that rows lie out of order: where the first half was there are newer ones."""
    await _tell(ours, rows)
    for _ in range(2):
        await _tell(ours, rows // 2)
        await run.home.rest("full")


async def _tell(ours: Registry, rows: int, batch: int = 5_000) -> None:
    for start in range(0, rows, batch):
        events = [Event(STREAMS[0], "c", _PAYLOAD, number) for number in range(start, min(start + batch, rows))]
        await ours.store.run(lambda tx, events=events: tx.append(events))  # type: ignore[misc]


async def _clear(ours: Registry) -> None:
    """As if all had been sent."""
    waiting = [number for number, _ in await ours.store.outbox(0, 1_000_000)]
    await ours.store.run(lambda tx: tx.remove_sent(waiting))


async def _in_turns(empty: Registry, full: Registry, callers: int, times: int) -> tuple[float, float]:
    """The median seconds it takes either when so many callers create one client each."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(times):
        for which in (0, 1) if number % 2 else (1, 0):  # neither always follows the other
            taken[which].append(await _seconds((empty, full)[which], callers))
    return statistics.median(taken[0]), statistics.median(taken[1])


async def _seconds(ours: Registry, callers: int) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(ours.clients.create(SESSION, [draft]) for draft in drafts(range(callers))))
    return time.perf_counter() - began
