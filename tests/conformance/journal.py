"""The journal: what is kept of changes and of denied logins, and how it is found again."""

import asyncio
import random
import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from edgeclients.errors import NotFound
from edgeclients.model import Client, JournalEntry, JournalFilter, JournalPage, Recorded, Ring
from edgeclients.ports import Store, Transaction
from tests.conformance.harness import Bounds, Harness, MakeHarness, add, new_client
from tests.support.clocks import DAY, SECOND

HOUR = 3600 * SECOND
A, B = (str(uuid.UUID(int=number)) for number in (1, 2))


def entry(operation: str = "client.update", client_id: str = A, ring: Ring = Ring.CHANGES, size: int = 0) -> JournalEntry:
    return JournalEntry(operation, "d1", client_id, "ann", b'{"pad":"%s"}' % (b"x" * size), ring)


async def record(store: Store, *entries: JournalEntry) -> int:
    return await store.run(lambda tx: tx.record(entries))


async def found(store: Store, **wanted: object) -> tuple[Recorded, ...]:
    """All that match; the total says so, too."""
    page = await store.journal(JournalFilter(limit=100_000, **wanted))  # type: ignore[arg-type]
    assert page.total == len(page.entries)
    return page.entries


async def by_offset(store: Store, size: int, **wanted: Any) -> tuple[Recorded, ...]:
    """All that match, in pages counted from the first."""
    entries: list[Recorded] = []
    while page := (await store.journal(JournalFilter(offset=len(entries), limit=size, **wanted))).entries:
        entries += page
    return tuple(entries)


async def by_place(store: Store, size: int, **wanted: Any) -> tuple[Recorded, ...]:
    """All that match, each page behind the last entry of the one before."""
    entries: list[Recorded] = []
    page = await store.journal(JournalFilter(limit=size, **wanted))
    while page.entries:
        entries += page.entries
        page = await store.journal(JournalFilter(limit=size, after=page.last, **wanted))
    return tuple(entries)


async def flush(store: Store) -> None:
    """Write denied logins now."""
    await store.activity.flush()  # type: ignore[attr-defined] # of both engines


async def removed(tx: Transaction, client: Client) -> None:
    """Remove a client, as the use case does."""
    await tx.remove(client)
    await tx.record([JournalEntry("client.remove", client.domain_id, client.id, "ann")])


def operations(entries: Sequence[Recorded]) -> list[str]:
    return [one.operation for one in entries]


