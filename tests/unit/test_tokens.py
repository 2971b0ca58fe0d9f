"""Access tokens that are verified here (schema/README.md#tokens), with keys that are fetched now and then."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import jwt
import pytest

from edgeclients.auth.jwks import APART, KEPT, Keys
from edgeclients.auth.tokens import Tokens
from edgeclients.errors import Unauthenticated, Unavailable
from edgeclients.peers.auth import Bearer
from tests.support.clocks import SECOND, SetClock
from tests.support.cloud.keys import Key, KeyServer
from tests.unit.test_circuit import Clock

KEY = Key()


class Door(NamedTuple):
    """A verifier of tokens, where it gets its keys, and its clock."""

    tokens: Tokens
    server: KeyServer
    clock: Clock

    async def refuses(self, token: str) -> None:
        with pytest.raises(Unauthenticated):
            await self.tokens.verify(token)

    async def is_away(self, token: str) -> None:
        with pytest.raises(Unavailable) as refused:
            await self.tokens.verify(token)
        assert refused.value.retry_after


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer(KEY) as running:
        yield running


@pytest.fixture
async def door(server: KeyServer) -> AsyncIterator[Door]:
    async with AsyncExitStack() as stack:
        clock = Clock()
        keys = Keys(server.url, clock)
        stack.push_async_callback(keys.close)
        yield Door(Tokens(keys, SetClock().now), server, clock)


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
async def test_a_token_says_who_it_is(door: Door, algorithm: str) -> None:
    key = Key(algorithm=algorithm)
    door.server.keys.append(key)
    assert await door.tokens.verify(key.sign("ann", role=2, verified=False)) == Bearer("", "ann", 2, False, 0)
    assert (await door.tokens.verify(key.sign("ann", type=1, aud=["anybody"]))).token_type == 1  # told, not decided here


@pytest.mark.parametrize("name", ["sub", "iss", "iat", "exp", "type", "role", "verified"])
async def test_a_claim_that_is_missing(door: Door, name: str) -> None:
    without: dict[str, Any] = {name: None}
    await door.refuses(KEY.sign("ann", **without))


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": "soon"},
        {"iss": "somebody"},
        {"iss": "magistrala.auth "},
        {"sub": 7},
        {"type": "0"},
        {"type": True},
        {"type": 0.5},
        {"role": "2"},
        {"role": True},
        {"verified": 1},
        {"verified": "true"},
    ],
    ids=str,
)
async def test_a_claim_that_is_wrong(door: Door, claims: dict[str, Any]) -> None:
    await door.refuses(KEY.sign("ann", **claims))


A_WEEK = 7 * 86400  # seconds
A_YEAR = 365 * 86_400


@pytest.mark.parametrize(("claim", "seconds"), [("exp", -1), ("nbf", A_WEEK), ("iat", A_WEEK)])
async def test_a_token_whose_time_it_is_not(door: Door, claim: str, seconds: int) -> None:
    claims: dict[str, Any] = {claim: int(time.time()) + seconds}
    await door.refuses(KEY.sign("ann", **claims))


async def test_times_have_no_leeway(door: Door) -> None:
    """A token that has expired in the last second has expired."""
    await door.refuses(KEY.sign("ann", exp=int(time.time())))
    assert (await door.tokens.verify(KEY.sign("ann", nbf=int(time.time()), iat=int(time.time())))).user_id == "ann"


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


async def test_what_was_not_signed_by_auth(door: Door) -> None:
    good = KEY.sign("ann")
    head, body, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    public = base64.urlsafe_b64decode(KEY.public()["x"] + "=")
    forged = [
        Key(KEY.kid).sign("ann"),
        f"{head}.{_part(claims | {'role': 2})}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{_part({'alg': 'none', 'kid': KEY.kid})}.{body}.",
        jwt.encode(claims, public, "HS256", {"kid": KEY.kid}),
        Key(KEY.kid, "ES256").sign("ann"),
        KEY.sign("ann", headers={"kid": None}),
        KEY.sign("ann", headers={"kid": "unknown"}),
        "",
        "nonsense",
        base64.urlsafe_b64encode(b"[" * 12_000).decode() + "." + body + "." + signature,
        _part({"alg": "EdDSA", "kid": {"deep": 1}}) + "." + body + "." + signature,
        "a.b.c",
        "....",
        good.replace(".", "\n."),
    ]
    for token in forged:
        await door.refuses(token)
    assert (await door.tokens.verify(good)).user_id == "ann"


async def test_keys_that_are_no_keys_to_verify_with_are_left_out(door: Door) -> None:
    """Keys whose owner and reader are the same, for encryption, without an id, of no known kind."""
    shared = "a secret of sufficient length for this"
    secret = {"kty": "oct", "kid": "shared", "k": base64.urlsafe_b64encode(shared.encode()).decode().rstrip("=")}
    encrypting = Key("encrypting")
    document = {
        "keys": [
            secret,
            encrypting.public() | {"use": "enc"},
            {name: value for name, value in KEY.public().items() if name != "kid"},
            {"kty": "OKP", "kid": "curve", "crv": "X25519", "x": "AAAA"},
            {"kty": "future", "kid": "f"},
            {"kid": 7},
            KEY.public(),
        ]
    }
    door.server.body = json.dumps(document).encode()
    await door.refuses(jwt.encode({"sub": "ann"}, shared, "HS256", {"kid": "shared"}))
    await door.refuses(encrypting.sign("ann"))
    assert (await door.tokens.verify(KEY.sign("ann"))).user_id == "ann"


async def test_keys_are_fetched_once_and_again_after_five_minutes(door: Door) -> None:
    await asyncio.gather(*(door.tokens.verify(KEY.sign("ann")) for _ in range(20)))
    door.clock.now = KEPT - 0.1
    await door.tokens.verify(KEY.sign("ann"))
    assert door.server.fetches == 1
    door.clock.now = KEPT
    await door.tokens.verify(KEY.sign("ann"))
    assert door.server.fetches == 2


async def test_a_new_key_is_found_and_an_old_one_is_out(door: Door) -> None:
    await door.tokens.verify(KEY.sign("ann"))
    new = Key()
    door.server.keys = [new]
    door.clock.now = APART
    assert (await door.tokens.verify(new.sign("ann"))).user_id == "ann"
    await door.refuses(KEY.sign("ann"))
    assert door.server.fetches == 2


async def test_another_key_under_an_old_id(door: Door) -> None:
    await door.tokens.verify(KEY.sign("ann"))
    new = Key(KEY.kid)
    door.server.keys = [new]
    door.clock.now = APART
    assert (await door.tokens.verify(new.sign("ann"))).user_id == "ann"
    await door.refuses(KEY.sign("ann"))


async def test_no_token_forces_a_fetch_before_its_time(door: Door) -> None:
    await door.tokens.verify(KEY.sign("ann"))
    for kid in (KEY.kid, "unknown"):
        for _ in range(20):
            await door.refuses(Key(kid).sign("ann"))
    assert door.server.fetches == 1
    door.clock.now = APART
    for _ in range(20):
        await door.refuses(Key("unknown").sign("ann"))
        await door.refuses("nonsense")
    assert door.server.fetches == 2


async def test_without_keys_nobody_gets_in(door: Door) -> None:
    door.server.status = 500
    for _ in range(3):
        await door.is_away(KEY.sign("ann"))
    assert door.server.fetches == 1
    for body in (b"", b"[]", b'{"keys": 1}', b"x" * 1_000_000):
        door.clock.now += APART
        door.server.status, door.server.body = 200, body
        await door.is_away(KEY.sign("ann"))
    door.server.body = None
    door.clock.now += APART
    assert (await door.tokens.verify(KEY.sign("ann"))).user_id == "ann"


async def test_keys_known_a_moment_ago_do_while_the_document_is_away(door: Door) -> None:
    await door.tokens.verify(KEY.sign("ann"))
    door.server.status = 503
    door.clock.now = KEPT - 1
    await door.refuses(Key().sign("ann"))  # asks in vain
    assert (await door.tokens.verify(KEY.sign("ann"))).user_id == "ann"
    door.clock.now = KEPT + APART
    await door.is_away(KEY.sign("ann"))


async def test_who_has_a_known_key_does_not_wait_for_a_fetch(door: Door) -> None:
    await door.tokens.verify(KEY.sign("ann"))
    door.server.gate = threading.Event()
    door.clock.now = APART
    waiting = asyncio.ensure_future(door.tokens.verify(Key().sign("ann")))
    while door.server.fetches < 2:
        await asyncio.sleep(0.01)
    assert (await door.tokens.verify(KEY.sign("ann"))).user_id == "ann"
    assert not waiting.done()
    door.server.gate.set()
    with pytest.raises(Unauthenticated):
        await waiting


async def test_tokens_are_judged_by_the_clock_that_counts(server: KeyServer) -> None:
    """Which need not be this host's."""
    clock = SetClock()
    async with AsyncExitStack() as stack:
        keys = Keys(server.url)
        stack.push_async_callback(keys.close)
        tokens = Tokens(keys, clock.now)
        now = int(time.time()) + 10 * A_YEAR
        token = KEY.sign("ann", iat=now - 10, nbf=now - 10, exp=now + 600)
        with pytest.raises(Unauthenticated):
            await tokens.verify(token)
        clock.move(10 * A_YEAR * SECOND)
        assert (await tokens.verify(token)).user_id == "ann"
        with pytest.raises(Unauthenticated):
            await tokens.verify(KEY.sign("ann"))
