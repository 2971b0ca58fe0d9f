"""What imports and exports need of every store."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from tempfile import TemporaryFile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edgeclients.core.authz.access import Access
from edgeclients.core.parents import Parents
from edgeclients.core.provisioning.exporting import Exports, Format
from edgeclients.core.provisioning.importing import Imports, Options
from edgeclients.core.provisioning.summary import Summary
from edgeclients.core.secrets.issue import Secrets
from edgeclients.core.secrets.pool import Argon2Threads, HashQueue
from edgeclients.http.wire.provisioning import read_file
from edgeclients.model import EVERYTHING, Connection, ConnectionType, ImportProgress, Session, Standing, Status, StoredSecret
from edgeclients.operations import Operation
from edgeclients.ports import Authorizer, Transaction
from tests.conformance.harness import KEYRING, ONE_STORE, Harness, add, chosen, new_client
from tests.support.strategies import CLIENTS

CHANNEL = "d8e9c2f0-5a4b-4e0e-9c39-0d5e6f1a2b3c"
SOURCE = "a" * 64
GENERATED, CHOSEN, BROUGHT = SECRETS = "generated", "chosen", "brought from elsewhere"
ELSEWHERE = "$argon2id$v=19$m=8,t=1,p=1$c29tZSBzYWx0$" + "A" * 43


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


class ExportPropertiesContract:
    @ONE_STORE
    @given(
        rows=st.lists(CLIENTS, max_size=6),
        secrets=st.lists(st.sampled_from(SECRETS), min_size=6, max_size=6),
        form=st.sampled_from(Format),
        with_hashes=st.booleans(),
        atomic=st.booleans(),
    )
    async def test_what_is_exported_can_be_imported_and_changes_nothing(
        self, harness: Harness, rows: list[dict[str, Any]], secrets: list[str], form: Format, with_hashes: bool, atomic: bool
    ) -> None:
        session = Session("operator", uuid.uuid4().hex, super_admin=True, request_id="")
        serials = [None, *SERIALS]
        clients = [
            new_client(session.domain_id, **row, identity=SERIALS[number % 3], external_id=serials[number] or "")
            for number, row in enumerate(rows)
        ]
        kept = [_kept(session.domain_id, number, kind) for number, kind in enumerate(secrets)]
        clients = [replace(client, secret=secret or client.secret) for client, secret in zip(clients, kept, strict=False)]
        await add(harness.store, *clients)
        content = await self.exported(harness, session, form, with_hashes=with_hashes)

        async def body() -> AsyncIterator[bytes]:
            yield content

        async def caller() -> Session:
            return session

        file = await read_file({Format.CSV: "text/csv", Format.JSONL: "application/jsonl"}[form], body(), {})
        with closing(Argon2Threads(1)) as threads:
            keeping = Secrets(harness.store, KEYRING, HashQueue(threads, 1))
            access = Access(harness.store, _Everything())
            imports = Imports(harness.store, access, keeping, Parents(harness.store, access), TemporaryFile, lambda: 0)
            found = imports.run(session, Options(key=file.key, atomic=atomic), file.lines, caller)
            told = [one async for some in found for one in some]
        assert told == [Summary(unchanged=len(rows))]
        assert await self.exported(harness, session, form, with_hashes=with_hashes) == content
        for client in clients:
            assert await harness.store.client(client.client.id) == client.client

    @staticmethod
    async def exported(harness: Harness, session: Session, form: Format, *, with_hashes: bool) -> bytes:
        exports = Exports(harness.store, Access(harness.store, _Everything()))
        return b"".join([part async for part in exports.run(session, form, with_hashes=with_hashes)])


SERIALS = ("SN-1", "=1", "'x", 'a,"b"', "\r\n", "-7", "007")


def _kept(domain_id: str, number: int, kind: str) -> StoredSecret | None:
    """A secret of a kind as it is stored; None for a generated one."""
    if kind == BROUGHT:
        return KEYRING.adopt(domain_id, ELSEWHERE)
    return chosen(domain_id, f"secret {number}") if kind == CHOSEN else None


class _Everything(Authorizer):
    async def standing(self, session: Session, operation: Operation, client_ids: Sequence[str] = ()) -> Standing:
        return EVERYTHING
