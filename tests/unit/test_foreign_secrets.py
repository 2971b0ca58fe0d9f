"""Clients with a hash from elsewhere: whom they let in, what that costs, and how they become ours."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from edgeclients.core.secrets.foreign import is_foreign
from edgeclients.core.secrets.keyring import Keyring, is_generated_form
from edgeclients.errors import CheckRationed
from edgeclients.model import StoredSecret
from edgeclients.ports import Transaction
from tests.conformance.harness import KEYRING
from tests.support.api import basic, of_domain
from tests.support.clocks import SECOND
from tests.support.lanes import HeldThreads, settle
from tests.support.proving import DOMAIN, SESSION, Known, Proving, proving

CHOSEN, RANDOM = "correct horse", "6e0b5c1d-4f5a-4a53-8a0e-0c1b2d3e4f50"
BOTH = pytest.mark.parametrize("secret", [CHOSEN, RANDOM])
OTHER_PARAMETERS = Keyring([bytes(32)], memory_kib=8, passes=2)


def hashed(secret: str) -> str:
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(secret)


async def brought(at: Proving, secret: str) -> Known:
    """A client that came with a hash of `secret`, as an import brings it."""
    known = await at.create()
    stored = KEYRING.adopt(DOMAIN, hashed(secret))
    await _put(at, known, stored)
    return Known(known.client, secret)


async def _put(at: Proving, known: Known, stored: StoredSecret) -> None:
    async def unit(tx: Transaction) -> None:
        await tx.set_secret(known.client, stored)
        await tx.revoke([known.client.id])
        await tx.grant()

    await at.store.run(unit)


async def kept(at: Proving, known: Known) -> str:
    found: StoredSecret = await at.store.run(lambda tx: tx.secret(known.client.id))
    return found.hash


async def come_true(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds that goes on by itself; the test's own time limit ends it."""
    while not await holds():
        await asyncio.sleep(0)


async def become_ours(at: Proving, known: Known) -> None:
    async def is_ours() -> bool:
        return not is_foreign(await kept(at, known))

    await come_true(is_ours)


@BOTH
async def test_it_works_by_the_clients_id_and_becomes_ours(tmp_path: Path, secret: str) -> None:
    async with proving(tmp_path / "clients.db") as at:
        known = await brought(at, secret)
        by_id, by_domain = known.tokens()
        assert not await at.is_let_in(by_domain)
        assert await at.authentication.authenticate(by_id) == known.client.id
        await become_ours(at, known)
        if is_generated_form(secret):
            assert KEYRING.matches(await kept(at, known), DOMAIN, secret)
        else:
            assert not KEYRING.is_outdated(await kept(at, known))
        assert await at.authentication.authenticate(by_id) == known.client.id
        assert await at.is_let_in(of_domain(DOMAIN, secret).encode() + b"\n"), "now it can be looked up"


@BOTH
async def test_others_are_not_let_in(tmp_path: Path, secret: str) -> None:
    async with proving(tmp_path / "clients.db") as at:
        known, stranger = await brought(at, secret), await at.create()
        for token in (
            basic(stranger.client.id, secret),
            basic(str(uuid.uuid4()), secret),
            basic(known.client.id, secret + "x"),
            basic(known.client.id, stranger.secret),
            basic(known.client.id, hashed(secret)),
            of_domain(DOMAIN, secret),
            of_domain(known.client.id, secret),
        ):
            assert not await at.is_let_in(token.encode()), token
        assert is_foreign(await kept(at, known))
        assert await at.is_let_in(known.tokens()[0])


async def test_it_costs_the_domain_nothing(tmp_path: Path) -> None:
    """Neither a look-up by a chosen secret, nor one by a UUID, nor a client that has another secret."""
    threads = HeldThreads()
    async with proving(tmp_path / "clients.db", threads) as at:
        await brought(at, CHOSEN)
        ours = await at.create()
        assert await at.store.schemes(DOMAIN) == ()
        for token in (of_domain(DOMAIN, "guess"), of_domain(DOMAIN, RANDOM), basic(ours.client.id, RANDOM)):
            assert not await at.is_let_in(token.encode())
        assert threads.ran == []


async def test_a_wrong_uuid_is_checked_once_and_remembered(tmp_path: Path) -> None:
    threads = HeldThreads()
    async with proving(tmp_path / "clients.db", threads) as at:
        known = await brought(at, CHOSEN)
        token = basic(known.client.id, RANDOM).encode()
        asking = [asyncio.ensure_future(at.is_let_in(token)) for _ in range(5)]
        await settle()
        await threads.let()
        assert await asyncio.gather(*asking) == [False] * 5
        assert not await at.is_let_in(token)
        assert threads.ran == [RANDOM]
        assert at.authentication.counts.denied == {"malformed": 0, "unmatched": 5, "remembered": 1}


async def test_guesses_wait_in_the_bounded_queue(tmp_path: Path) -> None:
    threads = HeldThreads()
    async with proving(tmp_path / "clients.db", threads, waiting=1) as at:
        known = await brought(at, RANDOM)
        guesses = [str(uuid.uuid4()) for _ in range(4)]
        asking = [asyncio.ensure_future(at.is_let_in(basic(known.client.id, one).encode())) for one in guesses]
        await settle()
        assert [type(one.exception()) for one in asking if one.done()] == [CheckRationed] * 2
        await threads.let(2)
        assert [await one for one in asking if not one.done() or one.exception() is None] == [False] * 2


