"""Access that was taken away is dead when that is answered, in every form of the token, whatever was under way.

See edgeclients/DECISIONS.md#revisions.
"""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from edgeclients.model import Effects
from tests.support.database import opened
from tests.support.lanes import HeldThreads, settle
from tests.support.proving import SESSION, Known, Proving, proving

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")

RACES = 10_000
TOGETHER = 25  # races, which share commits
AT_ONCE = 8  # authentications of the client under way while it is changed
CHOSEN = "correct horse"
_GIVE_WAY = 0.00001  # seconds; a loop that only turns may never let the writer's thread have the interpreter

Change = Callable[[Proving, Known], Awaitable[object]]


async def _disable(at: Proving, known: Known) -> None:
    await at.clients.disable(SESSION, known.client.id)


async def _delete(at: Proving, known: Known) -> None:
    await at.clients.remove(SESSION, known.client.id)


async def _rotate(at: Proving, known: Known) -> None:
    await at.rotate(known)


async def _end_retirement(at: Proving, known: Known) -> None:
    """It lives on for an hour, and then it does not."""
    await at.rotate(known, grace=3600)
    await at.rotate(known)


CHANGES: dict[str, Change] = {"disable": _disable, "delete": _delete, "rotate": _rotate, "end a retirement": _end_retirement}


@pytest.fixture(autouse=True)
def _turns() -> Iterator[None]:
    """As the service has it: the writer's thread need not wait long for its turn."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Proving]:
    async with proving(tmp_path / "clients.db") as made:
        yield made


async def _race(at: Proving, known: Known, change: Change, draw: random.Random) -> None:
    """Authenticate in both forms while the change is made; when it is answered, and ever after, nobody gets in."""
    tokens = known.tokens()
    if draw.random() < 0.5:
        assert await at.is_let_in(draw.choice(tokens))  # from the cache, then
    changing = asyncio.ensure_future(change(at, known))
    steps = draw.randrange(4)

    async def late(token: bytes) -> bool:
        for _ in range(steps):
            await asyncio.sleep(0)
        return await at.is_let_in(token)

    under_way = [asyncio.ensure_future(late(draw.choice(tokens))) for _ in range(draw.randrange(AT_ONCE))]
    while not changing.done():
        await at.is_let_in(draw.choice(tokens))
        time.sleep(_GIVE_WAY)
        await asyncio.sleep(0)
    await changing
    for token in tokens:
        assert not await at.is_let_in(token), known
    await asyncio.gather(*under_way)
    for token in tokens:
        assert not await at.is_let_in(token), known


async def test_ten_thousand_races_let_nobody_in(at: Proving) -> None:
    draw = random.Random(1)
    changes = list(CHANGES.values())

    async def races(first: int) -> None:
        for number in range(first, RACES, TOGETHER):
            await _race(at, await at.create(), changes[number % len(changes)], draw)

    await asyncio.gather(*map(races, range(TOGETHER)))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_an_enabled_client_with_a_chosen_secret_is_no_exception(at: Proving, change: Change) -> None:
    draw = random.Random(2)
    for number in range(15):
        await _race(at, await at.create(f"{CHOSEN} {number}"), change, draw)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("form", [0, 1], ids=["Basic", "Domain"])
async def test_a_change_while_argon2_runs_counts(tmp_path: Path, change: Change, form: int) -> None:
    threads = HeldThreads()
    async with proving(tmp_path / "clients.db", threads) as at:
        known = await at.create(CHOSEN)
        asking = [asyncio.ensure_future(at.is_let_in(known.tokens()[form])) for _ in range(3)]
        await settle()
        assert threads.ran == [CHOSEN]  # once for all of them
        await change(at, known)
        await threads.let()
        assert await asyncio.gather(*asking) == [False, False, False]


async def test_a_change_between_the_check_and_the_answer_counts(tmp_path: Path) -> None:
    """The check has found the secret right; whoever waits for it has not been told yet."""
    threads = HeldThreads()
    path = tmp_path / "clients.db"
    async with proving(path, threads) as at:
        known = await at.create(CHOSEN)
        asking = asyncio.ensure_future(at.is_let_in(known.tokens()[0]))
        await settle()
        (flight,) = at.authentication._chosen._flights.values()

        def commit(_: object) -> None:
            with opened(path) as file:
                file.execute("UPDATE client_rows SET status = 1")
                ((revision,),) = file.execute("UPDATE store_state SET revision = revision + 1 RETURNING revision").fetchall()
            at.cache.apply(Effects(revoked=((known.client.id, revision),)))

        flight.task.add_done_callback(commit)
        await threads.let()
        assert not await asking
        assert flight.task.result() is not None


async def test_a_retired_secret_ends_by_the_clock_whatever_is_cached(at: Proving) -> None:
    for secret in ("", CHOSEN):
        known = await at.create(secret)
        await at.rotate(known, grace=3600)
        for token in known.tokens():
            assert await at.is_let_in(token)
        at.clock.move(3_600_000_001)
        for token in known.tokens():
            assert not await at.is_let_in(token)


async def test_who_is_let_in_again_is_let_in_at_once(at: Proving) -> None:
    """No denial is remembered beyond the change that ends its reason."""
    for secret in ("", CHOSEN):
        known = await at.create(secret)
        for _ in range(20):
            await at.clients.disable(SESSION, known.client.id)
            for token in known.tokens():
                assert not await at.is_let_in(token)
            await at.clients.enable(SESSION, known.client.id)
            for token in known.tokens():
                assert await at.is_let_in(token)
