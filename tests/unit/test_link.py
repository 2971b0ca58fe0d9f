"""Calls of another service: what a failure means, and how long anybody waits for it."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from edgeclients.errors import (
    DomainError,
    Forbidden,
    IdTaken,
    MalformedRequest,
    NotFound,
    StartError,
    Unauthenticated,
    Unavailable,
)
from edgeclients.peers.addresses import ServiceAddress
from edgeclients.peers.auth import AuthService, Bearer
from edgeclients.peers.circuit import FAILURES, Circuit
from edgeclients.peers.link import Link
from tests.support.certificates import Authority, Pair, encrypted, own
from tests.support.cloud.server import Cloud, Fault
from tests.support.cloud.world import World
from tests.unit.test_circuit import Clock

Linked = Callable[..., AuthService]
CODE = grpc.StatusCode


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud(World()) as running:
        running.world.tokens["t"] = running.world.tokens[running.world.token("ann")]
        yield running


@pytest.fixture
async def linked(cloud: Cloud) -> AsyncIterator[Linked]:
    """Makes callers of Auth."""
    async with AsyncExitStack() as stack:

        def make(timeout: float = 20, clock: Clock | None = None, **address: Any) -> AuthService:
            link = Link(
                ServiceAddress("MG_AUTH_GRPC", address.pop("url", cloud.address), timeout, **address), Circuit(clock or Clock())
            )
            stack.push_async_callback(link.close)
            return AuthService(link)

        yield make


async def refusal(call: Awaitable[Any]) -> DomainError:
    with pytest.raises(DomainError) as refused:
        await call
    return refused.value


async def in_the_end(auth: AuthService) -> Bearer:
    """What it answers once it is there."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(Unavailable):
                return await auth.authenticate("t")
            await asyncio.sleep(0.05)


async def test_an_answer(linked: Linked) -> None:
    assert await linked().authenticate("t") == Bearer("", "ann", 1, True, 0)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (CODE.UNAUTHENTICATED, Unauthenticated),
        (CODE.PERMISSION_DENIED, Forbidden),
        (CODE.INVALID_ARGUMENT, MalformedRequest),
        (CODE.FAILED_PRECONDITION, MalformedRequest),
        (CODE.NOT_FOUND, NotFound),
        (CODE.ALREADY_EXISTS, IdTaken),
        *((code, Unavailable) for code in (CODE.INTERNAL, CODE.UNKNOWN, CODE.UNIMPLEMENTED, CODE.RESOURCE_EXHAUSTED)),
    ],
)
async def test_what_it_says_is_told(cloud: Cloud, linked: Linked, code: grpc.StatusCode, error: type[DomainError]) -> None:
    """And shuts out nobody else, however often."""
    cloud.faults["Authenticate"] = Fault(code, times=FAILURES * 2)
    auth = linked()
    for _ in range(FAILURES * 2):
        assert type(await refusal(auth.authenticate("t"))) is error
    assert len(cloud.calls) == FAILURES * 2
    assert (await auth.authenticate("t")).user_id == "ann"


async def test_where_nobody_was_there_it_is_tried_once_more(cloud: Cloud, linked: Linked) -> None:
    auth = linked()
    cloud.faults["Authenticate"] = Fault(CODE.UNAVAILABLE, times=1)
    assert (await auth.authenticate("t")).user_id == "ann"
    cloud.faults["Authenticate"] = Fault(CODE.UNAVAILABLE, times=2)
    error = await refusal(auth.authenticate("t"))
    assert (type(error), error.retry_after) == (Unavailable, 1)
    assert len(cloud.calls) == 4


async def test_nobody_waits_for_longer_than_the_timeout(cloud: Cloud, linked: Linked) -> None:
    gate = threading.Event()
    cloud.faults["Authenticate"] = Fault(gate=gate)
    assert type(await refusal(linked(timeout=0.2).authenticate("t"))) is Unavailable
    gate.set()


async def test_a_service_that_has_gone_away(cloud: Cloud, linked: Linked) -> None:
    auth = linked()
    await auth.authenticate("t")
    cloud.go_away()
    assert type(await refusal(auth.authenticate("t"))) is Unavailable


async def test_the_circuit_spares_a_service_that_is_away_and_finds_it_back(cloud: Cloud, linked: Linked) -> None:
    clock = Clock()
    auth = linked(clock=clock)
    cloud.faults["Authenticate"] = Fault(CODE.UNAVAILABLE)
    for _ in range(FAILURES):
        await refusal(auth.authenticate("t"))
    asked = len(cloud.calls)
    assert (await refusal(auth.authenticate("t"))).retry_after == 1
    assert len(cloud.calls) == asked
    clock.now = 1.0
    await refusal(auth.authenticate("t"))  # the trial
    assert len(cloud.calls) == asked + 2
    assert (await refusal(auth.authenticate("t"))).retry_after == 2
    cloud.faults.clear()
    clock.now = 3.0
    assert (await auth.authenticate("t")).user_id == "ann"
    assert (await auth.authenticate("t")).user_id == "ann"


