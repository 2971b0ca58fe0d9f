"""What imports and exports need of every store."""

import pytest

from edgeclients.model import Connection, ConnectionType, ImportProgress, Status
from edgeclients.ports import Transaction
from tests.conformance.harness import Harness, add, new_client

CHANNEL = "d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c"
SOURCE = "a" * 64


class ImportContract:
    async def test_clients_are_found_by_external_id(self, harness: Harness) -> None:
        one, other, *_ = await add(
            harness.store,
            new_client("d1", external_id="SN-1"),
            new_client("d1", external_id="SN-2", status=int(Status.DISABLED)),
            new_client("d1"),
            new_client("d2", external_id="SN-1"),
        )

        async def unit(tx: Transaction) -> None:
            found = await tx.clients_with_external_ids("d1", ["SN-2", "SN-1", "SN-1", "SN-", "", "\0"])
            assert {client.id for client in found} == {one.id, other.id}
            assert len(found) == 2
            assert await tx.clients_with_external_ids("nowhere", ["SN-1"]) == []
            assert await tx.clients_with_external_ids("d1", []) == []

        await harness.store.run(unit)

    async def test_clients_are_found_by_name(self, harness: Harness) -> None:
        clients = await add(
            harness.store,
            new_client("d1", name="a"),
            new_client("d1", name="a", status=int(Status.DISABLED)),
            new_client("d1", name="A"),
            new_client("d1"),
            new_client("d2", name="a"),
        )

        async def unit(tx: Transaction) -> None:
            found = await tx.clients_named("d1", ["a", "b", "a", "\0"])
            assert {client.id for client in found} == {client.id for client in clients[:2]}
            assert len(found) == 2

        await harness.store.run(unit)

    async def test_connections_of_a_client_in_a_transaction(self, harness: Harness) -> None:
        client, other = await add(harness.store, new_client("d1"), new_client("d1"))
        wanted = [Connection(CHANNEL, "d1", client.id, kind) for kind in ConnectionType]

        async def unit(tx: Transaction) -> None:
            await tx.connect([*wanted, Connection(CHANNEL, "d1", other.id, ConnectionType.PUBLISH)])
            assert await tx.connections(client.id) == wanted
            await tx.disconnect(wanted[:1])
            assert await tx.connections(client.id) == wanted[1:]

        await harness.store.run(unit)

    async def test_how_far_a_file_was_imported(self, harness: Harness) -> None:
        async def progress(domain: str = "d1", source: str = SOURCE) -> ImportProgress:
            return await harness.store.run(lambda tx: tx.import_progress(domain, source))

        async def note(progress: ImportProgress) -> None:
            await harness.store.run(lambda tx: tx.note_import("d1", SOURCE, progress))

        assert await progress() == ImportProgress()
        await note(ImportProgress(500))
        await note(ImportProgress(700, finished=True))
        assert await progress() == ImportProgress(700, finished=True)
        assert await progress("d2") == ImportProgress()
        assert await progress(source="b" * 64) == ImportProgress()


class SnapshotContract:
    async def test_all_clients_of_a_domain_with_hashes_and_connections(self, harness: Harness) -> None:
        clients = await add(harness.store, *(new_client("d1", name=str(number)) for number in range(450)))
        await add(harness.store, new_client("d2"), new_client("d1", status=int(Status.DELETED)))
        wanted = Connection(CHANNEL, "d1", clients[7].id, ConnectionType.SUBSCRIBE)
        await harness.store.run(lambda tx: tx.connect([wanted]))
        async with harness.store.snapshot("d1") as snapshot:
            for _ in range(2):
                found = {one.client.id: one async for part in snapshot.clients() for one in part}
                assert {one.client for one in found.values()} == set(clients)
                assert found[clients[7].id].connections == {(CHANNEL, ConnectionType.SUBSCRIBE)}
                assert not found[clients[8].id].connections
        kept = await harness.store.run(lambda tx: tx.secret(clients[7].id))
        assert found[clients[7].id].secret == kept.hash

    @pytest.mark.parametrize("domain", ["nowhere", "\0"])
    async def test_a_domain_without_clients(self, harness: Harness, domain: str) -> None:
        async with harness.store.snapshot(domain) as snapshot:
            assert [part async for part in snapshot.clients()] == []

    async def test_it_shows_one_moment_and_nobody_waits_for_it(self, harness: Harness) -> None:
        (before,) = await add(harness.store, new_client("d1", name="before"))
        async with harness.store.snapshot("d1") as snapshot:
            await add(harness.store, new_client("d1", name="after"))
            await harness.store.run(lambda tx: tx.remove(before))
            assert [one.client.name async for part in snapshot.clients() for one in part] == ["before"]
