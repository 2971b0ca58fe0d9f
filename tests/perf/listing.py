"""Lists at the store, in a domain of 100,000."""

import time

import uvloop

from edgeclients.model import Action, ClientFilter, NewRole, TagFilter, Viewer
from edgeclients.ports import Transaction
from tests.perf.fleet import BULK, DOMAIN, ROOMS, SESSION, TAGS, Registry, drafts
from tests.perf.homes import registry
from tests.perf.measure import Figure, Row, Run, Spread, chunks

_TAG = TagFilter(("floor-3",), match_all=True)
_TAGS = TagFilter(("floor-3", "line-3"), match_all=True)
_ANY = TagFilter(tuple(f"floor-{number}" for number in range(7)), match_all=False)
_ROOM = {"site": {"room": "room-7"}}
_MEMBER = "member"
_MODEL = {"model": "model-2"}


def page(run: Run) -> list[Row]:
    """A page by tag and metadata, and others without a budget."""
    return uvloop.run(_page(run))


async def _page(run: Run) -> list[Row]:
    count, rounds, roles = run.pick(100_000, 3_000), run.pick(9, 1), run.pick(1_000, 50)
    async with registry(run.home, "list") as ours:
        created = [await ours.clients.create(SESSION, drafts(numbers)) for numbers in chunks(count, BULK)]
        ids = [one.client.id for some in created for one in some]
        await ours.store.run(lambda tx: _give_roles(tx, ids[:: count // roles]))
        await run.home.rest("list")
        both = await _time(ours, ClientFilter(tags=_TAG, metadata=_ROOM), rounds)
        others = {
            "the first page, no filter": ClientFilter(),
            "the same, 100 a page": ClientFilter(limit=100),
            f"offset {count // 2:,}": ClientFilter(offset=count // 2),
            "part of the name (all match)": ClientFilter(name="Sensor"),
            "part of the name (ten match)": ClientFilter(name="R 00123"),
            f"tag (1 in {TAGS})": ClientFilter(tags=_TAG),
            f"metadata (1 in {ROOMS})": ClientFilter(metadata=_ROOM),
            f"tag (1 in {TAGS}) and metadata (1 in 5)": ClientFilter(tags=_TAG, metadata=_MODEL),
            f"two tags (1 in {7 * TAGS}), 100 a page": ClientFilter(tags=_TAGS, limit=100),
            "one of seven tags, and metadata (14 % together), 100 a page": ClientFilter(tags=_ANY, metadata=_MODEL, limit=100),
        }
        lines = [(name, await _time(ours, wanted, rounds)) for name, wanted in others.items()]
        lines += [
            (f"as {whose} sees it", await _time(ours, ClientFilter(), rounds, viewer))
            for whose, viewer in (
                (f"a member with {roles:,} roles", Viewer(_MEMBER, everything=False)),
                ("a member with a role on every client", Viewer(SESSION.user_id, everything=False)),
                ("a domain administrator", Viewer(_MEMBER, everything=True)),
            )
        ]
    return [
        Row(
            "list",
            f"a page of 10, with total, of clients with a tag (1 in {TAGS}) and a metadata value (1 in {ROOMS}), domain of "
            f"{count:,}; {rounds} times",
            Figure(both, 2, " ms"),
            "≤ 5 ms",
            both.median <= 5,
        ),
        *(Row("list", f"…{name}", Figure(spread, 2, " ms")) for name, spread in lines),
    ]


async def _give_roles(tx: Transaction, client_ids: list[str]) -> None:
    for number, client_id in enumerate(client_ids):
        await tx.add_role(NewRole(f"client_{number}", client_id, "reader", Action.READ, number, _MEMBER, (_MEMBER,)))


async def _time(ours: Registry, wanted: ClientFilter, rounds: int, viewer: Viewer | None = None) -> Spread:
    """Milliseconds a page takes."""
    taken = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        found = await ours.store.page(DOMAIN, wanted, viewer)
        taken.append((time.perf_counter() - started) * 1000)
        if not found.items:
            raise RuntimeError("nothing found")
    return Spread.of(taken[1:])
