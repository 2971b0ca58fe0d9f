"""Two processes' stores on one database: what one unit decides holds against what others do at the same time."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from msgspec.structs import replace

from edgeclients.core.roles import staying_managed
from edgeclients.errors import (
    Busy,
    LastManagingRole,
    MemberOfOtherRole,
    OperatorTaken,
    QueryTimedOut,
    SecretTaken,
    TooManyRetiring,
)
from edgeclients.model import (
    ALL_ACTIONS,
    Client,
    ClientFilter,
    Effects,
    LocalOperator,
    NewClient,
    Retirement,
    Role,
    StoredSecret,
)
from edgeclients.ports import Transaction, Unit
from edgeclients.store.limits import OutboxBounds, StoreLimits
from edgeclients.store.postgres.store import PostgresStore
from edgeclients.store.postgres.transaction import PostgresTransaction
from tests.conformance.harness import KEYRING, SECOND, add, event, new_client
from tests.conformance.roles import bare, give, new_role
from tests.support.postgres import Server
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")

ROUNDS = 20

_SEEN = "SELECT (SELECT revision FROM store_state), (SELECT count(*) FROM revocations), sum(length(name)) FROM clients"


class Pair:
    """Two stores on the same database, and what the commits of each have caused."""

    def __init__(self, server: Server, name: str, limits: StoreLimits) -> None:
        self.server = server
        self.name = name
        self.effects: tuple[list[Effects], list[Effects]] = ([], [])
        self.one, self.other = (PostgresStore(server.address(name), 6, limits, told.append) for told in self.effects)


@pytest.fixture
async def pair(postgres: Server, prepared_postgres: str) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        name = await stack.enter_async_context(postgres.database(prepared_postgres))
        made = Pair(postgres, name, StoreLimits(OutboxBounds(1_000_000, 1 << 30), query_seconds=20))
        await stack.enter_async_context(made.one)
        await stack.enter_async_context(made.other)
        yield made


async def both(pair: Pair, one: Unit[Any], other: Unit[Any]) -> list[Any]:
    """What two units give or raise, run side by side."""
    return list(await asyncio.gather(pair.one.run(one), pair.other.run(other), return_exceptions=True))


def kept(secret: str) -> StoredSecret:
    return KEYRING.keep_generated("d1", secret)


def rotate(client: Client, secret: StoredSecret) -> Unit[None]:
    """Give a client another secret; the old one lives on."""

    async def unit(tx: Transaction) -> None:
        assert await tx.client(client.id) is not None
        old = await tx.secret(client.id)
        await tx.set_secret(client, secret)
        await tx.retire(client, Retirement(client.id, old, tx.now + 60 * SECOND))

    return unit


async def test_counting_up_loses_nothing(pair: Pair) -> None:
    (client,) = await add(pair.one, new_client(name="0"))

    async def unit(tx: Transaction) -> None:
        found = await tx.client(client.id)
        assert found is not None
        await tx.replace(found, replace(found, name=str(int(found.name) + 1)))

    await asyncio.gather(*(store.run(unit) for _ in range(30) for store in (pair.one, pair.other)))
    after = await pair.one.client(client.id)
    assert after is not None
    assert after.name == "60"


async def test_a_secret_that_retires_is_not_given_to_somebody_else_meanwhile(pair: Pair) -> None:
    for _ in range(ROUNDS):
        old = str(uuid.uuid4())
        first, second = new_client("d1", old), new_client("d1", old)
        await add(pair.one, first)
        results = await both(pair, rotate(first.client, kept(str(uuid.uuid4()))), lambda tx, second=second: tx.insert([second]))  # type: ignore[misc]
        assert results[0] is None
        assert isinstance(results[1], SecretTaken)
        holders = {row.client_id for row in (await pair.one.secrets_by_lookup([first.secret.lookup])).rows}
        assert holders == {first.client.id}


async def test_two_secrets_that_change_places_have_one_holder_each(pair: Pair) -> None:
    for _ in range(ROUNDS):
        a, b = new_client("d1"), new_client("d1")
        await add(pair.one, a, b)
        results = await both(pair, rotate(a.client, b.secret), rotate(b.client, a.secret))
        assert [type(result) for result in results] == [SecretTaken, SecretTaken]


async def test_the_same_secret_under_two_peppers_is_given_once(pair: Pair) -> None:
    for number in range(ROUNDS):
        old, new = f"old {number}".encode(), f"new {number}".encode()
        secrets = (StoredSecret("$hmac-sha256$o$0", old, None, (new,)), StoredSecret("$hmac-sha256$n$0", new, None, (old,)))
        wanted = [replace(new_client(), secret=secret) for secret in secrets]
        results = await both(pair, *(lambda tx, one=one: tx.insert([one]) for one in wanted))
        assert sorted(type(result).__name__ for result in results) == ["NoneType", "SecretTaken"]


async def test_no_more_secrets_retire_than_may(pair: Pair) -> None:
    (client,) = await add(pair.one, new_client("d1"))

    async def unit(tx: Transaction) -> None:
        assert await tx.client(client.id) is not None
        if len(await tx.retirements(client.id)) >= 4:
            raise TooManyRetiring
        await rotate(client, kept(str(uuid.uuid4())))(tx)

    stores = [store for _ in range(6) for store in (pair.one, pair.other)]
    results = await asyncio.gather(*(store.run(unit) for store in stores), return_exceptions=True)
    assert sum(result is None for result in results) == 4
    assert len((await pair.one.secrets_of(client.id)).rows) == 5


def leave(client: Client, role: Role) -> Unit[None]:
    """Take a role from all who have it, unless nobody could manage roles then."""

    async def unit(tx: Transaction) -> None:
        assert await tx.client(client.id) is not None
        await tx.remove_members(role, None)

    return staying_managed(unit, client.id)


async def test_somebody_is_left_who_can_manage_roles(pair: Pair) -> None:
    for _ in range(ROUNDS):
        (client,) = await add(pair.one, bare())
        ann, bob = await give(
            pair.one, new_role(client, "ann's", ALL_ACTIONS, ["ann"]), new_role(client, "bob's", ALL_ACTIONS, ["bob"])
        )
        results = await both(pair, leave(client, ann), leave(client, bob))
        assert sorted(type(result).__name__ for result in results) == ["LastManagingRole", "NoneType"]
        assert await pair.one.run(lambda tx, client=client: tx.is_managed(client.id))  # type: ignore[misc]


async def test_who_has_just_come_to_manage_roles_is_not_taken_away_unseen(pair: Pair) -> None:
    """The one who takes away looked before there was anybody; by the time it changes something there is."""
    for _ in range(ROUNDS):
        (client,) = await add(pair.one, bare())
        (role,) = await give(pair.one, new_role(client, "r", ALL_ACTIONS))

        async def come(tx: Transaction, client: Client = client, role: Role = role) -> None:
            assert await tx.client(client.id) is not None
            await tx.add_members(role, ["ann"])

        came, left = await both(pair, come, leave(client, role))
        assert came is None
        assert left is None or isinstance(left, LastManagingRole)
        assert (await pair.one.members(role, 0, 10)).items == ("ann",)


async def test_nobody_gets_two_roles_on_a_client(pair: Pair) -> None:
    for _ in range(ROUNDS):
        (client,) = await add(pair.one, bare())
        roles = await give(pair.one, new_role(client, "r"), new_role(client, "s"))

        def join(role: Role, client: Client = client) -> Unit[None]:
            async def unit(tx: Transaction) -> None:
                assert await tx.client(client.id) is not None
                if await tx.roles_held(client.id, ["ann"]):
                    raise MemberOfOtherRole
                await tx.add_members(role, ["ann"])

            return unit

        results = await both(pair, *map(join, roles))
        assert sorted(type(result).__name__ for result in results) == ["MemberOfOtherRole", "NoneType"]


async def test_an_operator_is_added_once(pair: Pair) -> None:
    def hire(operator: LocalOperator) -> Unit[None]:
        async def unit(tx: Transaction) -> None:
            if await tx.operator(operator.id) is not None:
                raise OperatorTaken
            await tx.put_operator(operator)

        return unit

    for number in range(ROUNDS):
        ours, theirs = (LocalOperator(f"ann{number}", name, 1, {}) for name in ("ours", "theirs"))
        results = await both(pair, hire(ours), hire(theirs))
        assert sorted(type(result).__name__ for result in results) == ["NoneType", "OperatorTaken"]


async def test_units_that_lock_each_other_out_are_run_anew(pair: Pair) -> None:
    a, b = await add(pair.one, new_client(name="0"), new_client(name="0"))
    runs = 0

    def count_up(*clients: Client) -> Unit[None]:
        async def unit(tx: Transaction) -> None:
            nonlocal runs
            runs += 1
            for client in clients:
                found = await tx.client(client.id)
                assert found is not None
                await tx.replace(found, replace(found, name=str(int(found.name) + 1)))
                if client is clients[0]:
                    await asyncio.wait_for(met.wait(), PATIENCE)

        return unit

    met = asyncio.Barrier(2)
    waiting = met.wait

    async def once() -> int:
        """Both have their first client when either goes for its second; those that are run anew find nobody to meet."""
        return await waiting() if runs <= 2 else 0

    met.wait = once  # type: ignore[method-assign]
    assert await both(pair, count_up(a, b), count_up(b, a)) == [None, None]
    assert runs == 3
    assert [client.name for client in await pair.one.clients([a.id, b.id])] == ["2", "2"]


async def test_a_newer_revision_is_never_seen_before_an_older_one(pair: Pair) -> None:
    """Whoever reads revision n as the store's sees what all revisions up to n took away."""
    clients = await add(pair.one, *(new_client() for _ in range(8)))
    done = asyncio.Event()

    async def disable(store: PostgresStore, client: Client) -> None:
        async def unit(tx: Transaction) -> None:
            found = await tx.client(client.id)
            assert found is not None
            await tx.replace(found, replace(found, name=found.name + "x"))
            await tx.revoke([client.id])

        for _ in range(10):
            await store.run(unit)

    async def watch() -> int:
        looks = 0
        while not done.is_set():
            ((revision, revoked, changes),) = await pair.server.rows(pair.name, _SEEN)
            assert revision == revoked == changes
            looks += 1
        return looks

    watching = asyncio.ensure_future(watch())
    stores = (pair.one, pair.other)
    await asyncio.gather(*(disable(stores[n % 2], client) for n, client in enumerate(clients)))
    done.set()
    assert await watching > 0
    told = [revision for effects in pair.effects for effect in effects for _, revision in effect.revoked]
    assert sorted(told) == list(range(1, 81))