class JournalContract:
    async def test_an_entry_is_found_as_it_was_written(self, harness: Harness) -> None:
        one = JournalEntry("client.update", "d1", A, "ann", '{"after":{"name":"Ä \\u0000"}}'.encode())
        before = harness.store.now()
        await record(harness.store, one)
        (kept,) = await found(harness.store)
        assert before <= kept.at <= harness.store.now()
        assert kept == Recorded(kept.at, one.operation, one.domain_id, one.client_id, one.user_id, one.attributes)

    async def test_an_entry_without_client_domain_and_attributes(self, harness: Harness) -> None:
        await record(harness.store, JournalEntry("operator.add", "", "", ""))
        (kept,) = await found(harness.store)
        assert kept == Recorded(kept.at, "operator.add", "", "", "", b"{}")
        assert await found(harness.store, client_id="") == ()

    async def test_it_is_kept_with_its_change_or_not_at_all(self, harness: Harness) -> None:
        async def unit(tx: Transaction) -> None:
            await tx.record([entry()])
            raise NotFound

        with pytest.raises(NotFound):
            await harness.store.run(unit)
        assert await found(harness.store) == ()

    async def test_the_newest_come_first_page_by_page(self, harness: Harness) -> None:
        for number in range(3):
            await record(harness.store, entry(f"a{number}"), entry(f"b{number}", ring=Ring.SHORT))
            harness.clock.move(SECOND)
        all_of_them = [f"{ring}{number}" for number in (2, 1, 0) for ring in "ba"]
        assert operations(await found(harness.store)) == all_of_them
        assert operations(await found(harness.store, descending=False)) == all_of_them[::-1]
        pages = [await harness.store.journal(JournalFilter(offset=offset, limit=2)) for offset in (0, 2, 4, 6, 2**63 - 1)]
        assert [operations(page.entries) for page in pages] == [all_of_them[:2], all_of_them[2:4], all_of_them[4:], [], []]
        assert {page.total for page in pages} == {6}

    async def test_every_filter(self, harness: Harness) -> None:
        await record(harness.store, entry("client.create"), entry("client.create", B), entry(ring=Ring.SHORT))
        await record(harness.store, JournalEntry("client.create", "d2", A, "bob"))
        harness.clock.move(SECOND)
        between = harness.store.now()
        harness.clock.move(SECOND)
        await record(harness.store, entry("client.remove"))
        assert operations(await found(harness.store, operation="client.create")) == ["client.create"] * 3
        assert operations(await found(harness.store, operation="client.creat")) == []
        assert len(await found(harness.store, client_id=A)) == 4
        assert len(await found(harness.store, client_id=B)) == 1
        assert await found(harness.store, client_id=str(uuid.uuid4())) == ()
        assert await found(harness.store, client_id="no uuid") == ()
        assert len(await found(harness.store, domain_id="d2")) == 1
        assert await found(harness.store, domain_id="d3") == ()
        assert operations(await found(harness.store, since=between)) == ["client.remove"]
        assert len(await found(harness.store, until=between)) == 4
        (last,) = await found(harness.store, since=between)
        assert await found(harness.store, since=last.at, until=last.at, domain_id="d1", client_id=A) == (last,)
        assert await found(harness.store, since=last.at + 1) == ()

    @pytest.mark.parametrize("ring", Ring)
    async def test_the_oldest_go_and_only_of_their_ring(self, make_harness: MakeHarness, ring: Ring) -> None:
        store = (await make_harness(Bounds(journal_rows=5))).store
        other = Ring.SHORT if ring is Ring.CHANGES else Ring.CHANGES
        await record(store, *(entry(f"other {number}", ring=other) for number in range(5)))
        for number in range(7):
            await record(store, entry(str(number), ring=ring))
        await record(store, *(entry(str(number), ring=ring) for number in (7, 8, 9)))
        kept = operations(await found(store))
        assert sorted(one for one in kept if one.startswith("other")) == [f"other {number}" for number in range(5)]
        assert sorted(one for one in kept if one.isdigit()) == ["5", "6", "7", "8", "9"]

    async def test_more_than_a_ring_holds_at_once(self, make_harness: MakeHarness) -> None:
        store = (await make_harness(Bounds(journal_rows=5))).store
        await record(store, *(entry(str(number)) for number in range(1000)))
        assert sorted(operations(await found(store))) == ["995", "996", "997", "998", "999"]

    async def test_a_ring_is_bounded_by_bytes(self, make_harness: MakeHarness) -> None:
        store = (await make_harness(Bounds(journal_bytes=5000))).store
        for number in range(20):
            await record(store, entry(str(number), size=900))
        assert 3 <= len(kept := operations(await found(store))) <= 5
        assert kept[0] == "19"
        await record(store, entry("long", size=5000))
        assert await found(store) == ()
        await record(store, entry("short"))
        assert operations(await found(store)) == ["short"]

    @pytest.mark.parametrize("bounds", [Bounds(journal_rows=4000), Bounds(journal_rows=10**6, journal_bytes=400_000)])
    async def test_of_a_large_ring_little_more_goes_than_must(self, make_harness: MakeHarness, bounds: Bounds) -> None:
        """So many changes share the cost of making room."""
        store = (await make_harness(bounds)).store
        await record(store, *(entry(size=30, ring=Ring.SHORT) for _ in range(6000)))
        full = len(await found(store))
        await record(store, entry(size=30, ring=Ring.SHORT))
        assert (await store.journal(JournalFilter())).total == full + 1, "there is room now"
        most = min(bounds.journal_rows, bounds.journal_bytes // (64 + 40))
        assert most * 0.98 < full <= most

    async def test_old_entries_go_when_the_clock_is_sure(self, harness: Harness) -> None:
        await record(harness.store, entry("old"), entry("old", ring=Ring.SHORT))
        harness.clock.move(91 * DAY)
        await record(harness.store, entry("new"))
        assert len(await found(harness.store)) == 3, "the clock has jumped: it may be wrong"
        for step in (23 * HOUR, 2 * HOUR):
            harness.clock.move(step)
            await record(harness.store, entry("new"))
        assert operations(await found(harness.store)) == ["new"] * 3

    @pytest.mark.parametrize("ring", Ring)
    async def test_an_entry_is_amended(self, harness: Harness, ring: Ring) -> None:
        number = await record(harness.store, entry("first", ring=ring), entry("second", ring=ring))
        harness.clock.move(SECOND)
        longer = JournalEntry("ignored", "ignored", B, "ignored", b'{"created":500}', ring)
        assert await harness.store.run(lambda tx: tx.amend(number, longer))
        second, first = await found(harness.store)
        assert (first.operation, first.attributes, second.operation) == ("first", b'{"created":500}', "second")
        assert first.at == second.at

    async def test_an_entry_that_was_dropped_cannot_be_amended(self, make_harness: MakeHarness) -> None:
        store = (await make_harness(Bounds(journal_rows=5))).store
        number = await record(store, entry())
        await record(store, *(entry() for _ in range(9)))
        assert not await store.run(lambda tx: tx.amend(number, entry()))

    async def test_bytes_of_amended_entries_count(self, make_harness: MakeHarness) -> None:
        store = (await make_harness(Bounds(journal_bytes=5000))).store
        numbers = [await record(store, entry(str(number))) for number in range(5)]

        async def lengthen(tx: Transaction) -> None:
            for number in numbers:
                assert await tx.amend(number, entry(size=1000))

        await store.run(lengthen)
        await record(store, entry())
        assert len(await found(store)) < 6

    async def test_it_outlives_its_client(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        await record(harness.store, entry("client.create", client.id))

        async def unit(tx: Transaction) -> None:
            await tx.remove(client)
            await tx.record([entry("client.remove", client.id)])

        await harness.store.run(unit)
        assert operations(await found(harness.store, client_id=client.id)) == ["client.remove", "client.create"]

    async def test_an_entry_of_a_clock_that_ran_ahead_keeps_no_old_one(self, harness: Harness) -> None:
        """It goes when those around it are old; a younger one before it keeps both."""
        await record(harness.store, entry("old"), entry("old", ring=Ring.SHORT))
        harness.clock.move(5 * 365 * DAY)
        await record(harness.store, entry("ahead"), entry("ahead", ring=Ring.SHORT))
        harness.clock.move(-5 * 365 * DAY + HOUR)
        await record(harness.store, entry("right"), entry("right", ring=Ring.SHORT))
        assert len(await found(harness.store)) == 6
        for step in (60 * DAY, 23 * HOUR, 2 * HOUR):
            harness.clock.move(step)
            await record(harness.store, entry("young"))
        assert len(await found(harness.store)) == 9, "none is old"
        for step in (40 * DAY, 23 * HOUR, 2 * HOUR):
            harness.clock.move(step)
            await record(harness.store, entry("young"))
        assert operations(await found(harness.store)) == ["young"] * 6, "of both rings"

    async def test_they_are_in_the_order_in_which_they_were_recorded_whatever_the_clock_shows(self, harness: Harness) -> None:
        for number, step in enumerate((3600, -7200, 60, -1)):
            await record(harness.store, entry(str(number), ring=Ring(number % 2)))
            harness.clock.move(step * SECOND)
        assert operations(await found(harness.store)) == ["3", "2", "1", "0"]

    @pytest.mark.parametrize("descending", [True, False])
    async def test_pages_of_any_size_have_each_entry_once(self, harness: Harness, descending: bool) -> None:
        """Whatever the clock does, of all rings and denied logins, written or not; and in one order."""
        chance = random.Random(7)
        clients = await add(harness.store, *(new_client() for _ in range(6)))
        for number in range(60):
            if number % 3:
                some = [entry(f"{number}-{place}", ring=chance.choice(list(Ring))) for place in range(chance.randint(1, 4))]
                await record(harness.store, *some)
            else:
                for client in chance.sample(clients, 3):
                    harness.store.note_denied(client.id)
                harness.store.note_denied("")
            if chance.random() < 0.3:
                await flush(harness.store)
            harness.clock.move(chance.choice((-5, -1, 0, 0, 1, 7)) * 600 * SECOND)
        everything = await found(harness.store, descending=descending)
        assert len(everything) > 120
        for size in (1, 7, 100, 1000):
            assert await by_offset(harness.store, size, descending=descending) == everything
            assert await by_place(harness.store, size, descending=descending) == everything
        of_one = {"client_id": clients[0].id, "since": everything[0].at - 3 * DAY}
        assert await by_place(harness.store, 2, descending=descending, **of_one) == await found(
            harness.store, descending=descending, **of_one
        )

    async def test_what_comes_meanwhile_moves_no_page_behind_a_place(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        for number in range(9):
            harness.store.note_denied(("", client.id)[number % 2])
            await record(harness.store, entry(str(number)))
        before = await found(harness.store)
        seen: list[Recorded] = []
        page = await harness.store.journal(JournalFilter(limit=2))
        while page.entries:
            seen += page.entries
            await record(harness.store, entry("new"))
            harness.store.note_denied(client.id)
            await flush(harness.store)
            page = await harness.store.journal(JournalFilter(limit=2, after=page.last))
            assert page.total is None
        assert [(one.operation, one.client_id) for one in seen] == [(one.operation, one.client_id) for one in before]

    async def test_entries_of_changes_at_once_are_on_one_page_each(self, harness: Harness) -> None:
        await asyncio.gather(*(record(harness.store, entry(str(number), ring=Ring(number % 2))) for number in range(40)))
        everything = await found(harness.store)
        assert len(everything) == 40
        assert await by_offset(harness.store, 3) == await by_place(harness.store, 3) == everything


class DenialContract:
    @pytest.mark.parametrize("is_written", [False, True])
    async def test_those_of_a_client_stay_its_own_when_it_is_removed(self, harness: Harness, is_written: bool) -> None:
        (client,) = await add(harness.store, new_client("d2"))
        for _ in range(3):
            harness.store.note_denied(client.id)
        if is_written:
            await flush(harness.store)
        await harness.store.run(lambda tx: removed(tx, client))
        (denied,) = await found(harness.store, operation="client.denied")
        assert (denied.client_id, denied.domain_id, denied.attributes) == (client.id, "d2", b'{"count":3}')

    async def test_those_of_a_removed_client_stay_its_own_when_many_are_removed(self, make_harness: MakeHarness) -> None:
        """More than the journal keeps."""
        store = (await make_harness(Bounds(journal_rows=5))).store
        clients = await add(store, *(new_client() for _ in range(30)))
        store.note_denied(clients[0].id)

        for client in clients:
            await store.run(partial(removed, client=client))
        assert [one.client_id for one in await found(store, operation="client.denied")] == [clients[0].id]

    async def test_denials_are_one_entry_for_an_hour_and_client(self, harness: Harness) -> None:
        clients = await add(harness.store, new_client(), new_client(domain="d2"))
        for client in (*clients, clients[0]):
            harness.store.note_denied(client.id)
        entries = {one.client_id: one for one in await found(harness.store)}
        assert {one.operation for one in entries.values()} == {"client.denied"}
        assert [(entries[client.id].attributes, entries[client.id].domain_id) for client in clients] == [
            (b'{"count":2}', "d1"),
            (b'{"count":1}', "d2"),
        ]
        assert len(await found(harness.store, domain_id="d2", operation="client.denied")) == 1
        assert len(await found(harness.store, client_id=clients[0].id)) == 1
        assert await found(harness.store, operation="client.update") == ()

    async def test_more_are_added_to_what_is_written(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        harness.store.note_denied(client.id)
        (first,) = await found(harness.store)
        harness.clock.move(HOUR)
        for _ in range(2):
            harness.store.note_denied(client.id)
        later, same = await found(harness.store)
        assert (later.attributes, same) == (b'{"count":2}', first)
        harness.store.note_denied(client.id)
        assert (await found(harness.store))[0].attributes == b'{"count":3}'

    async def test_unknown_names_are_one_entry(self, harness: Harness) -> None:
        for name in ("", str(uuid.uuid4()), str(uuid.uuid4())):
            harness.store.note_denied(name)
        (one,) = await found(harness.store)
        assert (one.client_id, one.domain_id, one.attributes) == ("", "", b'{"count":3}')

    async def test_many_unknown_names_leave_room_for_a_known_one(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        names = [str(uuid.uuid4()) for _ in range(5000)]
        for place, name in enumerate(names):
            harness.store.note_denied(name)
            if not place % 1000:
                harness.store.note_denied(client.id)
        counts = {one.client_id: one.attributes for one in await found(harness.store)}
        assert counts == {client.id: b'{"count":5}', "": b'{"count":5000}'}

    async def test_their_ring_keeps_the_newest(self, harness: Harness) -> None:
        clients = await add(harness.store, *(new_client() for _ in range(2100)))
        for half in (clients[:1100], clients[1100:]):
            for client in half:
                harness.store.note_denied(client.id)
            await found(harness.store)
            harness.clock.move(HOUR)
        harness.store.note_denied("")
        page: JournalPage = await harness.store.journal(JournalFilter(limit=1))
        assert page.total in {2000, 2001}
        assert page.entries[0].client_id == ""
