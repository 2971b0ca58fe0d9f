"""Chosen secrets: argon2 once for all who ask the same, not for those who have gone, and remembered.

See edgeclients/DECISIONS.md#argon2.
"""

import asyncio
from pathlib import Path

import pytest

from edgeclients.core.authn.authentication import Authentication
from edgeclients.core.authn.queue import FAILURES
from edgeclients.core.secrets.keyring import Keyring
from edgeclients.errors import CheckRationed, CredentialsDenied, Unavailable
from tests.support.api import basic, of_domain
from tests.support.lanes import HeldThreads, settle
from tests.support.proving import DOMAIN, Proving, proving
from tests.support.waiting import PATIENCE

CHOSEN = "correct horse"
WRONG = "wrong horse"
STRONGER = Keyring([bytes(32)], memory_kib=8, passes=2)  # where more is asked of new hashes than of those that are there


@pytest.fixture
def threads() -> HeldThreads:
    return HeldThreads()


def _ask(at: Proving, token: bytes) -> "asyncio.Task[str]":
    return asyncio.ensure_future(at.authentication.authenticate(token))


async def test_those_who_present_the_same_token_share_one_check(tmp_path: Path, threads: HeldThreads) -> None:
    async with proving(tmp_path / "clients.db", threads) as at:
        known = await at.create(CHOSEN)
        asking = [_ask(at, known.tokens()[0]) for _ in range(50)]
        await settle()
        await threads.let()
        assert {await one for one in asking} == {known.client.id}
        assert threads.ran == [CHOSEN]
        assert await _ask(at, known.tokens()[0]) == known.client.id  # from the cache
        assert threads.ran == [CHOSEN]


async def test_a_wrong_token_is_checked_once_and_remembered(tmp_path: Path, threads: HeldThreads) -> None:
    async with proving(tmp_path / "clients.db", threads) as at:
        known = await at.create(CHOSEN)
        token = basic(known.client.id, WRONG).encode()
        asking = [_ask(at, token) for _ in range(5)]
        await settle()
        await threads.let()
        for one in asking:
            with pytest.raises(CredentialsDenied):
                await one
        for _ in range(5):
            assert not await at.is_let_in(token)
        assert threads.ran == [WRONG]
        assert at.authentication.counts.denied == {"malformed": 0, "unmatched": 5, "remembered": 5}


async def test_a_token_nobody_waits_for_any_more_is_not_checked(tmp_path: Path, threads: HeldThreads) -> None:
    """A caller's deadline cancels its call."""
    async with proving(tmp_path / "clients.db", threads) as at:
        known = await at.create(CHOSEN)
        running = _ask(at, basic(known.client.id, WRONG).encode())
        await settle()
        waiting = [_ask(at, known.tokens()[0]) for _ in range(2)]
        await settle()
        assert at.lane.waiting == 1
        waiting[0].cancel()
        await settle()
        assert at.lane.waiting == 1  # one still waits
        waiting[1].cancel()
        await settle()
        assert at.lane.waiting == 0
        await threads.let()
        assert threads.ran == [WRONG]
        with pytest.raises(CredentialsDenied):
            await running
        again = _ask(at, known.tokens()[0])
        await settle()
        await threads.let()
        assert await again == known.client.id


async def test_a_check_that_has_begun_is_finished_for_the_next_time(tmp_path: Path, threads: HeldThreads) -> None:
    """Or a slow machine would never be done with a caller whose patience is shorter than one hash."""
    async with proving(tmp_path / "clients.db", threads) as at:
        known = await at.create(CHOSEN)
        gone = _ask(at, known.tokens()[0])
        await settle()
        gone.cancel()
        await settle()
        joined = _ask(at, known.tokens()[0])
        await settle()
        await threads.let()
        assert await joined == known.client.id
        assert await _ask(at, known.tokens()[0]) == known.client.id
        assert threads.ran == [CHOSEN]


async def test_a_newcomer_is_not_dropped_with_those_who_left(tmp_path: Path, threads: HeldThreads) -> None:
    """In the very moment in which the last of them goes."""
    async with proving(tmp_path / "clients.db", threads) as at:
        known = await at.create(CHOSEN)
        running = _ask(at, basic(known.client.id, WRONG).encode())
        await settle()
        leaving = _ask(at, known.tokens()[0])
        await settle()
        leaving.cancel()
        await asyncio.sleep(0)
        coming = _ask(at, known.tokens()[0])
        await settle()
        await threads.let(2)
        assert await coming == known.client.id
        await asyncio.wait([running, leaving])


