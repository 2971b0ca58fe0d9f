"""A clock that is wrong, ahead or behind, and set right again: what every store makes of it."""

import uuid

import msgspec
import pytest

from edgeclients.errors import SecretTaken
from edgeclients.model import UNSAID, Client, ClientFilter, DomainStanding, LocalOperator, OperatorToken, Retirement
from edgeclients.ports import Store, Transaction
from edgeclients.times import RELEASED_AT, ends_at
from tests.conformance.harness import KEYRING, Harness, add, event, new_client
from tests.support.clocks import DAY, SECOND, YEAR

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
UPTIME = 7 * SECOND  # what a clock says that began in 1970 a moment ago
ANN = LocalOperator("ann", "Ann", 0, {"d1": DomainStanding.ADMIN})


async def commit(store: Store) -> int:
    """Change something; when that was, by the store."""

    async def unit(tx: Transaction) -> int:
        await tx.grant()
        return tx.now

    return await store.run(unit)


async def lives_an_hour_from_now(harness: Harness, client: Client, kept: str) -> None:
    """A secret that is used now ends in an hour, and another use changes nothing."""
    await harness.store.run(lambda tx: tx.touch_retirement(client.id, kept))
    first = await ends(harness.store, client, kept)
    assert near(first or 0, harness.clock.now() + HOUR)
    harness.clock.move(30 * MINUTE)
    await harness.store.run(lambda tx: tx.touch_retirement(client.id, kept))
    assert await ends(harness.store, client, kept) == first


async def rotate(store: Store, client: Client, grace: int) -> str:
    """Give a client another secret; the hash of the one it had, which lives for `grace` microseconds."""

    async def unit(tx: Transaction) -> str:
        old = await tx.secret(client.id)
        await tx.set_secret(client, KEYRING.keep_generated(client.domain_id, str(uuid.uuid4())))
        await tx.retire(client, Retirement(client.id, old, tx.now + grace))
        return old.hash

    return await store.run(unit)


async def ends(store: Store, client: Client, kept: str) -> int | None:
    """When a retiring secret ends, as things stand; None if it is not there."""
    for row in (await store.secrets_of(client.id)).rows:
        if row.hash == kept and row.expires_at is not None and row.retired_at is not None:
            return ends_at(row.retired_at, row.expires_at, row.counted_from, store.now())
    return None


async def hire(store: Store, lifetime: int) -> OperatorToken:
    """An operator's token made now."""

    async def unit(tx: Transaction) -> OperatorToken:
        await tx.put_operator(ANN)
        token = OperatorToken("ann", "laptop", b"digest", "key", tx.now, tx.now + lifetime)
        await tx.add_operator_token(token)
        return token

    return await store.run(unit)


async def token_of(store: Store) -> OperatorToken:
    token = await store.operator_token([b"digest"])
    assert token is not None
    return token


def near(one: int, other: int) -> bool:
    """Whether two times are the same, for a test that may be slow."""
    return abs(one - other) < 10 * MINUTE


