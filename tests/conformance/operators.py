"""Local operators, their standings and tokens: what every store does with them."""

from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from edgeclients.errors import DomainError, NotFound, TokenNameTaken
from edgeclients.model import ALL_ACTIONS, NO_ACTIONS, Action, DomainStanding, LocalOperator, OperatorToken
from edgeclients.ports import Store, Transaction
from edgeclients.times import FIRST
from tests.conformance.harness import SECOND, Harness, add
from tests.conformance.roles import bare, give, new_role, state

ADMIN, MEMBER = DomainStanding.ADMIN, DomainStanding.MEMBER
ANN = LocalOperator("ann", "Änn", 1_000, {"d1": ADMIN, "d2": MEMBER})
BOB = LocalOperator("bob", "Bob", 2_000, {"d1": MEMBER})


def token(operator: LocalOperator, name: str, digest: str = "", **fields: Any) -> OperatorToken:
    """A token to be written; its digest is made of its name if none is given."""
    made = OperatorToken(operator.id, name, (digest or f"{operator.id} {name}").encode(), "key", FIRST)
    return replace(made, **fields)


async def hire(store: Store, operators: Iterable[LocalOperator], tokens: Iterable[OperatorToken] = ()) -> None:
    """Write operators and tokens."""

    async def unit(tx: Transaction) -> None:
        for operator in operators:
            await tx.put_operator(operator)
        for one in tokens:
            await tx.add_operator_token(one)

    await store.run(unit)


