"""How far the outbox has been sent, and by whom: what every store does with it."""

from collections.abc import Sequence

import pytest

from edgeclients.errors import NotFound
from edgeclients.model import Gap
from edgeclients.ports import Store, Transaction
from tests.conformance.harness import Bounds, Harness, MakeHarness, add, event, new_client

LONG = 3600


async def tell(store: Store, count: int) -> list[int]:
    """Put events into the outbox; the numbers of all that wait."""
    await store.run(lambda tx: tx.append([event(number) for number in range(count)]))
    return [number for number, _ in await store.outbox(0, 1000)]


async def remove(store: Store, numbers: Sequence[int], gap: Gap | None = None) -> None:
    await store.run(lambda tx: tx.remove_sent(numbers, gap))


async def lease(store: Store, owner: str, seconds: int = LONG) -> bool:
    return await store.run(lambda tx: tx.lease_outbox(owner, seconds))


class LeaseContract:
    async def test_one_owner_has_the_lease(self, harness: Harness) -> None:
        assert await lease(harness.store, "a")
        assert not await lease(harness.store, "b")
        assert await lease(harness.store, "a"), "it is renewed"
        assert not await lease(harness.store, "b")

    async def test_a_lease_ends_by_itself(self, harness: Harness) -> None:
        assert await lease(harness.store, "a", 0)
        assert await lease(harness.store, "b")
        assert not await lease(harness.store, "a")

    async def test_a_lease_taken_while_the_clock_was_ahead_keeps_nobody_out(self, harness: Harness) -> None:
        """It ends more than a day from now."""
        assert await lease(harness.store, "a", 2 * 86_400)
        assert await lease(harness.store, "b", 60)
        assert not await lease(harness.store, "a")

    async def test_a_released_lease_is_free(self, harness: Harness) -> None:
        assert await lease(harness.store, "a")
        await harness.store.run(lambda tx: tx.release_outbox("b"))
        assert not await lease(harness.store, "b"), "it was not theirs to release"
        await harness.store.run(lambda tx: tx.release_outbox("a"))
        assert await lease(harness.store, "b")

    async def test_a_lease_is_taken_with_what_is_done_under_it_or_not_at_all(self, harness: Harness) -> None:
        async def unit(tx: Transaction) -> None:
            assert await tx.lease_outbox("a", LONG)
            raise NotFound

        with pytest.raises(NotFound):
            await harness.store.run(unit)
        assert await lease(harness.store, "b")