async def test_a_service_that_flaps_is_not_left_alone(cloud: Cloud, linked: Linked) -> None:
    auth = linked()
    for _ in range(FAILURES * 3):
        cloud.faults["Authenticate"] = Fault(CODE.UNAVAILABLE, times=2)
        await refusal(auth.authenticate("t"))
        assert (await auth.authenticate("t")).user_id == "ann"


async def test_a_service_that_was_restarted_is_found_again(cloud: Cloud, linked: Linked) -> None:
    auth = linked()
    await auth.authenticate("t")
    cloud.go_away()
    await refusal(auth.authenticate("t"))
    cloud.come_back()
    assert (await in_the_end(auth)).user_id == "ann"


async def test_a_caller_who_leaves_during_the_trial_does_not_keep_others_out(cloud: Cloud, linked: Linked) -> None:
    clock, gate = Clock(), threading.Event()
    auth = linked(clock=clock)
    cloud.faults["Authenticate"] = Fault(CODE.UNAVAILABLE, times=FAILURES * 2)
    for _ in range(FAILURES):
        await refusal(auth.authenticate("t"))
    cloud.faults["Authenticate"] = Fault(gate=gate, times=1)
    clock.now = 1.0
    trial = asyncio.ensure_future(auth.authenticate("t"))
    while cloud.faults:
        await asyncio.sleep(0.01)
    await refusal(auth.authenticate("t"))
    trial.cancel()
    await asyncio.wait([trial])
    gate.set()
    assert (await auth.authenticate("t")).user_id == "ann"


async def test_more_than_64_calls_wait_for_each_other(cloud: Cloud, linked: Linked) -> None:
    auth = linked()
    answers = await asyncio.gather(*(auth.authenticate("t") for _ in range(300)))
    assert {answer.user_id for answer in answers} == {"ann"}


async def test_calls_beyond_what_may_wait_are_refused_at_once(cloud: Cloud, linked: Linked) -> None:
    gate = threading.Event()
    cloud.faults["Authenticate"] = Fault(gate=gate)
    auth = linked()
    waiting = [asyncio.ensure_future(auth.authenticate("t")) for _ in range(1024)]
    await asyncio.sleep(0)
    assert "too many" in (await refusal(auth.authenticate("t"))).detail
    gate.set()
    assert {answer.user_id for answer in await asyncio.gather(*waiting)} == {"ann"}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Pair:
    return authority.sign("edgeclients")


async def test_tls(authority: Authority, linked: Linked, tmp_path: Path) -> None:
    """By a path, and as PEM."""
    (tmp_path / "ca.pem").write_text(authority.certificate)
    with Cloud(World(), authority.sign("auth")) as cloud:
        cloud.world.tokens["t"] = cloud.world.tokens[cloud.world.token("ann")]
        for given in (authority.certificate, str(tmp_path / "ca.pem")):
            assert (await linked(url=cloud.address, server_ca=given).authenticate("t")).user_id == "ann"
        for wrong in ({"server_ca": Authority("another").certificate}, {}):
            assert type(await refusal(linked(url=cloud.address, timeout=2, **wrong).authenticate("t"))) is Unavailable
        assert len(cloud.calls) == 2


async def test_mutual_tls(authority: Authority, ours: Pair, linked: Linked) -> None:
    with Cloud(World(), authority.sign("auth"), authority.certificate) as cloud:
        cloud.world.tokens["t"] = cloud.world.tokens[cloud.world.token("ann")]
        stranger = Authority("another").sign("edgeclients")
        base = {"url": cloud.address, "server_ca": authority.certificate, "timeout": 2}
        mutual = linked(**base, client_cert=ours.certificate, client_key=ours.key)
        assert (await mutual.authenticate("t")).user_id == "ann"
        for wrong in ({}, {"client_cert": stranger.certificate, "client_key": stranger.key}):
            assert type(await refusal(linked(**base, **wrong).authenticate("t"))) is Unavailable
        assert len(cloud.calls) == 1


async def test_certificates_that_cannot_be_used_are_told_at_the_start(authority: Authority, ours: Pair, linked: Linked) -> None:
    other, odd = authority.sign("other"), own(ec.generate_private_key(ec.SECP256K1()), SHA256())
    for wrong in (
        {"server_ca": "/no/such/file"},
        {"server_ca": "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"},
        {"server_ca": authority.certificate, "client_cert": ours.certificate, "client_key": other.key},
        {"server_ca": authority.certificate, "client_cert": ours.certificate, "client_key": encrypted(ours, b"geheim")},
        {"server_ca": authority.certificate, "client_cert": "/no/such/file", "client_key": ours.key},
        {"server_ca": "\ufeff" + authority.certificate},
        {"server_ca": authority.certificate, "client_cert": odd.certificate, "client_key": odd.key},
        {"server_ca": odd.certificate},
    ):
        with pytest.raises(StartError, match="MG_AUTH_GRPC_") as refused:
            linked(**wrong)
        assert "PRIVATE KEY" not in str(refused.value)
        assert "geheim" not in str(refused.value)
