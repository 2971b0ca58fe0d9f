"""What a domain's growth changes: lists, a view, a creation, from 1,000 clients to 1,000,000; as a table, and drawn as PNG."""

import itertools
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import uvloop

from edgeclients.model import LAST_SEEN, ClientFilter, TagFilter
from tests.perf.fleet import BULK, DOMAIN, SESSION, Registry, drafts
from tests.perf.homes import registry
from tests.perf.measure import Figure, Row, Run, Spread, chunks

if TYPE_CHECKING:
    from edgeclients.store.sqlite.store import SqliteStore

_MOST = 1.2  # times that of 1,000
_FIRST = "the first page"
_TAG = TagFilter(("floor-3",), match_all=True)
_LISTS = {
    _FIRST: ClientFilter(limit=100),
    "a page by a tag (1 in 10)": ClientFilter(limit=100, tags=_TAG),
    "a page by a tag and a metadata value (1 in 1,000)": ClientFilter(
        limit=100, tags=_TAG, metadata={"site": {"room": "room-7"}}
    ),
    "a page by a part of the name": ClientFilter(limit=100, name="R 0000"),
    "a page by last seen": ClientFilter(limit=100, order=LAST_SEEN),
}

Curves: TypeAlias = Mapping[str, Mapping[int, Spread]]
"""Milliseconds, by what is done and how many clients there are."""


def growth(run: Run) -> list[Row]:
    """The curves as a table; the first page of a domain must not depend on its size."""
    rows = []
    for what, by_size in uvloop.run(_measure(run)).items():
        for size, spread in by_size.items():
            rows.append(Row("growth", f"{what}, {size:,} clients", Figure(spread, 2, " ms")))
        if what == _FIRST:
            first, *_, last = by_size.values()
            ratio = last.median / first.median
            figure = Figure(Spread(ratio, ratio, ratio), 2, " ×")
            rows.append(Row("growth", f"…largest ÷ smallest, {what}", figure, f"≤ {_MOST} ×", ratio <= _MOST))
    return rows


def draw(run: Run, picture: Path) -> None:
    """Measure and draw."""
    curves = uvloop.run(_measure(run))
    os.environ.setdefault("MPLBACKEND", "Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for what, by_size in curves.items():
        axes.plot([*by_size], [spread.median for spread in by_size.values()], marker="o", label=what)
    axes.set(title="Growth of a domain", xlabel="clients in the domain", ylabel="ms", xscale="log", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture, dpi=120)


async def _measure(run: Run) -> Curves:
    sizes = [200, 400] if run.quick else [1_000, 10_000, 100_000, 1_000_000]
    rounds, numbers = run.pick(9, 1), itertools.count(10_000_000)
    curves: dict[str, dict[int, Spread]] = {}
    async with registry(run.home, "growth") as ours:
        for smaller, size in itertools.pairwise([0, *sizes]):
            for some in chunks(size - smaller, BULK):
                created = await ours.clients.create(SESSION, drafts(smaller + number for number in some))
                for one in created:
                    ours.store.note_seen(one.client.id)
            await cast("SqliteStore", ours.store).activity.flush()
            for what, work in _works(ours, created[0].client.id, numbers).items():
                curves.setdefault(what, {})[size] = await _time(work, rounds)
    return curves


def _works(ours: Registry, client_id: str, numbers: "itertools.count[int]") -> dict[str, Callable[[], Awaitable[object]]]:
    works: dict[str, Callable[[], Awaitable[object]]] = {
        what: partial(ours.store.page, DOMAIN, wanted) for what, wanted in _LISTS.items()
    }
    works["a client by its id"] = lambda: ours.store.client(client_id)
    works["a client created alone"] = lambda: ours.clients.create(SESSION, drafts([next(numbers)]))
    return works


async def _time(work: Callable[[], Awaitable[object]], rounds: int) -> Spread:
    taken = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - began) * 1000)
    return Spread.of(taken[1:])
