"""Connections and the outbox: what every store does with them."""

import uuid

import msgspec
import pytest

from edgeclients.model import Connection, ConnectionType, Gap
from edgeclients.ports import Transaction
from tests.conformance.harness import Bounds, Harness, MakeHarness, add, event, new_client

BOTH = tuple(ConnectionType)


class ConnectionContract:
    async def test_connecting_twice_adds_nothing(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        channel = str(uuid.uuid4())
        wanted = [Connection(channel, "d1", client.id, way) for way in BOTH]
        assert await harness.store.run(lambda tx: tx.connect(wanted[:1])) == wanted[:1]
        assert await harness.store.run(lambda tx: tx.connect([*wanted, *wanted])) == wanted[1:]
        assert await harness.store.run(lambda tx: tx.connect(wanted)) == []
        assert list(await harness.store.connections(client.id)) == wanted

    async def test_disconnecting_what_is_not_connected_does_no_harm(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        publish, subscribe = (Connection(str(uuid.uuid4()), "d1", client.id, way) for way in BOTH)
        await harness.store.run(lambda tx: tx.connect([publish]))
        foreign = [
            Connection(publish.channel_id, "d2", client.id, publish.type),
            Connection("no uuid", "d1", "no uuid", publish.type),
        ]
        assert await harness.store.run(lambda tx: tx.disconnect([subscribe, publish, *foreign, publish])) == [publish]
        assert await harness.store.run(lambda tx: tx.disconnect([publish, subscribe])) == []
        assert await harness.store.connections(client.id) == ()

    async def test_a_channel_is_left_by_all_its_clients(self, harness: Harness) -> None:
        a, b = await add(harness.store, new_client("d1"), new_client("d2"))
        gone, stays = str(uuid.uuid4()), str(uuid.uuid4())

        async def unit(tx: Transaction) -> None:
            await tx.connect([Connection(gone, c.domain_id, c.id, way) for c in (a, b) for way in BOTH])
            await tx.connect([Connection(stays, "d1", a.id, ConnectionType.PUBLISH)])

        await harness.store.run(unit)
        removed = await harness.store.run(lambda tx: tx.disconnect_channel(gone))
        assert set(removed) == {Connection(gone, c.domain_id, c.id, way) for c in (a, b) for way in BOTH}
        assert len(removed) == 4
        assert await harness.store.run(lambda tx: tx.disconnect_channel(gone)) == []
        assert [c.channel_id for c in await harness.store.connections(a.id)] == [stays]
        assert await harness.store.connections(b.id) == ()

    async def test_clients_are_read_together(self, harness: Harness) -> None:
        a, b = await add(harness.store, new_client("d1"), new_client("d2"))
        wanted = {a.id, b.id, str(uuid.uuid4())}
        assert await harness.store.run(lambda tx: tx.clients(wanted)) == {a.id: a, b.id: b}


class OutboxContract:
    async def test_events_are_kept_in_order(self, harness: Harness) -> None:
        for number in range(3):
            wanted = [event(10 * number), event(10 * number + 1)]
            await harness.store.run(lambda tx, wanted=wanted: tx.append(wanted))  # type: ignore[misc]
        kept = await harness.store.outbox(0, 100)
        assert [one.occurred_at for _, one in kept] == [0, 1, 10, 11, 20, 21]
        assert await harness.store.outbox(kept[3][0], 1) == kept[4:5]

    async def test_an_event_is_read_as_it_was_written(self, harness: Harness) -> None:
        wanted = event(7)
        await harness.store.run(lambda tx: tx.append([wanted]))
        ((_, kept),) = await harness.store.outbox(0, 10)
        assert kept == wanted
        assert msgspec.json.decode(kept.payload)["n"] == 7

    async def test_past_its_rows_the_oldest_events_go(self, make_harness: MakeHarness) -> None:
        store = (await make_harness(Bounds(rows=5))).store
        for number in range(4):
            wanted = [event(10 * number + i) for i in range(3)]
            await store.run(lambda tx, wanted=wanted: tx.append(wanted))  # type: ignore[misc]
        assert [one.occurred_at for _, one in await store.outbox(0, 100)] == [21, 22, 30, 31, 32]

    async def test_past_its_bytes_the_oldest_events_go(self, make_harness: MakeHarness) -> None:
        store = (await make_harness(Bounds(payload_bytes=2500))).store
        for number in range(10):
            await store.run(lambda tx, number=number: tx.append([event(number, size=1000)]))  # type: ignore[misc]
        assert [one.occurred_at for _, one in await store.outbox(0, 100)] == [8, 9]

    async def test_one_batch_larger_than_the_bound_keeps_its_end(self, make_harness: MakeHarness) -> None:
        store = (await make_harness(Bounds(rows=5))).store
        await store.run(lambda tx: tx.append([event(number) for number in range(100)]))
        assert [one.occurred_at for _, one in await store.outbox(0, 100)] == [95, 96, 97, 98, 99]

    @pytest.mark.parametrize("bounds", [Bounds(rows=4000), Bounds(rows=10**6, payload_bytes=70_000)])
    async def test_of_a_large_one_little_more_goes_than_must(self, make_harness: MakeHarness, bounds: Bounds) -> None:
        """So that most changes find room; and what is dropped is what is missing."""
        store = (await make_harness(bounds)).store
        total, drops = 3990, []
        await store.run(lambda tx: tx.append([event(number) for number in range(total)]))
        for number in range(total, total + 40):
            await store.run(lambda tx, number=number: tx.append([event(number)]))  # type: ignore[misc]
            state = await store.outbox_state()
            kept = await store.outbox(0, 10_000)
            size = sum(len(one.payload) for _, one in kept)
            assert len(kept) == state.waiting <= bounds.rows
            assert size <= bounds.payload_bytes
            assert [one.occurred_at for _, one in kept] == list(range(state.dropped, number + 1))
            if state.dropped:
                assert state.gap == Gap(state.dropped, kept[0][0] - state.dropped, kept[0][0] - 1)
            drops.append(state.dropped)
        assert len(set(drops)) < len(drops) * 3 / 4
        assert len(kept) >= bounds.rows * 0.999 or size >= bounds.payload_bytes * 0.998

    async def test_numbers_are_never_used_again(self, make_harness: MakeHarness) -> None:
        store = (await make_harness(Bounds(rows=0))).store
        await store.run(lambda tx: tx.append([event(1)]))
        assert await store.outbox(0, 10) == ()