async def test_past_the_bound_each_is_told_with_an_error_of_its_own(tmp_path: Path, threads: HeldThreads) -> None:
    async with proving(tmp_path / "clients.db", threads, waiting=1) as at:
        known = await at.create(CHOSEN)
        for secret in ("a", "b"):
            _ask(at, basic(known.client.id, secret).encode()).add_done_callback(lambda task: task.exception())
        await settle()
        refused = [_ask(at, basic(known.client.id, secret).encode()) for secret in ("c", "c", "d")]
        errors = await asyncio.gather(*refused, return_exceptions=True)
        assert [type(error) for error in errors] == [CheckRationed] * 3
        assert len({id(error) for error in errors}) == 3
        assert at.authentication.counts.put_off == 3
        await threads.let(2)


async def test_generated_secrets_never_touch_argon2(tmp_path: Path, threads: HeldThreads) -> None:
    async with proving(tmp_path / "clients.db", threads, waiting=1) as at:
        chosen = await at.create(CHOSEN)
        stuck = [_ask(at, basic(chosen.client.id, secret).encode()) for secret in ("a", "b")]
        await settle()
        for _ in range(200):
            known = await at.create()
            for token in known.tokens():
                assert await at.authentication.authenticate(token) == known.client.id
        wrong = (await at.create()).secret
        for _ in range(1000):
            assert not await at.is_let_in(basic(chosen.client.id, wrong).encode())
        await threads.let(2)
        await asyncio.wait(stuck)
        assert len(threads.ran) == 2


async def test_a_domain_without_chosen_secrets_costs_no_argon2(tmp_path: Path, threads: HeldThreads) -> None:
    async with proving(tmp_path / "clients.db", threads) as at:
        known = await at.create()
        for token in (of_domain(DOMAIN, WRONG), basic(known.client.id, WRONG), basic("nobody", WRONG), of_domain("d2", WRONG)):
            assert not await at.is_let_in(token.encode())
        assert threads.ran == []


async def test_closing_ends_what_waits(tmp_path: Path, threads: HeldThreads) -> None:
    async with proving(tmp_path / "clients.db", threads) as at:
        known = await at.create(CHOSEN)
        asking = [_ask(at, basic(known.client.id, secret).encode()) for secret in "ab"]
        await settle()
        closing = asyncio.ensure_future(at.authentication.close())
        await settle()
        await threads.let()
        await closing
        assert isinstance(at.authentication, Authentication)
        await asyncio.wait(asking)
        assert len(threads.ran) == 1


async def test_right_secrets_under_several_schemes_are_never_rationed(tmp_path: Path) -> None:
    """That the first scheme tried is not the secret's own is nobody's failure."""
    path = tmp_path / "clients.db"
    async with proving(path) as at:
        fleet = [await at.create(f"{CHOSEN} {number}") for number in range(40)]
    async with proving(path, keyring=STRONGER) as at:
        fleet += [await at.create(f"{CHOSEN} {number}") for number in range(40, 80)]
        asking = (at.authentication.authenticate(of_domain(DOMAIN, known.secret).encode()) for known in fleet)
        told = await asyncio.gather(*asking, return_exceptions=True)
        assert told == [known.client.id for known in fleet]


async def test_a_wrong_token_counts_once_under_several_schemes(tmp_path: Path) -> None:
    path = tmp_path / "clients.db"
    async with proving(path) as at:
        known = await at.create(CHOSEN)
    threads = HeldThreads()
    async with proving(path, threads, keyring=STRONGER) as at:
        await at.rotate(known, f"{CHOSEN}, new", grace=3600)
        asking = [_ask(at, basic(known.client.id, f"{WRONG} {number}").encode()) for number in range(30)]
        await settle()
        while threads.running:
            await threads.let()
        denied = [one for one in asking if one.done() and isinstance(one.exception(), CredentialsDenied)]
        assert len(denied) == FAILURES
        assert len(threads.ran) == 2 * FAILURES
        for one in asking:
            one.cancel()
        await asyncio.wait(asking)


async def test_closing_does_not_wait_for_what_would_be_checked_next(tmp_path: Path) -> None:
    """A token with one more scheme to try, of a client whose failures are spaced out."""
    path = tmp_path / "clients.db"
    async with proving(path) as at:
        known = await at.create(CHOSEN)
    threads = HeldThreads()
    async with proving(path, threads, keyring=STRONGER) as at:
        await at.rotate(known, f"{CHOSEN}, new", grace=3600)
        for _ in range(FAILURES):
            at.lane._failures.take(f"client {known.client.id}")
        asking = _ask(at, basic(known.client.id, WRONG).encode())
        async with asyncio.timeout(PATIENCE):
            while not threads.running:
                await asyncio.sleep(0.01)
        closing = asyncio.ensure_future(at.authentication.close())
        await settle()
        await threads.let()
        async with asyncio.timeout(PATIENCE):
            await closing
        with pytest.raises(Unavailable):
            await asking
