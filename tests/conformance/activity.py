"""When clients were last seen: in a view, in lists, in their order, and with them gone."""

import time

import pytest

from edgeclients.model import LAST_SEEN, ClientFilter, Effects, Status, TagFilter, Viewer
from edgeclients.ports import Store, Transaction
from tests.conformance.harness import SECOND, Harness, add, change, new_client


def _now() -> int:
    return time.time_ns() // 1000


async def _seen_one_after_the_other(store: Store, count: int) -> list[str]:
    """Ids of new clients, each seen at another microsecond than the one before; and one that was never seen, first."""
    clients = await add(store, *(new_client(name=str(number), tags=("t",)) for number in range(count + 1)))
    for client in clients[1:]:
        before = _now()
        while _now() == before:
            pass
        store.note_seen(client.id)
    return [client.id for client in clients]


async def _ids(store: Store, viewer: Viewer | None = None, **wanted: object) -> list[str]:
    page = await store.page("d1", ClientFilter(limit=100, **wanted), viewer)  # type: ignore[arg-type]
    assert page.total == len(page.items)
    return [item.client.id for item in page.items]


class ActivityContract:
    async def test_a_client_that_was_never_seen_has_no_such_time(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        viewed = await harness.store.view(client.id)
        assert viewed is not None
        assert (viewed.client, viewed.last_seen_at) == (client, None)
        assert [item.last_seen_at for item in (await harness.store.page("d1", ClientFilter())).items] == [None]

    async def test_there_is_no_view_of_nobody(self, harness: Harness) -> None:
        assert await harness.store.view("5c3a3f0e-3a0f-4b0a-9a3a-000000000000") is None

    async def test_the_last_time_counts(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        harness.store.note_seen(client.id)
        between = _now()
        while _now() == between:
            pass
        harness.store.note_seen(client.id)
        viewed = await harness.store.view(client.id)
        assert viewed is not None
        assert between < (viewed.last_seen_at or 0) <= _now()
        (item,) = (await harness.store.page("d1", ClientFilter())).items
        assert item.last_seen_at == viewed.last_seen_at

    async def test_a_view_shows_what_is_committed(self, harness: Harness) -> None:
        """However often it was looked at before."""
        (client,) = await add(harness.store, new_client())
        for name in ("one", "two", "three"):
            viewed = await harness.store.view(client.id)
            assert viewed is not None
            client = await change(harness.store, client, name=name)
            for _ in range(3):
                viewed = await harness.store.view(client.id)
                assert viewed is not None
                assert viewed.client == client

    async def test_a_parent_group_that_is_no_more_is_out_of_view(self, harness: Harness) -> None:
        group = "3f0e5c3a-3a0f-4b0a-9a3a-000000000000"
        (client,) = await add(harness.store, new_client(parent_group_id=group))
        assert await harness.store.view(client.id)
        await harness.store.run(lambda tx: tx.unset_parent_group(group))
        viewed = await harness.store.view(client.id)
        assert viewed is not None
        assert viewed.client.parent_group_id is None

    async def test_lists_are_ordered_by_it(self, harness: Harness) -> None:
        """Never comes before ever."""
        ids = await _seen_one_after_the_other(harness.store, 5)
        assert await _ids(harness.store, order=LAST_SEEN, descending=False) == ids
        assert await _ids(harness.store, order=LAST_SEEN, descending=True) == ids[::-1]

    async def test_those_never_seen_are_ordered_by_id(self, harness: Harness) -> None:
        clients = await add(harness.store, *(new_client() for _ in range(5)))
        ids = sorted(client.id for client in clients)
        assert await _ids(harness.store, order=LAST_SEEN, descending=False) == ids

    async def test_pages_add_up(self, harness: Harness) -> None:
        ids = await _seen_one_after_the_other(harness.store, 6)
        found = []
        for offset in range(0, 8, 2):
            page = await harness.store.page("d1", ClientFilter(order=LAST_SEEN, descending=False, offset=offset, limit=2))
            assert page.total == 7
            found += [item.client.id for item in page.items]
        assert found == ids

    async def test_bounds_are_inclusive_and_leave_out_who_was_never_seen(self, harness: Harness) -> None:
        ids = await _seen_one_after_the_other(harness.store, 4)
        times = {item.client.id: item.last_seen_at for item in (await harness.store.page("d1", ClientFilter())).items}
        second, third = times[ids[2]], times[ids[3]]
        assert sorted(await _ids(harness.store, seen_after=second)) == sorted(ids[2:])
        assert sorted(await _ids(harness.store, seen_before=second)) == sorted(ids[1:3])
        assert sorted(await _ids(harness.store, seen_after=second, seen_before=third)) == sorted(ids[2:4])
        assert await _ids(harness.store, seen_after=_now() + SECOND) == []
        assert (await harness.store.page("d1", ClientFilter(seen_before=third, only_total=True))).total == 3

    async def test_it_meets_the_other_filters(self, harness: Harness) -> None:
        ids = await _seen_one_after_the_other(harness.store, 3)
        await change(harness.store, (await harness.store.clients([ids[2]]))[0], tags=("other",))
        tagged = TagFilter(("t",), match_all=True)
        assert await _ids(harness.store, tags=tagged, order=LAST_SEEN, descending=False) == [ids[0], ids[1], ids[3]]
        assert await _ids(harness.store, tags=tagged, order=LAST_SEEN, seen_after=1) == [ids[3], ids[1]]
        assert await _ids(harness.store, statuses=(Status.DISABLED,), order=LAST_SEEN) == []
        assert await _ids(harness.store, Viewer("nobody", everything=False), order=LAST_SEEN) == []
        assert await _ids(harness.store, Viewer("operator", everything=False), order=LAST_SEEN) == ids[::-1]

    async def test_other_domains_are_not_shown(self, harness: Harness) -> None:
        (other,) = await add(harness.store, new_client("d2"))
        harness.store.note_seen(other.id)
        assert await _ids(harness.store, order=LAST_SEEN, seen_after=0) == []

    @pytest.mark.parametrize("order", ["name", "created_at", "updated_at", LAST_SEEN])
    async def test_it_is_shown_in_every_order(self, harness: Harness, order: str) -> None:
        ids = await _seen_one_after_the_other(harness.store, 2)
        page = await harness.store.page("d1", ClientFilter(order=order))
        shown = {item.client.id: item.last_seen_at for item in page.items}
        assert shown[ids[0]] is None
        assert 0 < (shown[ids[1]] or 0) < (shown[ids[2]] or 0) <= _now()

    async def test_a_client_of_the_same_id_was_not_seen_because_the_old_one_was(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        harness.store.note_seen(client.id)

        async def remove(tx: Transaction) -> None:
            old = await tx.client(client.id)
            assert old is not None
            await tx.remove(old)

        await harness.store.run(remove)
        assert harness.effects[-1] == Effects(removed=((client.id, client.domain_id),))
        await add(harness.store, new_client(id=client.id))
        viewed = await harness.store.view(client.id)
        assert viewed is not None
        assert viewed.last_seen_at is None
        assert await _ids(harness.store, seen_after=0) == []
