"""Lists: what every store finds, in which order."""

import uuid
from typing import Any

import pytest

from edgeclients.model import ClientFilter, Connection, ConnectionType, Status, TagFilter
from edgeclients.ports import Store, Transaction
from tests.conformance.harness import Harness, add, new_client


async def _names(store: Store, domain: str = "d1", **wanted: Any) -> list[str]:
    page = await store.page(domain, ClientFilter(order="name", descending=False, limit=100, **wanted))
    names = [item.client.name for item in page.items]
    assert page.total == len(names)
    return names


class ListContract:
    async def test_a_list_stays_in_its_domain(self, harness: Harness) -> None:
        await add(harness.store, new_client("d1", name="a"), new_client("d2", name="b"))
        assert await _names(harness.store, "d1") == ["a"]
        assert await _names(harness.store, "d3") == []

    async def test_a_list_shows_no_private_metadata(self, harness: Harness) -> None:
        await add(harness.store, new_client(private_metadata='{"a":1}'))
        (item,) = (await harness.store.page("d1", ClientFilter())).items
        assert item.client.private_metadata == "{}"

    @pytest.mark.parametrize("order", ["name", "created_at", "updated_at"])
    @pytest.mark.parametrize("descending", [False, True])
    async def test_order(self, harness: Harness, order: str, descending: bool) -> None:
        """Text sorts by code point, `updated_at` falls back on creation, the id breaks ties in the same direction."""
        rows = [
            ("b", 3, None),
            ("B", 1, 9),
            ("é", 2, None),
            ("z", 2, None),
            ("b", 3, 5),
            ("\U0001f525", 4, None),
            ("\uffee", 5, 2),
        ]
        clients = await add(harness.store, *(new_client(name=n, created_at=c, updated_at=u) for n, c, u in rows))
        key = {
            "name": lambda c: (c.name, c.id),
            "created_at": lambda c: (c.created_at, c.id),
            "updated_at": lambda c: (c.updated_at or c.created_at, c.id),
        }[order]
        expected = [client.id for client in sorted(clients, key=key, reverse=descending)]
        page = await harness.store.page("d1", ClientFilter(order=order, descending=descending))
        assert [item.client.id for item in page.items] == expected

    async def test_pages_add_up(self, harness: Harness) -> None:
        clients = await add(harness.store, *(new_client(created_at=number // 3) for number in range(25)))
        seen: list[str] = []
        for offset in range(0, 30, 7):
            page = await harness.store.page("d1", ClientFilter(limit=7, offset=offset, order="created_at"))
            assert page.total == 25
            seen += [item.client.id for item in page.items]
        assert len(seen) == 25
        assert set(seen) == {client.id for client in clients}

    async def test_an_offset_beyond_the_end_is_an_empty_page(self, harness: Harness) -> None:
        await add(harness.store, new_client())
        page = await harness.store.page("d1", ClientFilter(offset=2**63 - 1))
        assert (page.total, page.items) == (1, ())

    async def test_only_total(self, harness: Harness) -> None:
        await add(harness.store, new_client(), new_client())
        page = await harness.store.page("d1", ClientFilter(only_total=True, limit=1))
        assert (page.total, page.items) == (2, ())

    async def test_status(self, harness: Harness) -> None:
        await add(harness.store, *(new_client(name=status.name, status=int(status)) for status in Status))
        for status in Status:
            assert await _names(harness.store, statuses=(status,)) == [status.name]
        assert len(await _names(harness.store, statuses=tuple(Status))) == 3

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ("kessel", {"Kessel 1", "KESSEL_2", "Nebenkessel"}),
            ("straße", {"Hauptstrasse"}),
            ("STRASSE", {"Hauptstrasse"}),
            ("e\u0301cran", {"\u00c9cran"}),
            ("\u00e9cran", {"\u00c9cran"}),
            ("l_2", {"KESSEL_2"}),
            ("s%1", {"Kessel 1"}),
            ("%", {"Kessel 1", "KESSEL_2", "Nebenkessel", "Hauptstrasse", "\u00c9cran", "back\\slash"}),
            ("k\\s", {"back\\slash"}),
            ("'", set()),
        ],
    )
    async def test_name_matches_folded_with_wildcards(self, harness: Harness, wanted: str, found: set[str]) -> None:
        names = ("Kessel 1", "KESSEL_2", "Nebenkessel", "Hauptstrasse", "\u00c9cran", "back\\slash")
        await add(harness.store, *(new_client(name=name) for name in names))
        assert set(await _names(harness.store, name=wanted)) == found

    async def test_tags(self, harness: Harness) -> None:
        await add(
            harness.store,
            new_client(name="ab", tags=("a", "b")),
            new_client(name="bc", tags=("b", "c")),
            new_client(name="none"),
            new_client(name="spaced", tags=("a b",)),
        )
        for tags, match_all, found in (
            (("a",), False, ["ab"]),
            (("a", "c"), False, ["ab", "bc"]),
            (("a", "b"), True, ["ab"]),
            (("a", "c"), True, []),
            (("b", "b"), True, ["ab", "bc"]),
            (("a b",), False, ["spaced"]),
            (("A",), False, []),
            (("",), False, []),
        ):
            assert await _names(harness.store, tags=TagFilter(tags, match_all)) == found, tags

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({"a": 1}, ["int", "mixed"]),
            ({"a": 1.0}, ["int", "mixed"]),
            ({"a": True}, ["bool"]),
            ({"a": "1"}, ["text"]),
            ({"a": None}, ["null"]),
            ({"a": {}}, ["object"]),
            ({"a": []}, ["list"]),
            ({"a": {"b": 1}}, ["object"]),
            ({"a": [1]}, ["list"]),
            ({"a": [{"x": 1, "y": 2}]}, ["list"]),
            ({"a": [{"x": 1, "y": 3}]}, []),
            ({"a": [{"x": 1}, {"y": 3}]}, ["list"]),
            ({"a": [[7]]}, ["list"]),
            ({"a": 7}, []),
            ({"a.b": 1}, ["dotted"]),
            ({"a": 2**70}, ["large"]),
            ({"a": 2**70 + 1}, []),
            ({"a": 1, "b": 2}, ["mixed"]),
            ({"c": "x" * 300}, ["long"]),
            ({"c": "x" * 299}, []),
        ],
    )
    async def test_metadata_containment(self, harness: Harness, wanted: dict[str, Any], found: list[str]) -> None:
        rows: dict[str, dict[str, Any]] = {
            "int": {"a": 1},
            "bool": {"a": True},
            "text": {"a": "1"},
            "null": {"a": None},
            "object": {"a": {"b": 1, "c": {}}},
            "list": {"a": [1, {"x": 1, "y": 2}, {"x": 2, "y": 3}, [7, 8]]},
            "dotted": {"a.b": 1},
            "large": {"a": 2**70},
            "mixed": {"a": 1, "b": 2},
            "long": {"c": "x" * 300},
        }
        await add(harness.store, *(new_client(name=name, metadata=metadata) for name, metadata in rows.items()))
        assert sorted(await _names(harness.store, metadata=wanted)) == sorted(found)

    async def test_parent_group(self, harness: Harness) -> None:
        group = str(uuid.uuid4())
        await add(harness.store, new_client(name="in", parent_group_id=group), new_client(name="out"))
        assert await _names(harness.store, parent_group_id=group) == ["in"]
        assert await _names(harness.store, parent_group_id="") == ["out"]
        assert await _names(harness.store, parent_group_id=str(uuid.uuid4())) == []

    async def test_channel_and_connection_type(self, harness: Harness) -> None:
        a, b, other = await add(harness.store, new_client(name="a"), new_client(name="b"), new_client("d2", name="other"))
        channel = str(uuid.uuid4())
        publish, subscribe = ConnectionType.PUBLISH, ConnectionType.SUBSCRIBE

        async def unit(tx: Transaction) -> None:
            await tx.connect(
                [
                    Connection(channel, "d1", a.id, publish),
                    Connection(channel, "d1", a.id, subscribe),
                    Connection(channel, "d1", b.id, subscribe),
                    Connection(channel, "d2", other.id, publish),
                ]
            )

        await harness.store.run(unit)
        page = await harness.store.page("d1", ClientFilter(channel_id=channel, order="name", descending=False))
        assert [(item.client.name, item.connection_types) for item in page.items] == [
            ("a", (publish, subscribe)),
            ("b", (subscribe,)),
        ]
        assert await _names(harness.store, channel_id=channel, connection_type=publish) == ["a"]
        assert await _names(harness.store, channel_id=str(uuid.uuid4())) == []

    async def test_id_and_creation_time(self, harness: Harness) -> None:
        early, late = await add(harness.store, new_client(name="early", created_at=10), new_client(name="late", created_at=20))
        assert await _names(harness.store, id=late.id) == ["late"]
        assert await _names(harness.store, created_from=20) == ["late"]
        assert await _names(harness.store, created_to=10) == ["early"]
        assert await _names(harness.store, created_from=11, created_to=19) == []
        assert await _names(harness.store, id=early.id, created_from=11) == []

    async def test_filters_meet(self, harness: Harness) -> None:
        group = str(uuid.uuid4())
        await add(
            harness.store,
            *(
                new_client(
                    name=f"c{n:03}",
                    tags=("even",) if n % 2 == 0 else ("odd",),
                    metadata={"third": n % 3 == 0, "n": n},
                    parent_group_id=group if n % 5 == 0 else None,
                )
                for n in range(90)
            ),
        )
        names = await _names(
            harness.store, tags=TagFilter(("even",), match_all=True), metadata={"third": True}, parent_group_id=group
        )
        assert names == ["c000", "c030", "c060"]