class ClockContract:
    async def test_rows_are_stamped_by_the_clock(self, harness: Harness) -> None:
        harness.clock.move(3 * YEAR)
        assert near(await commit(harness.store), harness.clock.now())
        harness.clock.move(-2 * YEAR)
        assert near(await commit(harness.store), harness.clock.now())

    async def test_a_clock_that_ran_ahead_is_forgotten_at_once(self, harness: Harness) -> None:
        await commit(harness.store)
        harness.clock.move(10 * YEAR)
        await commit(harness.store)
        harness.clock.move(-10 * YEAR)
        assert near(harness.store.now(), harness.clock.now())

    async def test_the_newest_change_stands_in_for_a_clock_that_is_evidently_wrong(self, harness: Harness) -> None:
        at = await commit(harness.store)
        harness.clock.show(UPTIME)
        assert near(harness.store.now(), at)
        assert harness.store.now() >= at
        assert near(await commit(harness.store), at)
        before = harness.store.now()
        while harness.store.now() == before:  # it goes on
            pass
        harness.clock.show(at + 5 * HOUR)
        assert near(harness.store.now(), at + 5 * HOUR)

    async def test_a_wrong_clock_without_a_change_before_it_is_all_there_is(self, harness: Harness) -> None:
        harness.clock.show(UPTIME)
        assert near(await commit(harness.store), UPTIME)
        assert near(harness.store.now(), UPTIME)

    async def test_changes_under_a_wrong_clock_do_not_count_as_the_newest(self, harness: Harness) -> None:
        harness.clock.show(RELEASED_AT - DAY)
        await commit(harness.store)
        harness.clock.show(UPTIME)
        assert near(harness.store.now(), UPTIME)

    async def test_the_first_change_that_finds_the_newest_ahead_sets_it_back(self, harness: Harness) -> None:
        harness.clock.move(10 * YEAR)
        ahead = await commit(harness.store)
        harness.clock.show(UPTIME)
        assert near(harness.store.now(), ahead)
        harness.clock.show(ahead - 10 * YEAR)
        await commit(harness.store)
        harness.clock.show(UPTIME)
        assert near(harness.store.now(), ahead - 10 * YEAR)

    @pytest.mark.parametrize("by", [10 * YEAR, 2 * DAY])
    async def test_nothing_is_deleted_for_having_expired_by_a_clock_in_doubt(self, harness: Harness, by: int) -> None:
        (client,) = await add(harness.store, new_client())
        kept = await rotate(harness.store, client, HOUR)
        expires_at = await ends(harness.store, client, kept)
        harness.clock.move(by)
        for _ in range(3):
            await add(harness.store, new_client())
            await rotate(harness.store, (await add(harness.store, new_client()))[0], HOUR)
        assert await ends(harness.store, client, kept) == expires_at
        harness.clock.move(-by)
        for _ in range(3):
            await add(harness.store, new_client())
        assert await ends(harness.store, client, kept) == expires_at
        assert (expires_at or 0) > harness.store.now()

    async def test_an_expired_secret_is_taken_while_the_clock_is_in_doubt(self, harness: Harness) -> None:
        secret = str(uuid.uuid4())
        (client,) = await add(harness.store, new_client("d1", secret))
        await rotate(harness.store, client, HOUR)
        harness.clock.move(2 * DAY)
        with pytest.raises(SecretTaken):
            await add(harness.store, new_client("d1", secret))

    async def test_what_has_expired_is_deleted_a_day_after_the_doubt(self, harness: Harness) -> None:
        secret = str(uuid.uuid4())
        (client,) = await add(harness.store, new_client("d1", secret))
        kept = await rotate(harness.store, client, HOUR)
        harness.clock.move(10 * YEAR)
        for _ in range(2):
            await add(harness.store, new_client())
            harness.clock.move(20 * HOUR)  # as it passes between changes
        await add(harness.store, new_client("d1", secret))
        assert await ends(harness.store, client, kept) is None

    async def test_a_secret_retired_ahead_of_the_clock_lives_its_time_from_its_first_use(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        harness.clock.move(10 * YEAR)
        kept = await rotate(harness.store, client, HOUR)
        harness.clock.move(-10 * YEAR)
        await lives_an_hour_from_now(harness, client, kept)

    async def test_a_use_does_not_lengthen_what_was_retired_in_time(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        kept = await rotate(harness.store, client, HOUR)
        expires_at = await ends(harness.store, client, kept)
        for by in (0, 30 * MINUTE, -20 * HOUR):
            harness.clock.move(by)
            await harness.store.run(lambda tx: tx.touch_retirement(client.id, kept))
            assert await ends(harness.store, client, kept) == expires_at

    async def test_an_operators_token_made_ahead_of_the_clock_lives_its_time_from_its_first_use(self, harness: Harness) -> None:
        harness.clock.move(10 * YEAR)
        made = await hire(harness.store, DAY)
        harness.clock.move(-10 * YEAR)
        await harness.store.run(lambda tx: tx.touch_operator_token(made, b"digest", "key"))
        used = await token_of(harness.store)
        assert near(used.counted_from or 0, harness.clock.now())
        assert (used.created_at, used.expires_at) == (made.created_at, made.expires_at), "what it was made with stays"
        harness.clock.move(HOUR)
        await harness.store.run(lambda tx: tx.touch_operator_token(used, b"digest", "key"))
        assert (await token_of(harness.store)).counted_from == used.counted_from

    @pytest.mark.parametrize("by", [2 * DAY, YEAR])
    async def test_a_use_while_the_clock_is_behind_takes_nothing_away(self, harness: Harness, by: int) -> None:
        """However plausible it is."""
        harness.clock.move(2 * YEAR)
        (client,) = await add(harness.store, new_client())
        kept = await rotate(harness.store, client, DAY)
        made = await hire(harness.store, DAY)
        expires_at = await ends(harness.store, client, kept)
        harness.clock.move(-by)
        await harness.store.run(lambda tx: tx.touch_retirement(client.id, kept))
        await harness.store.run(lambda tx: tx.touch_operator_token(made, b"digest", "key"))
        assert near(await ends(harness.store, client, kept) or 0, harness.clock.now() + DAY)
        harness.clock.move(by)
        assert await ends(harness.store, client, kept) == expires_at
        token = await token_of(harness.store)
        assert ends_at(token.created_at, token.expires_at or 0, token.counted_from, harness.store.now()) == made.expires_at

    async def test_what_was_made_before_the_clock_was_ever_right_lives_its_time_from_its_first_use(
        self, harness: Harness
    ) -> None:
        harness.clock.show(UPTIME)
        (client,) = await add(harness.store, new_client())
        kept = await rotate(harness.store, client, HOUR)
        await harness.store.run(lambda tx: tx.touch_retirement(client.id, kept))
        harness.clock.show(RELEASED_AT + YEAR)
        for _ in range(3):
            await add(harness.store, new_client())
        await lives_an_hour_from_now(harness, client, kept)

    async def test_a_clock_that_was_evidently_wrong_is_in_doubt_for_a_day(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        kept = await rotate(harness.store, client, HOUR)
        harness.clock.show(UPTIME)
        await commit(harness.store)
        harness.clock.show(harness.store.now() + 10 * HOUR)
        for _ in range(2):
            await add(harness.store, new_client())
            harness.clock.move(10 * HOUR)
        assert await ends(harness.store, client, kept) is not None
        await add(harness.store, new_client())
        harness.clock.move(10 * HOUR)
        await add(harness.store, new_client())
        assert await ends(harness.store, client, kept) is None

    async def test_last_seen_does_not_go_back(self, harness: Harness) -> None:
        ahead, other = await add(harness.store, new_client(), new_client())
        harness.clock.move(DAY)
        harness.store.note_seen(ahead.id)
        seen = await self._seen(harness, ahead)
        harness.clock.move(-DAY)
        harness.store.note_seen(ahead.id)
        harness.store.note_seen(other.id)
        assert await self._seen(harness, ahead) == seen
        assert near(await self._seen(harness, other) or 0, harness.clock.now())
        await harness.store.activity.flush()  # type: ignore[attr-defined]
        harness.store.note_seen(ahead.id)
        assert await self._seen(harness, ahead) == seen
        await harness.store.activity.flush()  # type: ignore[attr-defined]
        assert await self._seen(harness, ahead) == seen

    async def test_an_event_that_does_not_say_when_happened_now(self, harness: Harness) -> None:
        harness.clock.move(YEAR)
        said, unsaid = event(1), msgspec.structs.replace(event(2), occurred_at=UNSAID)
        await harness.store.run(lambda tx: tx.append([said, unsaid]))
        times = [one.occurred_at for _, one in await harness.store.outbox(0, 10)]
        assert times[0] == said.occurred_at
        assert near(times[1] // 1000, harness.clock.now())

    @staticmethod
    async def _seen(harness: Harness, client: Client) -> int | None:
        """What a view and a list say alike."""
        viewed = await harness.store.view(client.id)
        assert viewed is not None
        listed = {
            item.client.id: item.last_seen_at
            for order in ("name", "last_seen_at")
            for item in (await harness.store.page("d1", ClientFilter(order=order))).items
        }
        assert listed[client.id] == viewed.last_seen_at
        return viewed.last_seen_at
