"""Secrets, revisions and revocations: what every store does with them."""

import uuid

import pytest
from msgspec.structs import replace

from edgeclients.errors import SecretTaken
from edgeclients.model import Client, NewClient, Retirement, RetiringPlace, Revocations, Status, StoredSecret
from edgeclients.ports import Store, Transaction
from tests.conformance.harness import KEYRING, SECOND, Harness, add, chosen, new_client

FIRST = RetiringPlace(0, "")


def _kept(secret: str) -> StoredSecret:
    return KEYRING.keep_generated("d1", secret)


def _with(new: NewClient, secret: StoredSecret) -> NewClient:
    return replace(new, secret=secret)


async def _rotate(store: Store, client: Client, secret: StoredSecret, grace: int) -> None:
    """Replace a secret; the old one lives for `grace` seconds, or is expired already if that is negative."""

    async def unit(tx: Transaction) -> None:
        old = await tx.secret(client.id)
        await tx.set_secret(client, secret)
        await tx.retire(client, Retirement(client.id, old, tx.now + grace * SECOND))

    await store.run(unit)


class SecretContract:
    async def test_a_secret_is_found_by_client_and_by_lookup(self, harness: Harness) -> None:
        wanted = new_client(status=1)
        (client,) = await add(harness.store, wanted)
        by_id = await harness.store.secrets_of(client.id)
        (row,) = by_id.rows
        assert (row.client_id, row.domain_id, row.status, row.expires_at) == (client.id, "d1", 1, None)
        assert row.hash == wanted.secret.hash
        assert await harness.store.secrets_by_lookup([b"none", wanted.secret.lookup]) == by_id

    async def test_a_retiring_secret_is_found_beside_the_current_one(self, harness: Harness) -> None:
        wanted = new_client()
        (client,) = await add(harness.store, wanted)
        new = _kept(str(uuid.uuid4()))
        await _rotate(harness.store, client, new, grace=60)
        rows = {row.hash: row.expires_at for row in (await harness.store.secrets_of(client.id)).rows}
        assert rows[new.hash] is None
        assert (rows[wanted.secret.hash] or 0) > harness.store.now()
        (retiring,) = (await harness.store.secrets_by_lookup([wanted.secret.lookup])).rows
        assert retiring.expires_at == rows[wanted.secret.hash]

    async def test_a_retiring_secret_is_taken(self, harness: Harness) -> None:
        secret = str(uuid.uuid4())
        (client,) = await add(harness.store, new_client("d1", secret))
        await _rotate(harness.store, client, _kept(str(uuid.uuid4())), grace=60)
        with pytest.raises(SecretTaken):
            await add(harness.store, new_client("d1", secret))
        (other,) = await add(harness.store, new_client("d1"))
        with pytest.raises(SecretTaken):
            await harness.store.run(lambda tx: tx.set_secret(other, _kept(secret)))

    async def test_an_expired_secret_is_free_again(self, harness: Harness) -> None:
        secret = str(uuid.uuid4())
        (client,) = await add(harness.store, new_client("d1", secret))
        await _rotate(harness.store, client, _kept(str(uuid.uuid4())), grace=-1)
        await add(harness.store, new_client("d1", secret))
        assert len((await harness.store.secrets_of(client.id)).rows) == 1

    async def test_a_client_may_return_to_its_own_retiring_secret(self, harness: Harness) -> None:
        wanted = new_client()
        (client,) = await add(harness.store, wanted)
        await _rotate(harness.store, client, _kept(str(uuid.uuid4())), grace=60)
        await harness.store.run(lambda tx: tx.set_secret(client, wanted.secret))
        (row,) = (await harness.store.secrets_of(client.id)).rows
        assert (row.hash, row.expires_at) == (wanted.secret.hash, None)

    async def test_retirements_are_listed_the_first_to_expire_first_and_dropped_together(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        for grace in (60, 20, 40, -1):
            await _rotate(harness.store, client, _kept(str(uuid.uuid4())), grace=grace)
        retiring = await harness.store.run(lambda tx: tx.retirements(client.id))
        assert len(retiring) == 3
        assert list(retiring) == sorted(retiring, key=lambda one: one.expires_at)
        await harness.store.run(lambda tx: tx.drop_retirements(client.id))
        assert len((await harness.store.secrets_of(client.id)).rows) == 1

    async def test_a_secret_is_taken_under_any_of_its_equivalents(self, harness: Harness) -> None:
        """The same secret under another pepper or scheme has another digest, and is the same secret."""
        (one, other) = new_client(), new_client()
        await add(harness.store, one)
        twin = StoredSecret("$hmac-sha256$other$00", b"other", None, (one.secret.lookup,))
        with pytest.raises(SecretTaken):
            await harness.store.run(lambda tx: tx.insert([_with(other, twin)]))
        await add(harness.store, other)
        with pytest.raises(SecretTaken):
            await harness.store.run(lambda tx: tx.set_secret(other.client, twin))
        await harness.store.run(lambda tx: tx.set_secret(one.client, twin))

    async def test_schemes_are_those_of_chosen_secrets_of_the_domain(self, harness: Harness) -> None:
        assert await harness.store.schemes("d1") == ()
        await add(harness.store, new_client("d1"), _with(new_client("d2"), chosen("d2", "open sesame")))
        assert await harness.store.schemes("d1") == ()
        assert await harness.store.schemes("d2") == (str(KEYRING.argon2),)

    async def test_a_retiring_chosen_secret_keeps_its_scheme_known(self, harness: Harness) -> None:
        (client,) = await add(harness.store, _with(new_client("d1"), chosen("d1", "open sesame")))
        await _rotate(harness.store, client, _kept(str(uuid.uuid4())), grace=60)
        assert await harness.store.schemes("d1") == (str(KEYRING.argon2),)


class RetiringContract:
    async def test_those_of_a_domain_the_first_to_expire_first(self, harness: Harness) -> None:
        first, second, gone, other = await add(
            harness.store,
            new_client("d1", name="one", external_id="SN-1"),
            new_client("d1", status=int(Status.DISABLED)),
            new_client("d1"),
            new_client("d2"),
        )
        await add(harness.store, new_client("d1"))
        for client, grace in ((second, 60), (first, 30), (first, 90), (gone, 10), (other, 5)):
            new = KEYRING.keep_generated(client.domain_id, str(uuid.uuid4()))
            await _rotate(harness.store, client, new, grace)
        await harness.store.run(lambda tx: tx.remove(gone))
        found = await harness.store.retiring("d1", FIRST, 100)
        assert [one.client_id for one in found] == [first.id, second.id, first.id]
        assert [(one.name, one.external_id, one.status) for one in found[:2]] == [("one", "SN-1", 0), ("", "", 1)]
        assert all(one.last_used_at is None and one.counted_from is None for one in found)
        assert [(one.expires_at - one.retired_at) // SECOND for one in found] == [30, 60, 90]
        assert await harness.store.retiring_of(first.id) == (found[0], found[2])
        assert await harness.store.retiring_of(str(uuid.uuid4())) == ()
        assert await harness.store.retiring_of("\0") == ()
        for nowhere in ("d3", "\0"):
            assert await harness.store.retiring(nowhere, FIRST, 100) == ()

    async def test_pages_follow_one_another_where_several_expire_together(self, harness: Harness) -> None:
        clients = await add(harness.store, *(new_client("d1") for _ in range(7)))
        at = harness.store.now() + 60 * SECOND

        async def unit(tx: Transaction) -> None:
            for client in clients:
                old = await tx.secret(client.id)
                await tx.set_secret(client, _kept(str(uuid.uuid4())))
                await tx.retire(client, Retirement(client.id, old, at))

        await harness.store.run(unit)
        place, found = FIRST, []
        while part := await harness.store.retiring("d1", place, 2):
            found += [one.client_id for one in part]
            place = part[-1].place
        assert found == sorted(client.id for client in clients)

    async def test_when_one_was_last_used(self, harness: Harness) -> None:
        wanted = new_client("d1")
        (client,) = await add(harness.store, wanted)
        await _rotate(harness.store, client, _kept(str(uuid.uuid4())), grace=60)
        await harness.store.run(lambda tx: tx.touch_retirement(client.id, wanted.secret.hash))
        (one,) = await harness.store.retiring("d1", FIRST, 1)
        assert one.last_used_at is not None
        assert one.retired_at <= one.last_used_at <= harness.store.now()


class RevocationContract:
    async def test_every_revocation_has_the_next_revision(self, harness: Harness) -> None:
        a, b = await add(harness.store, new_client(), new_client())
        await harness.store.run(lambda tx: tx.revoke([a.id, b.id]))
        await harness.store.run(lambda tx: tx.revoke([a.id]))
        revoked = [pair for effect in harness.effects for pair in effect.revoked]
        assert [client_id for client_id, _ in revoked] == [a.id, b.id, a.id]
        revisions = [revision for _, revision in revoked]
        assert revisions == list(range(revisions[0], revisions[0] + 3))

    async def test_a_read_names_the_revision_it_was_made_at(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        before = (await harness.store.secrets_of(client.id)).revision
        await harness.store.run(lambda tx: tx.revoke([client.id]))
        ((_, revision),) = harness.effects[-1].revoked
        assert before < revision == (await harness.store.secrets_of(client.id)).revision

    async def test_a_failed_unit_uses_no_revision_up(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())

        async def failing(tx: Transaction) -> None:
            await tx.revoke([client.id])
            raise SecretTaken

        with pytest.raises(SecretTaken):
            await harness.store.run(failing)
        await harness.store.run(lambda tx: tx.revoke([client.id]))
        ((_, revision),) = harness.effects[-1].revoked
        assert revision == (await harness.store.secrets_of(client.id)).revision

    async def test_a_grant_is_told(self, harness: Harness) -> None:
        assert not any(effect.granted for effect in harness.effects)
        await harness.store.run(lambda tx: tx.grant())
        assert harness.effects[-1].granted

    async def test_who_lost_access_is_told_by_revision(self, harness: Harness) -> None:
        """In order, without a hole, and no more of those one knows."""
        clients = [client.id for client in await add(harness.store, *(new_client() for _ in range(3)))]
        before = (await harness.store.revocations(0)).revision
        assert await harness.store.revocations(before) == Revocations(before, ())
        await harness.store.run(lambda tx: tx.revoke(clients[:2]))
        await harness.store.run(lambda tx: tx.revoke(clients[2:]))
        told = await harness.store.revocations(before)
        assert told == Revocations(before + 3, tuple(zip(clients, range(before + 1, before + 4), strict=True)))
        assert await harness.store.revocations(before + 2) == Revocations(before + 3, told.revoked[2:])
        assert tuple(pair for effect in harness.effects for pair in effect.revoked) == told.revoked
