"""Whose token it is, by a store on a real file; and when its use is noted."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from edgeclients.core.authn.operator_tokens import OperatorTokens
from edgeclients.core.ids import OPERATOR_TOKEN_CHARACTERS
from edgeclients.core.operators import LocalOperators
from edgeclients.core.secrets.keyring import Keyring
from edgeclients.errors import Unavailable
from edgeclients.model import DomainStanding, Effects, OperatorToken
from edgeclients.store.limits import StoreLimits
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.store import SqliteStore
from tests.support.clocks import YEAR, SetClock
from tests.support.database import opened
from tests.support.stores import Held, MakeStore, Opened

OLD, NEW = bytes(32), bytes(range(32))
ID = "a" * 36  # the longest there is
MINUTE = 60 * 1_000_000
HOUR = 60 * MINUTE


def keyring(*peppers: bytes) -> Keyring:
    return Keyring(peppers or (OLD,), memory_kib=8, passes=1)


@pytest.fixture
def clock() -> SetClock:
    """The clock of every store of a test."""
    return SetClock()


@pytest.fixture
async def make_store(tmp_path: Path, clock: SetClock) -> AsyncIterator[MakeStore]:
    """Opens a store on an empty database."""
    async with AsyncExitStack() as stack:

        async def make(limits: StoreLimits | None = None) -> Opened:
            path = tmp_path / "clients.db"
            effects: list[Effects] = []
            store = SqliteStore(SqliteDatabase(path), limits or StoreLimits(), effects.append, clock)
            return Opened(await stack.enter_async_context(store), path, effects)

        yield make


@pytest.fixture
async def at(make_store: MakeStore) -> Opened:
    """A store with the usual limits."""
    return await make_store()


async def hired(store: SqliteStore, lifetime: int | None = None) -> str:
    """An operator with one token: that token."""
    await LocalOperators(store).add(ID, "Ann", {"d": DomainStanding.ADMIN})
    return (await LocalOperators(store).add_token(keyring(), ID, "laptop", lifetime)).clear


async def kept(store: SqliteStore) -> OperatorToken:
    """What is kept of it."""
    (token,) = await store.operator_tokens(ID)
    return token


async def held(store: SqliteStore, token: str, *peppers: bytes) -> str | None:
    """Whose it is, once everything about that is written down; asked by a service just started."""
    holders = OperatorTokens(store, keyring(*peppers))
    holder = await holders.holder(token)
    await holders.close()
    return holder


def was_used(at: Opened, ago: int) -> None:
    """The token's last use was `ago` microseconds ago."""
    with opened(at.path) as file:
        file.execute("UPDATE operator_tokens SET last_used_at = ?", (time.time_ns() // 1000 - ago,))


async def test_a_token_has_its_holder(at: Opened) -> None:
    token = await hired(at.store)
    assert len(token) == OPERATOR_TOKEN_CHARACTERS
    assert await held(at.store, token) == ID


async def test_what_is_no_token_has_none(at: Opened) -> None:
    token = await hired(at.store)
    before = at.store.writer.commits
    for wrong in (
        "",
        "mgo_",
        token[:-1],
        token[:-1] + ("0" if token[-1] != "0" else "1"),
        token + "0",
        token.upper(),
        token[4:],
        "mgp_" + token[4:],
        "Mgo_" + token[4:],
        " " + token,
        token + "\n",
        token.replace(ID, "b" + ID[1:]),
        "mgo_" + "x" * 1_000_000,
        "mgo_ä\N{FIRE}",
        "mgo_\0",
    ):
        assert await held(at.store, wrong) is None, wrong[:200]
    assert at.store.writer.commits == before


async def test_bytes_that_are_no_text_are_no_token(at: Opened) -> None:
    """They come from the header as surrogates."""
    token = await hired(at.store)
    for wrong in ("mgo_\udcff", "\udcff", token[:-1] + "\udc80"):
        assert await held(at.store, wrong) is None


async def test_what_is_removed_has_no_holder_from_then_on(at: Opened) -> None:
    token = await hired(at.store)
    holders = OperatorTokens(at.store, keyring())
    assert await holders.holder(token) == ID
    await holders.close()
    await LocalOperators(at.store).remove_token(ID, "laptop")
    assert await holders.holder(token) is None
    again = (await LocalOperators(at.store).add_token(keyring(), ID, "laptop")).clear
    assert (await holders.holder(again), await holders.standing(ID, "d")) == (ID, DomainStanding.ADMIN)
    await LocalOperators(at.store).remove(ID)
    assert (await holders.holder(again), await holders.standing(ID, "d")) == (None, None)
    await holders.close()


async def test_a_token_ends_by_the_clock(at: Opened, clock: SetClock) -> None:
    token = await hired(at.store, lifetime=36_000)
    expires_at = (await kept(at.store)).expires_at
    assert expires_at
    assert await held(at.store, token) == ID
    clock.show(expires_at - HOUR)
    assert await held(at.store, token) == ID
    clock.show(expires_at)
    before = await kept(at.store), at.store.writer.commits
    assert await held(at.store, token) is None
    assert (await kept(at.store), at.store.writer.commits) == before


async def test_a_token_ends_by_the_newest_change_where_the_clock_is_evidently_wrong(at: Opened, clock: SetClock) -> None:
    token = await hired(at.store, lifetime=36_000)
    clock.show(7)
    assert await held(at.store, token) == ID
    expires_at = (await kept(at.store)).expires_at
    assert expires_at
    clock.show(expires_at + HOUR)
    await LocalOperators(at.store).change(ID, "Anne", {})
    clock.show(7)
    assert await held(at.store, token) is None


async def test_a_clock_that_ran_ahead_once_locks_nobody_out(at: Opened, clock: SetClock) -> None:
    token = await hired(at.store, lifetime=36_000)
    clock.move(10 * YEAR)
    assert await held(at.store, token) is None
    await LocalOperators(at.store).change(ID, "Anne", {})
    clock.move(-10 * YEAR)
    assert await held(at.store, token) == ID


async def test_a_token_made_by_a_clock_that_ran_ahead_lives_its_time_from_its_first_use(at: Opened, clock: SetClock) -> None:
    clock.move(10 * YEAR)
    token = await hired(at.store, lifetime=36_000)
    clock.move(-10 * YEAR)
    assert await held(at.store, token) == ID
    clock.move(9 * HOUR)
    assert await held(at.store, token) == ID
    clock.move(2 * HOUR)
    assert await held(at.store, token) is None


async def test_a_use_is_noted_once(at: Opened) -> None:
    token = await hired(at.store)
    before = at.store.writer.commits
    holders = OperatorTokens(at.store, keyring())
    assert [await holders.holder(token) for _ in range(50)] == [ID] * 50
    await holders.close()
    assert at.store.writer.commits == before + 1
    used_at = (await kept(at.store)).last_used_at
    assert used_at
    assert at.store.now() - used_at < HOUR
    assert [await holders.holder(token) for _ in range(50)] == [ID] * 50
    assert await held(at.store, token) == ID
    assert at.store.writer.commits == before + 1
    assert (await kept(at.store)).last_used_at == used_at


@pytest.mark.parametrize(
    ("ago", "noted"),
    [(0, 0), (HOUR - MINUTE, 0), (HOUR + MINUTE, 1), (1000 * HOUR, 1), (-MINUTE, 1), (-1000 * HOUR, 1)],
)
async def test_a_use_is_noted_again_when_the_noted_one_is_old(at: Opened, ago: int, noted: int) -> None:
    """Or in the future: the clock was wrong, then or now."""
    token = await hired(at.store)
    was_used(at, ago)
    before = at.store.writer.commits
    assert await held(at.store, token) == ID
    assert at.store.writer.commits == before + noted
    used_at = (await kept(at.store)).last_used_at
    assert used_at
    assert noted == (abs(time.time_ns() // 1000 - used_at) < abs(ago) / 2)


async def test_a_token_moves_to_the_newest_pepper_when_used(at: Opened) -> None:
    token = await hired(at.store)
    assert await held(at.store, token, NEW) is None
    assert await held(at.store, token, NEW, OLD) == ID
    assert (await kept(at.store)).key_id == keyring(NEW).key_id
    assert await held(at.store, token, NEW) == ID
    assert await held(at.store, token, OLD) is None
    assert await held(at.store, token, NEW, OLD) == ID


async def test_a_token_moves_even_if_its_use_was_noted_just_now(at: Opened) -> None:
    token = await hired(at.store)
    assert await held(at.store, token) == ID
    before = at.store.writer.commits
    assert await held(at.store, token, NEW, OLD) == ID
    assert at.store.writer.commits == before + 1
    assert await held(at.store, token, NEW) == ID
    assert at.store.writer.commits == before + 1


async def test_a_token_moves_once_for_all_who_use_it_at_once(at: Opened) -> None:
    token = await hired(at.store)
    before = at.store.writer.commits
    holders = OperatorTokens(at.store, keyring(NEW, OLD))
    async with Held(at.store):
        assert await asyncio.gather(*(holders.holder(token) for _ in range(20))) == [ID] * 20
    await holders.close()
    assert at.store.writer.commits == before + 2, "that of the writer held still, and one more"
    assert (await kept(at.store)).key_id == keyring(NEW).key_id


async def test_a_token_that_moves_while_it_is_looked_for_is_found(at: Opened) -> None:
    """Another request's commit falls between the looks at the new digest and the old one."""
    token = await hired(at.store)
    (new, key_id), (old, _) = keyring(NEW).keep_token(token), keyring().keep_token(token)
    looks: list[str] = []

    def look(sql: str) -> None:
        looks.append(sql)
        if len(looks) == 2:
            with opened(at.path) as file:
                file.execute("UPDATE operator_tokens SET digest = ?, key_id = ? WHERE digest = ?", (new, key_id, old))

    at.store._reader._connection.set_trace_callback(look)
    assert await held(at.store, token, NEW, OLD) == ID


async def test_a_store_that_cannot_write_refuses_nobody(at: Opened, caplog: pytest.LogCaptureFixture) -> None:
    token = await hired(at.store)
    await at.store.writer.close()
    with pytest.raises(Unavailable):
        await LocalOperators(at.store).remove(ID)
    holders = OperatorTokens(at.store, keyring(NEW, OLD))
    for _ in range(5):
        assert await holders.holder(token) == ID
        await holders.close()
    told = [(record.levelno, record.name) for record in caplog.records]
    assert told == [(logging.WARNING, "edgeclients.core.authn.operator_tokens")]
    assert token not in caplog.text
    assert (await kept(at.store)).last_used_at is None


async def test_a_use_is_not_waited_for_nor_written_for_each_request_while_the_store_is_busy(
    make_store: MakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    at = await make_store(StoreLimits(waiting_writes=1))
    token = await hired(at.store)
    before = at.store.writer.commits
    holders = OperatorTokens(at.store, keyring())
    async with Held(at.store):
        assert [await holders.holder(token) for _ in range(50)] == [ID] * 50
        await holders.close()
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert [await holders.holder(token) for _ in range(50)] == [ID] * 50
    await holders.close()
    assert at.store.writer.commits == before + 1, "that of the writer held still"
    assert len(caplog.records) == 1
    assert await held(at.store, token) == ID
    assert (await kept(at.store)).last_used_at


async def test_closing_waits_for_what_is_being_noted(at: Opened) -> None:
    token = await hired(at.store)
    holders = OperatorTokens(at.store, keyring())
    async with Held(at.store):
        assert await holders.holder(token) == ID
        closing = asyncio.ensure_future(holders.close())
        await at.store.operators()  # a trip to another thread and back
        assert not closing.done()
        assert (await kept(at.store)).last_used_at is None
    await closing
    assert (await kept(at.store)).last_used_at
    await holders.close()