class OperatorContract:
    async def test_an_operator_is_read_as_it_was_written(self, harness: Harness) -> None:
        nobody = LocalOperator("nobody", "", 3_000, {})
        assert await harness.store.operators() == ()
        await hire(harness.store, [nobody, BOB, ANN])
        assert await harness.store.operators() == (ANN, BOB, nobody)
        for operator in (ANN, BOB, nobody):
            assert await harness.store.run(lambda tx, operator=operator: tx.operator(operator.id)) == operator  # type: ignore[misc]
        assert await harness.store.run(lambda tx: tx.operator("Ann")) is None

    async def test_a_standing_is_that_of_one_operator_in_one_domain(self, harness: Harness) -> None:
        await hire(harness.store, [ANN, BOB])
        for operator_id, domain_id, standing in (
            ("ann", "d1", ADMIN),
            ("ann", "d2", MEMBER),
            ("bob", "d1", MEMBER),
            ("bob", "d2", None),
            ("ann", "d3", None),
            ("ann", "", None),
            ("nobody", "d1", None),
        ):
            assert await harness.store.operator_standing(operator_id, domain_id) == standing, (operator_id, domain_id)

    async def test_a_replaced_operator_keeps_the_tokens_and_no_domain(self, harness: Harness) -> None:
        kept = token(ANN, "laptop")
        await hire(harness.store, [ANN, BOB], [kept])
        new = LocalOperator("ann", "Ann", 5_000, {"d2": ADMIN, "d3": MEMBER})
        await hire(harness.store, [new])
        assert await harness.store.operators() == (new, BOB)
        standings = [await harness.store.operator_standing("ann", domain) for domain in ("d1", "d2", "d3")]
        assert standings == [None, ADMIN, MEMBER]
        assert await harness.store.operator_tokens("ann") == (kept,)
        assert await harness.store.operator_token([kept.digest]) == kept

    async def test_a_removed_operator_leaves_nothing(self, harness: Harness) -> None:
        gone, stays = token(ANN, "laptop"), token(BOB, "laptop")
        await hire(harness.store, [ANN, BOB], [gone, stays])
        await harness.store.run(lambda tx: tx.remove_operator("ann"))
        assert await harness.store.operators() == (BOB,)
        assert await harness.store.run(lambda tx: tx.operator("ann")) is None
        assert await harness.store.operator_standing("ann", "d1") is None
        assert await harness.store.operator_tokens("ann") == ()
        assert await harness.store.operator_token([gone.digest]) is None
        assert await harness.store.operator_token([gone.digest, stays.digest]) == stays
        assert await harness.store.operator_standing("bob", "d1") == MEMBER
        await hire(harness.store, [replace(ANN, domains={})])
        assert await harness.store.operators() == (replace(ANN, domains={}), BOB)
        assert await harness.store.operator_tokens("ann") == ()

    async def test_removing_nobody_does_no_harm(self, harness: Harness) -> None:
        await hire(harness.store, [ANN])
        await harness.store.run(lambda tx: tx.remove_operator("nobody"))
        assert await harness.store.operators() == (ANN,)

    async def test_tokens_are_read_by_name_as_they_were_written(self, harness: Harness) -> None:
        past, used = token(ANN, "b", expires_at=1), token(ANN, "B", expires_at=2**62, last_used_at=9)
        plain, umlaut = token(ANN, "a"), token(ANN, "Ä")
        await hire(harness.store, [ANN, BOB], [past, used, plain, umlaut, token(BOB, "c")])
        assert await harness.store.operator_tokens("ann") == (used, plain, past, umlaut)
        assert await harness.store.operator_tokens("nobody") == ()

    async def test_a_token_name_is_taken_at_one_operator(self, harness: Harness) -> None:
        here, there = token(ANN, "laptop"), token(BOB, "laptop")
        await hire(harness.store, [ANN, BOB], [here, there])
        with pytest.raises(TokenNameTaken):
            await hire(harness.store, [replace(ANN, name="changed")], [token(ANN, "other"), token(ANN, "laptop", "new")])
        assert await harness.store.operators() == (ANN, BOB)
        assert await harness.store.operator_tokens("ann") == (here,)
        assert await harness.store.operator_tokens("bob") == (there,)
        assert await harness.store.operator_token([b"new"]) is None

    async def test_a_token_needs_its_operator_and_a_digest_of_its_own(self, harness: Harness) -> None:
        await hire(harness.store, [ANN], [token(ANN, "laptop", "same")])
        for wrong in (token(BOB, "laptop"), token(ANN, "other", "same")):
            with pytest.raises(DomainError):
                await hire(harness.store, [], [wrong])
        assert await harness.store.operator_tokens("bob") == ()
        assert len(await harness.store.operator_tokens("ann")) == 1

    async def test_removing_a_token_says_whether_there_was_one(self, harness: Harness) -> None:
        here, there = token(ANN, "laptop"), token(BOB, "laptop")
        await hire(harness.store, [ANN, BOB], [here, there])
        for operator_id, name, removed in (("ann", "Laptop", False), ("nobody", "laptop", False), ("ann", "laptop", True)):
            unit = await harness.store.run(lambda tx, key=(operator_id, name): tx.remove_operator_token(*key))  # type: ignore[misc]
            assert unit is removed, (operator_id, name)
        assert not await harness.store.run(lambda tx: tx.remove_operator_token("ann", "laptop"))
        assert await harness.store.operator_token([here.digest]) is None
        assert await harness.store.operator_token([there.digest]) == there
        await hire(harness.store, [], [here])

    async def test_a_token_is_found_by_one_of_several_digests(self, harness: Harness) -> None:
        one, past = token(ANN, "one"), token(BOB, "past", expires_at=1)
        await hire(harness.store, [ANN, BOB], [one, past])
        for digests, found in (
            ([one.digest], one),
            ([b"none", one.digest], one),
            ([past.digest, b"none"], past),
            ([b"none", b""], None),
            ([], None),
        ):
            assert await harness.store.operator_token(digests) == found, digests

    async def test_a_touched_token_is_found_by_its_new_digest_only(self, harness: Harness) -> None:
        old, beside = token(ANN, "laptop", expires_at=2**62), token(ANN, "phone")
        await hire(harness.store, [ANN], [old, beside])

        async def unit(tx: Transaction) -> int:
            await tx.touch_operator_token(old, b"new", "key 2")
            return tx.now

        now = await harness.store.run(unit)
        new = replace(old, digest=b"new", key_id="key 2", last_used_at=now)
        assert await harness.store.operator_token([old.digest]) is None
        assert await harness.store.operator_token([old.digest, b"new"]) == new
        assert await harness.store.operator_tokens("ann") == (new, beside)

    async def test_a_token_can_be_touched_again_and_again(self, harness: Harness) -> None:
        kept = token(ANN, "laptop")
        await hire(harness.store, [ANN], [kept])

        async def unit(tx: Transaction) -> int:
            await tx.touch_operator_token(kept, kept.digest, kept.key_id)
            return tx.now

        for _ in range(3):
            now = await harness.store.run(unit)
            assert await harness.store.operator_token([kept.digest]) == replace(kept, last_used_at=now)
        assert harness.store.now() - now < 60 * SECOND

    async def test_a_removed_token_is_not_brought_back_by_its_use(self, harness: Harness) -> None:
        gone = token(ANN, "laptop")
        await hire(harness.store, [ANN], [gone])
        await harness.store.run(lambda tx: tx.remove_operator_token("ann", "laptop"))
        await harness.store.run(lambda tx: tx.touch_operator_token(gone, b"new", "key"))
        assert await harness.store.operator_tokens("ann") == ()
        successor = token(ANN, "laptop", "successor")
        await hire(harness.store, [], [successor])
        await harness.store.run(lambda tx: tx.touch_operator_token(gone, b"new", "key"))
        assert await harness.store.operator_tokens("ann") == (successor,)
        assert await harness.store.operator_token([gone.digest, b"new"]) is None

    async def test_somebody_leaves_all_roles_in_all_domains(self, harness: Harness) -> None:
        a, b, c, d = await add(harness.store, bare("d1"), bare("d1", status=1), bare("d2"), bare("d3"))
        left = await give(
            harness.store,
            new_role(a, "r", Action.READ, ["ann", "bob"]),
            new_role(b, "r", NO_ACTIONS, ["ann"]),
            new_role(c, "r", ALL_ACTIONS, ["zoe", "ann"]),
        )
        await give(harness.store, new_role(a, "s", members=["zoe"]), new_role(d, "r", members=["bob"]), new_role(d, "ann"))
        before = await state(harness.store, a, b, c, d)

        async def unit(tx: Transaction) -> int:
            roles = await tx.leave_roles("ann", "boss")
            assert sorted(roles, key=lambda role: role.id) == sorted(left, key=lambda role: role.id)
            return tx.now

        now = await harness.store.run(unit)
        expected = {
            role_id: (replace(role, updated_at=now, updated_by="boss"), tuple(m for m in members if m != "ann"))
            if "ann" in members
            else (role, members)
            for role_id, (role, members) in before.items()
        }
        assert await state(harness.store, a, b, c, d) == expected
        assert [await harness.store.role_held(client.id, "ann") for client in (a, b, c)] == [None] * 3

    async def test_roles_are_told_as_they_were_before_they_were_left(self, harness: Harness) -> None:
        (client,) = await add(harness.store, bare())
        (role,) = await give(harness.store, new_role(client, "r", members=["ann", "bob"]))
        old = replace(role, actions=ALL_ACTIONS, updated_at=5, updated_by="before")
        await harness.store.run(lambda tx: tx.replace_role(role, old))
        assert await harness.store.run(lambda tx: tx.leave_roles("ann", "boss")) == (old,)
        assert await harness.store.run(lambda tx: tx.leave_roles("ann", "boss")) == ()
        assert await harness.store.run(lambda tx: tx.leave_roles("nobody", "boss")) == ()

    async def test_a_raised_error_undoes_all_of_it(self, harness: Harness) -> None:
        (client,) = await add(harness.store, bare())
        await give(harness.store, new_role(client, "r", members=["ann"]))
        kept = token(ANN, "laptop"), token(ANN, "phone"), token(BOB, "laptop")
        await hire(harness.store, [ANN, BOB], kept)
        roles = await state(harness.store, client)

        async def unit(tx: Transaction) -> None:
            await tx.put_operator(LocalOperator("new", "New", 1, {"d1": ADMIN}))
            await tx.put_operator(replace(BOB, name="Robert", domains={}))
            await tx.touch_operator_token(kept[0], b"touched", "key 2")
            assert await tx.remove_operator_token("ann", "phone")
            assert len(await tx.leave_roles("ann", "boss")) == 1
            await tx.remove_operator("ann")
            assert await tx.operator("ann") is None
            assert await tx.operator("bob") == replace(BOB, name="Robert", domains={})
            raise NotFound

        with pytest.raises(NotFound):
            await harness.store.run(unit)
        assert await harness.store.operators() == (ANN, BOB)
        assert await harness.store.operator_tokens("ann") == kept[:2]
        assert [await harness.store.operator_token([one.digest]) for one in kept] == list(kept)
        assert await harness.store.operator_token([b"touched"]) is None
        assert [await harness.store.operator_standing(name, "d1") for name in ("ann", "bob", "new")] == [ADMIN, MEMBER, None]
        assert await state(harness.store, client) == roles
