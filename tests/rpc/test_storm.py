"""What a power cut or somebody who guesses brings: everybody at once, from a cold cache, some of them wrong.

See edgeclients/DECISIONS.md#argon2.
"""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2
from tests.support import asking
from tests.support.api import Api, basic, of_domain
from tests.support.service import Service, started
from tests.support.waiting import PATIENCE

CHOSEN = "open sesame"
WRONG_A_SECOND = 100
WAITING = 8

Code = grpc.StatusCode


class Broker:
    """One peer, with one connection."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._call = channel.unary_unary("/clients.v1.ClientsService/Authenticate")

    async def ask(self, token: str, deadline: float | None = None) -> Any:
        """How a token fares: a gRPC status."""
        request = clients_pb2.AuthnReq(token=token).SerializeToString()
        try:
            answer = clients_pb2.AuthnRes.FromString(await self._call(request, timeout=deadline))
        except grpc.aio.AioRpcError as error:
            return error.code()
        assert answer.authenticated
        return Code.OK


@pytest.fixture(scope="module")
def small(grpc_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a short queue for argon2."""
    with started(tmp_path_factory.mktemp("small") / "data", {"MG_CLIENTS_ARGON2_WAITING": str(WAITING)}) as service:
        yield service


@pytest.fixture
async def broker(service: Service) -> AsyncIterator[Broker]:
    async with grpc.aio.insecure_channel(service.grpc) as channel:
        yield Broker(channel)


@pytest.fixture
async def small_broker(small: Service) -> AsyncIterator[Broker]:
    async with grpc.aio.insecure_channel(small.grpc) as channel:
        yield Broker(channel)