async def test_whoever_follows_the_outbox_misses_nothing(pair: Pair) -> None:
    total = 200
    seen: list[int] = []

    async def follow() -> None:
        after = 0
        while len(seen) < total:
            for number, one in await pair.one.outbox(after, 7):
                after = number
                seen.append(one.occurred_at)

    following = asyncio.ensure_future(follow())
    stores = (pair.one, pair.other)
    await asyncio.gather(*(stores[n % 2].run(lambda tx, n=n: tx.append([event(n)])) for n in range(total)))  # type: ignore[misc]
    await asyncio.wait_for(following, PATIENCE)
    assert sorted(seen) == list(range(total))


async def test_a_change_that_waits_too_long_for_another_is_busy(pair: Pair) -> None:
    (client,) = await add(pair.one, new_client())
    held, release = asyncio.Event(), asyncio.Event()

    async def hold(tx: Transaction) -> None:
        await tx.client(client.id)
        held.set()
        await release.wait()

    async def hurry(tx: Transaction) -> None:
        assert isinstance(tx, PostgresTransaction)
        await tx._connection.execute("SET LOCAL lock_timeout = '50ms'")
        await tx.client(client.id)

    holding = asyncio.ensure_future(pair.one.run(hold))
    await asyncio.wait_for(held.wait(), PATIENCE)
    with pytest.raises(Busy) as raised:
        await pair.other.run(hurry)
    assert raised.value.retry_after == 1
    release.set()
    await holding
    assert not pair.other.writer.failing