@BOTH
async def test_one_that_is_checked_while_it_becomes_ours(tmp_path: Path, secret: str) -> None:
    """By another token of the same secret: it looked at the hash that came, and finds ours."""
    threads = HeldThreads()
    async with proving(tmp_path / "clients.db", threads) as at:
        known = await brought(at, secret)
        token = known.tokens()[0]
        first, second = (asyncio.ensure_future(at.authentication.authenticate(one)) for one in (token, token + b"\n"))
        await settle()
        await threads.let()
        assert await first == known.client.id
        await become_ours(at, known)
        while not second.done():
            await settle()
            if threads.running:
                await threads.let()
        assert await second == known.client.id
        assert not at.cache.denied(at.cache.key(token + b"\n"))


@BOTH
async def test_where_the_secret_is_used_by_another_client_it_stays_and_works(tmp_path: Path, secret: str) -> None:
    async with proving(tmp_path / "clients.db") as at:
        ours, known = await at.create(secret), await brought(at, secret)
        for end in (b"", b"\n", b"\r\n"):
            assert await at.authentication.authenticate(known.tokens()[0] + end) == known.client.id
        assert await at.authentication.authenticate(of_domain(DOMAIN, secret).encode()) == ours.client.id
        await at.authentication.close()  # waits for what goes on
        assert is_foreign(await kept(at, known))


async def test_used_by_another_client_under_older_parameters_it_stays(tmp_path: Path) -> None:
    async with proving(tmp_path / "clients.db") as at:
        await at.create(CHOSEN)
        known = await brought(at, CHOSEN)
    async with proving(tmp_path / "clients.db", keyring=OTHER_PARAMETERS) as at:
        assert await at.is_let_in(known.tokens()[0])
        await at.authentication.close()
        assert is_foreign(await kept(at, known))


async def test_two_clients_with_the_same_hash(tmp_path: Path) -> None:
    async with proving(tmp_path / "clients.db") as at:
        one, other = await at.create(), await at.create()
        stored = hashed(CHOSEN)
        for known in (one, other):
            await _put(at, known, KEYRING.adopt(DOMAIN, stored))
        for known in (one, other):
            assert await at.is_let_in(basic(known.client.id, CHOSEN).encode())
            if known is one:
                await become_ours(at, known)
        assert await at.is_let_in(basic(other.client.id, CHOSEN).encode() + b"\n")


async def test_a_secret_that_may_be_none_here_stays(tmp_path: Path) -> None:
    """Public ids are refused as secrets, so none becomes one that can be looked up."""
    async with proving(tmp_path / "clients.db") as at:
        for secret in (DOMAIN, "a\0b", "x" * 4097):
            known = await brought(at, secret)
            assert await at.is_let_in(known.tokens()[0]), secret
            await asyncio.sleep(0)
            assert is_foreign(await kept(at, known))
        await at.authentication.close()
        assert is_foreign(await kept(at, known))


@BOTH
async def test_revoked_it_ends_at_once_and_retiring_with_its_grace(tmp_path: Path, secret: str) -> None:
    async with proving(tmp_path / "clients.db") as at:
        known = await brought(at, secret)
        retired = await at.rotate(known, grace=60)
        assert await at.is_let_in(known.tokens()[0])
        assert await at.is_let_in(retired.tokens()[0])
        assert not await at.is_let_in(known.tokens()[1])
        await at.rotate(known)
        assert not await at.is_let_in(known.tokens()[0])


@BOTH
async def test_a_retiring_one_ends(tmp_path: Path, secret: str) -> None:
    async with proving(tmp_path / "clients.db") as at:
        known = await brought(at, secret)
        await at.rotate(known, grace=60)
        assert await at.is_let_in(known.tokens()[0])
        at.clock.move(61 * SECOND)
        assert not await at.is_let_in(known.tokens()[0])


@BOTH
async def test_rotated_while_it_becomes_ours_the_new_secret_stays(tmp_path: Path, secret: str) -> None:
    threads = HeldThreads()
    async with proving(tmp_path / "clients.db", threads) as at:
        known = await brought(at, secret)
        asking = asyncio.ensure_future(at.is_let_in(known.tokens()[0]))
        await settle()
        rotated = await at.rotate(known)
        await threads.let()
        assert not await asking
        assert await at.is_let_in(rotated.tokens()[0])
        assert KEYRING.matches(await kept(at, known), DOMAIN, rotated.secret)


async def test_disabled_it_is_denied(tmp_path: Path) -> None:
    async with proving(tmp_path / "clients.db") as at:
        known = await brought(at, RANDOM)
        assert await at.is_let_in(known.tokens()[0])
        await at.clients.disable(SESSION, known.client.id)
        assert not await at.is_let_in(known.tokens()[0])
        await at.clients.enable(SESSION, known.client.id)
        assert await at.is_let_in(known.tokens()[0])