def _counted(service: Service, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", asking.get(f"{service.http}/metrics").text, re.MULTILINE)
    assert found, name
    return float(found[1])


def _fleet(api: Api, count: int, secret: str = "") -> list[tuple[str, str]]:
    """Ids and secrets of new clients."""
    wanted = [{"credentials": {"secret": f"{secret} {number}"} if secret else {}} for number in range(count)]
    response = api.request("POST", "/clients/bulk", json=wanted)
    assert response.status_code == 200, response.text
    return [(client["id"], client["credentials"]["secret"]) for client in response.json()["clients"]]


async def test_a_right_secret_gets_in_while_a_hundred_wrong_ones_a_second_come_for_its_client(api: Api, broker: Broker) -> None:
    """A device tries again as soon as it is put off; so does whoever guesses."""
    ((client, secret),) = _fleet(api, 1, CHOSEN)
    guesses: list[asyncio.Task[Any]] = []

    async def guess() -> None:
        for number in itertools.count():
            # Without a deadline: which of those that wait is next is drawn, and argon2 gives way to whatever else runs here.
            guesses.append(asyncio.ensure_future(broker.ask(basic(client, f"guess {number}"))))
            await asyncio.sleep(1 / WRONG_A_SECOND)

    guessing = asyncio.ensure_future(guess())
    while len(guesses) < 2 * WRONG_A_SECOND:  # until the client's ration is used up
        await asyncio.sleep(0.01)
    outcomes: Counter[Any] = Counter()
    async with asyncio.timeout(4 * PATIENCE):
        while outcomes[Code.OK] == 0:
            outcomes[await broker.ask(basic(client, secret))] += 1
    guessing.cancel()
    told = Counter(await asyncio.gather(*guesses))
    assert set(outcomes) <= {Code.OK, Code.RESOURCE_EXHAUSTED}
    assert set(told) == {Code.PERMISSION_DENIED, Code.RESOURCE_EXHAUSTED}
    assert told[Code.RESOURCE_EXHAUSTED] > told[Code.PERMISSION_DENIED]  # guessing is slow
    assert await broker.ask(basic(client, secret)) is Code.OK


async def test_guesses_at_one_client_do_not_keep_another_out(api: Api, broker: Broker) -> None:
    (victim, _), (other, secret) = _fleet(api, 2, CHOSEN)
    guesses = [asyncio.ensure_future(broker.ask(basic(victim, f"guess {number}"))) for number in range(100)]
    assert await broker.ask(basic(other, secret)) is Code.OK
    await asyncio.gather(*guesses)


async def test_a_thousand_logins_by_basic_then_domain_are_never_put_off(api: Api, broker: Broker) -> None:
    """As a broker does that knows not which it is: the first form fails, the second must not suffer for it."""
    fleet = _fleet(api, 1000)
    some_chosen = _fleet(api, 20, CHOSEN)
    for _, secret in fleet + some_chosen:
        assert await broker.ask(basic(api.domain, secret)) is Code.PERMISSION_DENIED
        assert await broker.ask(of_domain(api.domain, secret)) is Code.OK


async def test_a_thousand_wrong_generated_secrets_are_all_checked(api: Api, broker: Broker) -> None:
    """What a keyed hash can tell is told: nothing is counted against the broker they come through."""
    fleet = _fleet(api, 101)
    (client, secret), *others = fleet
    told = Counter([await broker.ask(basic(client, other)) for _ in range(10) for _, other in others])
    assert told == {Code.PERMISSION_DENIED: 1000}
    assert await broker.ask(basic(client, secret)) is Code.OK


async def test_everybody_with_a_chosen_secret_gets_in_after_a_restart(tmp_path: Path) -> None:
    """At once: as many as may wait; the same in either form."""
    data = tmp_path / "data"
    with started(data) as service, Api(service, "d1") as api:
        fleet = _fleet(api, 60, CHOSEN)
    with started(data) as service:
        async with grpc.aio.insecure_channel(service.grpc) as channel:
            broker = Broker(channel)
            tokens = [basic(*one) for one in fleet] + [of_domain("d1", secret) for _, secret in fleet]
            told = Counter(await asyncio.gather(*map(broker.ask, tokens)))
        assert told == {Code.OK: 120}


async def test_past_the_bound_it_is_said_at_once_and_others_go_on(small: Service, small_broker: Broker) -> None:
    with Api(small) as api:
        chosen, generated = _fleet(api, 40, CHOSEN), _fleet(api, 20)
        refused = _counted(small, "clients_authenticate_put_off_total")
        asking = [asyncio.ensure_future(small_broker.ask(basic(*one))) for one in chosen]
        for one in generated:
            assert await small_broker.ask(basic(*one)) is Code.OK
        told = Counter(await asyncio.gather(*asking))
        assert set(told) == {Code.OK, Code.RESOURCE_EXHAUSTED}
        assert told[Code.OK] >= WAITING
        assert _counted(small, "clients_authenticate_put_off_total") - refused == told[Code.RESOURCE_EXHAUSTED]
        for one in chosen:  # and whoever comes again gets in
            while await small_broker.ask(basic(*one)) is not Code.OK:
                pass


async def test_what_nobody_waits_for_any_more_is_not_done(small: Service, small_broker: Broker) -> None:
    with Api(small) as api:
        chosen = _fleet(api, WAITING, CHOSEN)
        before = _counted(small, "clients_argon2_checks_total")
        told = Counter(await asyncio.gather(*(small_broker.ask(basic(*one), 0.001) for one in chosen)))
        assert told[Code.DEADLINE_EXCEEDED] > 0
        while _counted(small, "clients_argon2_waiting"):
            await asyncio.sleep(0.01)
        done = _counted(small, "clients_argon2_checks_total") - before
        assert done < WAITING
        for one in chosen:
            assert await small_broker.ask(basic(*one)) is Code.OK


async def test_denials_are_counted_by_reason(small: Service, small_broker: Broker) -> None:
    with Api(small) as api:
        ((client, secret),) = _fleet(api, 1, CHOSEN)

        def denied() -> dict[str, float]:
            return {
                reason: _counted(small, f'clients_authenticate_denied_total{{reason="{reason}"}}')
                for reason in ("malformed", "unmatched", "remembered")
            }

        before = denied()
        for token in ("", "Basic", "Basic !", basic(client, "wrong"), basic(client, "wrong"), basic(client, "wrong")):
            assert await small_broker.ask(token) is Code.PERMISSION_DENIED
        after = denied()
        assert {reason: after[reason] - before[reason] for reason in after} == {"malformed": 3, "unmatched": 1, "remembered": 2}
        assert secret not in asking.get(f"{small.http}/metrics").text