async def test_a_list_that_takes_too_long_is_ended(postgres: Server, prepared_postgres: str) -> None:
    async with postgres.database(prepared_postgres) as name:
        limits = StoreLimits(query_seconds=0.2)
        async with PostgresStore(postgres.address(name), 3, limits, lambda _: None) as store:
            await add(store, new_client("d1"))
            await postgres.execute("ALTER TABLE clients RENAME TO hidden", name)
            slow = "SELECT hidden.* FROM hidden, pg_sleep(60)"
            await postgres.execute(f"CREATE VIEW clients AS {slow}", name)
            began = time.monotonic()
            with pytest.raises(QueryTimedOut):
                await store.page("d1", ClientFilter())
            assert time.monotonic() - began < PATIENCE
            assert await store.operators() == ()


async def test_work_of_one_kind_waits_for_a_bounded_while_and_in_bounded_number(
    postgres: Server, prepared_postgres: str
) -> None:
    async with postgres.database(prepared_postgres) as name:
        limits = StoreLimits(waiting_writes=2, query_seconds=0.3)
        async with PostgresStore(postgres.address(name), 3, limits, lambda _: None) as store:
            begun, release = asyncio.Event(), asyncio.Event()

            async def stand(tx: Transaction) -> None:
                begun.set()
                await release.wait()

            standing = asyncio.ensure_future(store.run(stand))
            await asyncio.wait_for(begun.wait(), PATIENCE)
            waiting = [asyncio.ensure_future(add(store, new_client())) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(Busy, match="too many"):
                await add(store, new_client())
            assert await store.client("nobody") is None  # reads have connections of their own
            assert (await store.page("d1", ClientFilter())).total == 0
            for result in await asyncio.gather(*waiting, return_exceptions=True):
                assert isinstance(result, Busy)
            release.set()
            await standing
            await add(store, new_client())


async def test_a_change_that_has_begun_is_whole_though_its_caller_is_cancelled(pair: Pair) -> None:
    (client,) = await add(pair.one, new_client())
    begun, release = asyncio.Event(), asyncio.Event()

    async def unit(tx: Transaction) -> None:
        await tx.remove(client)
        await tx.revoke([client.id])
        begun.set()
        await release.wait()

    task = asyncio.ensure_future(pair.one.run(unit))
    await asyncio.wait_for(begun.wait(), PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    await pair.one.close()  # finishes what has begun
    assert await pair.other.client(client.id) is None
    assert [one for effect in pair.effects[0] for one, _ in effect.revoked] == [client.id]


async def test_a_change_that_has_not_begun_is_absent(postgres: Server, prepared_postgres: str) -> None:
    async with (
        postgres.database(prepared_postgres) as name,
        PostgresStore(postgres.address(name), 3, StoreLimits(), lambda _: None) as store,
    ):
        begun, release = asyncio.Event(), asyncio.Event()

        async def stand(tx: Transaction) -> None:
            begun.set()
            await release.wait()

        standing = asyncio.ensure_future(store.run(stand))
        await asyncio.wait_for(begun.wait(), PATIENCE)
        new = new_client()
        task = asyncio.ensure_future(add(store, new))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        await standing
        await add(store, new_client())
        assert await store.client(new.client.id) is None


async def test_a_unit_that_breaks_down_leaves_nothing_and_its_connection_works(pair: Pair) -> None:
    new: NewClient = new_client()

    async def unit(tx: Transaction) -> None:
        await tx.insert([new])
        raise ZeroDivisionError

    for _ in range(10):
        with pytest.raises(ZeroDivisionError):
            await pair.one.run(unit)
    assert await pair.one.client(new.client.id) is None
    await add(pair.one, new)
    assert [one.id for one in await pair.other.clients([new.client.id])] == [new.client.id]