class SentContract:
    async def test_an_empty_outbox_says_so(self, harness: Harness) -> None:
        state = await harness.store.outbox_state()
        assert (state.waiting, state.first, state.last, state.oldest_at) == (0, None, None, None)
        assert (state.dropped, state.gap, state.sent_through, state.sent_at) == (0, None, None, None)
        assert len(state.store_id) >= 32

    async def test_a_store_keeps_its_id_and_no_other_has_it(self, harness: Harness) -> None:
        first = await harness.store.outbox_state()
        await tell(harness.store, 1)
        assert (await harness.store.outbox_state()).store_id == first.store_id

    async def test_what_waits_is_counted(self, harness: Harness) -> None:
        numbers = await tell(harness.store, 5)
        state = await harness.store.outbox_state()
        assert (state.waiting, state.first, state.last, state.oldest_at) == (5, numbers[0], numbers[-1], 0)

    async def test_what_was_sent_is_gone(self, harness: Harness) -> None:
        numbers = await tell(harness.store, 5)
        before = harness.store.now()
        await remove(harness.store, numbers[:3])
        assert [number for number, _ in await harness.store.outbox(0, 10)] == numbers[3:]
        state = await harness.store.outbox_state()
        assert (state.waiting, state.first, state.oldest_at) == (2, numbers[3], 3)
        assert (state.dropped, state.gap, state.sent_through) == (0, None, numbers[2])
        assert state.sent_at is not None
        assert abs(state.sent_at - before) < 60_000_000

    async def test_only_what_was_sent_is_gone(self, harness: Harness) -> None:
        numbers = await tell(harness.store, 5)
        await remove(harness.store, [numbers[1], numbers[3]])
        assert [number for number, _ in await harness.store.outbox(0, 10)] == numbers[::2]
        assert (await harness.store.outbox_state()).waiting == 3

    async def test_removing_nothing_or_what_is_gone_does_no_harm(self, harness: Harness) -> None:
        numbers = await tell(harness.store, 3)
        await remove(harness.store, [])
        assert (await harness.store.outbox_state()).sent_at is None
        await remove(harness.store, numbers[:2])
        await remove(harness.store, numbers[:2])
        state = await harness.store.outbox_state()
        assert (state.waiting, state.dropped, state.gap, state.sent_through) == (1, 0, None, numbers[1])

    async def test_what_was_sent_makes_room(self, make_harness: MakeHarness) -> None:
        store = (await make_harness(Bounds(rows=5, payload_bytes=5000))).store
        for _ in range(20):
            await remove(store, await tell(store, 5))
        state = await store.outbox_state()
        assert (state.waiting, state.dropped, state.gap) == (0, 0, None)

    async def test_what_is_dropped_leaves_a_gap(self, make_harness: MakeHarness) -> None:
        store = (await make_harness(Bounds(rows=5))).store
        first = (await tell(store, 5))[0]
        assert (await store.outbox_state()).gap is None
        numbers = await tell(store, 3)
        state = await store.outbox_state()
        assert (state.gap, state.dropped) == (Gap(3, first, numbers[0] - 1), 3)
        later = await tell(store, 4)
        assert (await store.outbox_state()).gap == Gap(7, first, later[0] - 1)

    async def test_a_gap_that_was_told_is_gone(self, make_harness: MakeHarness) -> None:
        store = (await make_harness(Bounds(rows=5))).store
        await tell(store, 8)
        gap = (await store.outbox_state()).gap
        assert gap is not None
        await remove(store, [], gap)
        state = await store.outbox_state()
        assert (state.gap, state.dropped, state.waiting) == (None, 3, 5)

    async def test_a_gap_that_grows_while_it_is_told_keeps_the_rest(self, make_harness: MakeHarness) -> None:
        store = (await make_harness(Bounds(rows=5))).store
        await tell(store, 8)
        told = (await store.outbox_state()).gap
        assert told is not None
        numbers = await tell(store, 2)
        await remove(store, [], told)
        assert (await store.outbox_state()).gap == Gap(2, told.last + 1, numbers[0] - 1)

    async def test_what_was_sent_before_it_was_dropped_is_no_gap(self, make_harness: MakeHarness) -> None:
        store = (await make_harness(Bounds(rows=5))).store
        sent = (await tell(store, 5))[:3]
        await tell(store, 2)
        await remove(store, sent)
        state = await store.outbox_state()
        assert (state.gap, state.dropped, state.waiting, state.sent_through) == (None, 0, 4, sent[-1])

    async def test_of_a_gap_only_what_was_not_sent_remains(self, make_harness: MakeHarness) -> None:
        store = (await make_harness(Bounds(rows=5))).store
        sent = (await tell(store, 5))[:2]
        numbers = await tell(store, 4)
        await remove(store, sent)
        assert (await store.outbox_state()).gap == Gap(2, sent[-1] + 1, numbers[0] - 1)
        await remove(store, [], Gap(2, sent[-1] + 1, numbers[0] - 1))
        await tell(store, 1)
        assert (await store.outbox_state()).gap == Gap(1, numbers[0], numbers[0])

    async def test_a_raised_error_undoes_it(self, harness: Harness) -> None:
        numbers = await tell(harness.store, 3)

        async def unit(tx: Transaction) -> None:
            await tx.remove_sent(numbers)
            raise NotFound

        with pytest.raises(NotFound):
            await harness.store.run(unit)
        state = await harness.store.outbox_state()
        assert (state.waiting, state.sent_through) == (3, None)

    async def test_a_commit_says_whether_there_are_new_events(self, harness: Harness) -> None:
        await add(harness.store, new_client())
        numbers = await tell(harness.store, 1)
        await harness.store.run(lambda tx: tx.append([]))
        await remove(harness.store, numbers)
        assert [effect.events for effect in harness.effects] == [False, True, False, False]
