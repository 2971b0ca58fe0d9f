"""Clients: what every store does with them."""

import asyncio
import uuid

import pytest
from msgspec.structs import replace

from edgeclients.errors import ExternalIdTaken, IdTaken, NotFound, SecretTaken
from edgeclients.model import ClientFilter, Connection, ConnectionType, Status
from edgeclients.ports import Transaction
from tests.conformance.harness import Harness, add, change, event, new_client


class ClientContract:
    async def test_a_client_is_read_as_it_was_written(self, harness: Harness) -> None:
        wanted = new_client(
            name="Kessel Ä",
            tags=("b", "a", "b"),
            identity="kessel@plant",
            external_id="SN 1/Ä",
            parent_group_id=str(uuid.uuid4()),
            metadata={"n": 2**70, "x": 1.5, "deep": [{"a": None}]},
            private_metadata='{"k":"v"}',
            status=1,
        )
        await add(harness.store, wanted)
        assert await harness.store.client(wanted.client.id) == wanted.client

    async def test_an_unknown_id_is_none(self, harness: Harness) -> None:
        assert await harness.store.client(str(uuid.uuid4())) is None

    async def test_an_id_is_unique_in_all_domains(self, harness: Harness) -> None:
        (first,) = await add(harness.store, new_client("d1"))
        with pytest.raises(IdTaken):
            await add(harness.store, new_client("d2", id=first.id))

    async def test_a_secret_is_unique_within_its_domain(self, harness: Harness) -> None:
        secret = str(uuid.uuid4())
        await add(harness.store, new_client("d1", secret))
        with pytest.raises(SecretTaken):
            await add(harness.store, new_client("d1", secret))

    async def test_an_external_id_is_unique_within_its_domain(self, harness: Harness) -> None:
        first, other, _ = await add(
            harness.store, new_client("d1", external_id="SN-1"), new_client("d1"), new_client("d2", external_id="SN-1")
        )
        with pytest.raises(ExternalIdTaken):
            await add(harness.store, new_client("d1", external_id="SN-1"))
        with pytest.raises(ExternalIdTaken):
            await add(harness.store, *(new_client("d1", external_id="SN-2") for _ in range(2)))
        with pytest.raises(ExternalIdTaken):
            await change(harness.store, other, external_id="SN-1")
        await change(harness.store, first, external_id="")
        await change(harness.store, other, external_id="SN-1")
        await add(harness.store, new_client("d1", external_id="sn-1"), new_client("d1", external_id="SN-1 "))

    async def test_a_client_is_found_by_its_external_id(self, harness: Harness) -> None:
        wanted, _, _ = await add(
            harness.store, new_client("d1", external_id="SN-1"), new_client("d1"), new_client("d2", external_id="SN-1")
        )
        for external_id, found in ("SN-1", [wanted.id]), ("SN-", []), ("sn-1", []):
            page = await harness.store.page("d1", ClientFilter(external_id=external_id))
            assert [item.client.id for item in page.items] == found
            assert page.total == len(found)

    async def test_the_same_secret_in_two_domains_is_two_clients(self, harness: Harness) -> None:
        secret = str(uuid.uuid4())
        await add(harness.store, new_client("d1", secret))
        await add(harness.store, new_client("d2", secret))

    async def test_one_bad_element_and_nothing_is_written(self, harness: Harness) -> None:
        good, twice = new_client(tags=("t",), metadata={"a": 1}), new_client()
        with pytest.raises(IdTaken):
            await add(harness.store, good, twice, new_client(id=twice.client.id))
        assert await harness.store.client(good.client.id) is None
        assert (await harness.store.page("d1", ClientFilter(metadata={"a": 1}))).total == 0

    async def test_a_raised_error_means_that_nothing_changed(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client(name="before"))

        async def unit(tx: Transaction) -> None:
            found = await tx.client(client.id)
            assert found is not None
            await tx.remove(found)
            await tx.append([event(1)])
            await tx.revoke([client.id])
            raise NotFound

        with pytest.raises(NotFound):
            await harness.store.run(unit)
        assert await harness.store.client(client.id) == client
        assert await harness.store.outbox(0, 10) == ()
        assert not any(effect.revoked for effect in harness.effects)

    async def test_a_unit_sees_its_own_changes(self, harness: Harness) -> None:
        async def unit(tx: Transaction) -> str:
            wanted = new_client(name="mine")
            await tx.insert([wanted])
            found = await tx.client(wanted.client.id)
            assert found is not None
            return found.name

        assert await harness.store.run(unit) == "mine"

    async def test_decisions_inside_units_do_not_race(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client(name="0"))

        async def unit(tx: Transaction) -> None:
            found = await tx.client(client.id)
            assert found is not None
            await tx.replace(found, replace(found, name=str(int(found.name) + 1)))

        await asyncio.gather(*(harness.store.run(unit) for _ in range(50)))
        after = await harness.store.client(client.id)
        assert after is not None
        assert after.name == "50"

    async def test_a_changed_client_is_found_by_its_new_content_only(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client(name="old", tags=("x", "y"), metadata={"a": [1, 2]}))
        await change(harness.store, client, name="new", tags=("y", "z"), metadata={"a": [2, 3]}, status=1)
        page = harness.store.page
        everything = tuple(Status)
        for found, wanted in (
            (1, ClientFilter(statuses=everything, name="new")),
            (0, ClientFilter(statuses=everything, name="old")),
            (1, ClientFilter(statuses=everything, metadata={"a": [3, 2]})),
            (0, ClientFilter(statuses=everything, metadata={"a": [1]})),
            (0, ClientFilter()),
        ):
            assert (await page("d1", wanted)).total == found, wanted

    async def test_a_removed_client_leaves_nothing(self, harness: Harness) -> None:
        secret = str(uuid.uuid4())
        wanted = new_client("d1", secret, tags=("t",), metadata={"a": 1})
        (client,) = await add(harness.store, wanted)
        connection = Connection(str(uuid.uuid4()), "d1", client.id, ConnectionType.PUBLISH)

        async def unit(tx: Transaction) -> None:
            await tx.connect([connection])
            await tx.remove(client)

        await harness.store.run(unit)
        assert await harness.store.client(client.id) is None
        assert await harness.store.connections(client.id) == ()
        assert (await harness.store.secrets_of(client.id)).rows == ()
        assert (await harness.store.secrets_by_lookup([wanted.secret.lookup])).rows == ()
        await add(harness.store, new_client("d1", secret, id=client.id, tags=("t",), metadata={"a": 1}))

    async def test_clients_by_id_come_once_and_oldest_first(self, harness: Harness) -> None:
        second, first = await add(harness.store, new_client(created_at=200), new_client("d2", created_at=100, status=1))
        found = await harness.store.clients([second.id, first.id, second.id, str(uuid.uuid4())])
        assert found == (first, second)

    async def test_clients_by_id_can_be_many(self, harness: Harness) -> None:
        wanted = await add(harness.store, *(new_client() for _ in range(2000)))
        assert len(await harness.store.clients([client.id for client in wanted])) == 2000

    async def test_a_group_that_is_no_more_is_nobodys_parent(self, harness: Harness) -> None:
        gone, stays = str(uuid.uuid4()), str(uuid.uuid4())
        a, b, c = await add(
            harness.store,
            new_client("d1", parent_group_id=gone, updated_at=7, updated_by="u"),
            new_client("d2", parent_group_id=gone, status=1),
            new_client("d1", parent_group_id=stays),
        )
        assert await harness.store.run(lambda tx: tx.unset_parent_group(gone)) == {a.id: "d1", b.id: "d2"}
        assert await harness.store.run(lambda tx: tx.unset_parent_group(gone)) == {}
        assert await harness.store.client(a.id) == replace(a, parent_group_id=None)
        assert await harness.store.client(b.id) == replace(b, parent_group_id=None)
        assert await harness.store.client(c.id) == c

    async def test_domains_of_clients(self, harness: Harness) -> None:
        a, b = await add(harness.store, new_client("d1"), new_client("d2", status=1))
        wanted = [a.id, str(uuid.uuid4()), "no uuid", b.id, a.id]
        assert await harness.store.run(lambda tx: tx.domains(wanted)) == {a.id: "d1", b.id: "d2"}
        assert await harness.store.run(lambda tx: tx.domains([])) == {}

    async def test_text_is_kept_as_it_is(self, harness: Harness) -> None:
        """Composed and decomposed forms, four-byte characters and quotes all come back."""
        name = "e\u0301 \u00e9 \U0001f525 '\"\\ %_"
        wanted = new_client(name=name, tags=(name,), metadata={name: name})
        await add(harness.store, wanted)
        assert await harness.store.client(wanted.client.id) == wanted.client
