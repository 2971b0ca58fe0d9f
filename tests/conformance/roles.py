"""Roles and their members: what every store does with them."""

import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from edgeclients.core.ids import new_role_id
from edgeclients.errors import DomainError, NotFound, RoleNameTaken
from edgeclients.model import (
    ALL_ACTIONS,
    BY_DOMAIN,
    DIRECT,
    NO_ACTIONS,
    Action,
    Client,
    MemberFilter,
    Membership,
    NewClient,
    NewRole,
    Role,
    RoleFilter,
)
from edgeclients.ports import RoleStore, RoleTransaction, Store, Transaction
from tests.conformance.harness import OPERATOR, Harness, add, new_client

T = TypeVar("T")

CREATED = 1_000
FAR = 2**63 - 1


def bare(domain: str = "d1", **fields: Any) -> NewClient:
    """A client to be written whose built-in role allows nothing and has no member."""
    new = new_client(domain, **fields)
    return replace(new, role=replace(new.role, actions=NO_ACTIONS, members=()))


def new_role(client: Client, name: str, actions: Action = Action.READ, members: Iterable[str] = (), **fields: Any) -> NewRole:
    """A role to be written."""
    made = NewRole(new_role_id(), client.id, name, actions, CREATED, OPERATOR, tuple(members))
    return replace(made, **fields)


async def give(store: Store, *roles: NewRole) -> list[Role]:
    """Write roles."""

    async def unit(tx: Transaction) -> None:
        for role in roles:
            await tx.add_role(role)

    await store.run(unit)
    return [role.role() for role in roles]


async def told(store: Store, read: Callable[[RoleStore | RoleTransaction], Awaitable[T]]) -> T:
    """What a read gives: the same in a unit and outside."""
    found = await read(store)
    assert await store.run(read) == found
    return found


async def state(store: Store, *clients: Client) -> dict[str, tuple[Role, tuple[str, ...]]]:
    """All roles of these clients with their members, by role id."""
    return {
        role.id: (role, (await store.members(role, 0, 20_000)).items)
        for client in clients
        for role in (await store.roles(client.id, 0, 2_000)).items
    }


class RoleContract:
    async def test_a_client_is_born_with_its_role(self, harness: Harness) -> None:
        new, other = new_client(), new_client()
        await add(harness.store, new, other)
        role = new.role.role()
        assert await told(harness.store, lambda reads: reads.role(new.client.id, role.id)) == role
        assert await told(harness.store, lambda reads: reads.role_held(new.client.id, OPERATOR)) == role
        assert (await harness.store.roles(new.client.id, 0, 10)).items == (role,)
        assert (await harness.store.members(role, 0, 10)).items == (OPERATOR,)

    async def test_a_role_is_read_as_it_was_written(self, harness: Harness) -> None:
        (client,) = await add(harness.store, bare())
        names = ("e\u0301 \u00e9 \U0001f525 '\"\\ %_", "Reader", "reader", " ")
        for name, actions in zip(names, (NO_ACTIONS, ALL_ACTIONS, *Action), strict=False):
            (role,) = await give(harness.store, new_role(client, name, actions))
            assert await told(harness.store, lambda reads, role=role: reads.role(client.id, role.id)) == role  # type: ignore[misc]

    @pytest.mark.parametrize("actions", [NO_ACTIONS, *Action, Action.READ | Action.VIEW_ROLE_USERS, ALL_ACTIONS])
    async def test_every_action_is_kept(self, harness: Harness, actions: Action) -> None:
        (client,) = await add(harness.store, bare())
        (role,) = await give(harness.store, new_role(client, "r", actions, ["m"]))
        held = await told(harness.store, lambda reads: reads.role_held(client.id, "m"))
        assert held is not None
        assert held.actions == role.actions == actions

    async def test_a_role_is_found_at_its_own_client_only(self, harness: Harness) -> None:
        one, other = await add(harness.store, bare(), bare())
        (role,) = await give(harness.store, new_role(one, "r"))
        for client_id, role_id in ((other.id, role.id), (one.id, new_role_id()), (str(uuid.uuid4()), role.id)):
            assert await told(harness.store, lambda reads, key=(client_id, role_id): reads.role(*key)) is None  # type: ignore[misc]

    @pytest.mark.parametrize("odd", ["\0", "a\0b", "\U0001f525", "'", "", "x" * 3000])
    async def test_what_no_id_can_be_is_like_any_unknown_one(self, harness: Harness, odd: str) -> None:
        new = new_client()
        (client,) = await add(harness.store, new)
        assert await told(harness.store, lambda reads: reads.role(client.id, odd)) is None
        assert await told(harness.store, lambda reads: reads.role(odd, new.role.id)) is None
        assert await told(harness.store, lambda reads: reads.role_held(client.id, odd)) is None
        assert await harness.store.client(odd) is None
        assert await harness.store.run(lambda tx: tx.client(odd)) is None
        assert not await harness.store.run(lambda tx: tx.is_managed(odd))
        assert await harness.store.run(lambda tx: tx.roles_held(client.id, [odd, OPERATOR])) == {OPERATOR: new.role.id}
        assert (await harness.store.secrets_of(odd)).rows == ()
        assert await harness.store.schemes(odd) == ()
        assert await harness.store.connections(odd) == ()
        assert await harness.store.operator_standing(odd, odd) is None

    async def test_somebody_holds_what_they_are_a_member_of(self, harness: Harness) -> None:
        one, other = await add(harness.store, bare(), bare())
        here, there = await give(
            harness.store, new_role(one, "r", members=["a", "b"]), new_role(other, "r", members=["b", "c"])
        )
        for client, member, held in (
            (one, "a", here),
            (one, "b", here),
            (one, "c", None),
            (one, "A", None),
            (other, "a", None),
            (other, "b", there),
        ):
            assert await told(harness.store, lambda reads, key=(client.id, member): reads.role_held(*key)) == held  # type: ignore[misc]

    async def test_roles_held_leaves_out_those_without_one(self, harness: Harness) -> None:
        one, other = await add(harness.store, bare(), bare())
        reader, writer, _ = await give(
            harness.store,
            new_role(one, "reader", members=["a", "b"]),
            new_role(one, "writer", members=["c", 'quo"te']),
            new_role(other, "reader", members=["d"]),
        )
        for asked, held in (
            (["a", "c", "d", "nobody"], {"a": reader.id, "c": writer.id}),
            (["b", "b", 'quo"te'], {"b": reader.id, 'quo"te': writer.id}),
            (["d"], {}),
            ([], {}),
        ):
            assert await harness.store.run(lambda tx, asked=asked: tx.roles_held(one.id, asked)) == held, asked  # type: ignore[misc]

    async def test_roles_are_counted_for_each_client(self, harness: Harness) -> None:
        one, other = await add(harness.store, bare(), bare())
        await give(harness.store, new_role(one, "a"), new_role(one, "b", members=["x", "y"]))
        counts = [await harness.store.run(lambda tx, client=client: tx.count_roles(client.id)) for client in (one, other)]  # type: ignore[misc]
        assert counts == [3, 1]
        assert await harness.store.run(lambda tx: tx.count_roles(str(uuid.uuid4()))) == 0

    @pytest.mark.parametrize(
        ("roles", "managed"),
        [
            ([(Action.MANAGE_ROLE, ["m"])], True),
            ([(ALL_ACTIONS, ["m", "n"])], True),
            ([(Action.MANAGE_ROLE, [])], False),
            ([(ALL_ACTIONS ^ Action.MANAGE_ROLE, ["m"])], False),
            ([(Action.MANAGE_ROLE, []), (Action.READ, ["m"])], False),
            ([(Action.MANAGE_ROLE, []), (Action.MANAGE_ROLE, ["m"])], True),
            ([(NO_ACTIONS, ["m"])], False),
            ([], False),
        ],
    )
    async def test_a_client_is_managed_by_a_role_that_can_and_has_a_member(
        self, harness: Harness, roles: list[tuple[Action, list[str]]], managed: bool
    ) -> None:
        client, other = await add(harness.store, bare(), bare())
        await give(harness.store, *(new_role(client, f"r{n}", *role) for n, role in enumerate(roles)))
        await give(harness.store, new_role(other, "r", Action.MANAGE_ROLE, [] if managed else ["m"]))
        assert await harness.store.run(lambda tx: tx.is_managed(client.id)) is managed
        assert await harness.store.run(lambda tx: tx.is_managed(other.id)) is not managed

    async def test_a_name_is_taken_at_one_client(self, harness: Harness) -> None:
        one, other = await add(harness.store, bare(), bare())
        await give(harness.store, new_role(one, "r", members=["a"]))
        before = await state(harness.store, one)
        again = new_role(one, "r", ALL_ACTIONS, ["b"])
        with pytest.raises(RoleNameTaken):
            await give(harness.store, new_role(one, "s", members=["c"]), again)
        assert await state(harness.store, one) == before
        assert await harness.store.role(one.id, again.id) is None
        assert [await harness.store.role_held(one.id, member) for member in "bc"] == [None, None]
        await give(harness.store, new_role(one, "R"), new_role(other, "r", members=["a"]))

    async def test_nobody_has_two_roles_on_a_client(self, harness: Harness) -> None:
        (client,) = await add(harness.store, bare())
        reader, writer = await give(harness.store, new_role(client, "reader", members=["a"]), new_role(client, "writer"))
        before = await state(harness.store, client)
        with pytest.raises(DomainError):
            await harness.store.run(lambda tx: tx.add_members(writer, ["b", "a"]))
        with pytest.raises(DomainError):
            await give(harness.store, new_role(client, "third", members=["a"]))
        assert await state(harness.store, client) == before
        assert await harness.store.role_held(client.id, "a") == reader

    async def test_a_replaced_role_keeps_its_members(self, harness: Harness) -> None:
        one, other = await add(harness.store, bare(), bare())
        old, beside, twin = await give(
            harness.store,
            new_role(one, "r", Action.READ, ["a", "b"]),
            new_role(one, "s", Action.READ, ["c"]),
            new_role(other, "r", Action.READ, ["a"]),
        )
        new = replace(old, name="t", actions=Action.UPDATE | Action.DELETE, updated_at=77, updated_by="somebody")
        await harness.store.run(lambda tx: tx.replace_role(old, new))
        assert await told(harness.store, lambda reads: reads.role(one.id, old.id)) == new
        assert (await harness.store.members(new, 0, 10)).items == ("a", "b")
        assert await harness.store.role_held(one.id, "a") == new
        assert await harness.store.role(one.id, beside.id) == beside
        assert await harness.store.role(other.id, twin.id) == twin
        await give(harness.store, new_role(one, "r"))

    async def test_a_role_may_keep_its_name_and_change(self, harness: Harness) -> None:
        (client,) = await add(harness.store, bare())
        (old,) = await give(harness.store, new_role(client, "r"))
        new = replace(old, actions=NO_ACTIONS, updated_at=5, updated_by="u")
        await harness.store.run(lambda tx: tx.replace_role(old, new))
        assert await harness.store.role(client.id, old.id) == new

    async def test_a_role_does_not_take_the_name_of_another(self, harness: Harness) -> None:
        one, other = await add(harness.store, bare(), bare())
        role, *_ = await give(harness.store, new_role(one, "r"), new_role(one, "s"), new_role(other, "elsewhere"))
        before = await state(harness.store, one)
        with pytest.raises(RoleNameTaken):
            await harness.store.run(lambda tx: tx.replace_role(role, replace(role, name="s", updated_at=5, updated_by="u")))
        assert await state(harness.store, one) == before
        await harness.store.run(lambda tx: tx.replace_role(role, replace(role, name="elsewhere")))

    async def test_a_removed_role_lets_its_members_go(self, harness: Harness) -> None:
        one, other = await add(harness.store, bare(), bare())
        gone, stays, twin = await give(
            harness.store,
            new_role(one, "r", members=["a", "b"]),
            new_role(one, "s", members=["c"]),
            new_role(other, "r", members=["a"]),
        )
        await harness.store.run(lambda tx: tx.remove_role(gone))
        assert await told(harness.store, lambda reads: reads.role(one.id, gone.id)) is None
        assert await told(harness.store, lambda reads: reads.role_held(one.id, "a")) is None
        assert (await harness.store.members(gone, 0, 10)).total == 0
        assert await harness.store.role_held(one.id, "c") == stays
        assert await harness.store.role_held(other.id, "a") == twin
        await harness.store.run(lambda tx: tx.add_members(stays, ["a"]))
        (again,) = await give(harness.store, new_role(one, "r", members=["b"]))
        assert (await harness.store.members(again, 0, 10)).items == ("b",)
        assert (await harness.store.members(stays, 0, 10)).items == ("a", "c")

    async def test_members_come_and_go(self, harness: Harness) -> None:
        one, other = await add(harness.store, bare(), bare())
        role, beside, twin = await give(
            harness.store,
            new_role(one, "r", members=["a"]),
            new_role(one, "s", members=["x"]),
            new_role(other, "r", members=["a", "b"]),
        )
        others = await state(harness.store, other)
        await harness.store.run(lambda tx: tx.add_members(role, ["b", "c"]))
        assert (await harness.store.members(role, 0, 10)).items == ("a", "b", "c")
        removed = await harness.store.run(lambda tx: tx.remove_members(role, ["b", "x", "nobody", "a", "b"]))
        assert sorted(removed) == ["a", "b"]
        assert (await harness.store.members(role, 0, 10)).items == ("c",)
        assert await harness.store.run(lambda tx: tx.remove_members(role, ["b", "x"])) == ()
        assert await harness.store.run(lambda tx: tx.remove_members(role, [])) == ()
        assert await harness.store.run(lambda tx: tx.remove_members(role, None)) == ("c",)
        assert await harness.store.run(lambda tx: tx.remove_members(role, None)) == ()
        assert await harness.store.role_held(one.id, "x") == beside
        assert await harness.store.role_held(other.id, "a") == twin
        assert await state(harness.store, other) == others

    async def test_ten_thousand_members_in_one_unit(self, harness: Harness) -> None:
        (client,) = await add(harness.store, bare())
        role, beside = await give(harness.store, new_role(client, "r"), new_role(client, "s", members=["stays"]))
        many = [str(uuid.uuid4()) for _ in range(10_000)]

        async def unit(tx: Transaction) -> tuple[dict[str, str], tuple[str, ...], dict[str, str]]:
            await tx.add_members(role, many)
            held = await tx.roles_held(client.id, [*many, "stays"])
            removed = await tx.remove_members(role, [*many[:5000], "stays"])
            removed += await tx.remove_members(role, many[5000:])
            return held, removed, await tx.roles_held(client.id, [*many, "stays"])

        held, removed, left = await harness.store.run(unit)
        assert held == {**dict.fromkeys(many, role.id), "stays": beside.id}
        assert sorted(removed) == sorted(many)
        assert left == {"stays": beside.id}
        await harness.store.run(lambda tx: tx.add_members(role, many))
        assert (await harness.store.members(role, 9_990, 100)).items == tuple(sorted(many)[9_990:])
        assert sorted(await harness.store.run(lambda tx: tx.remove_members(role, None))) == sorted(many)

    async def test_a_unit_sees_its_own_roles_and_a_raised_error_undoes_them(self, harness: Harness) -> None:
        (client,) = await add(harness.store, new_client())
        old = await harness.store.role_held(client.id, OPERATOR)
        assert old is not None
        before = await state(harness.store, client)

        async def unit(tx: Transaction) -> None:
            made = new_role(client, "r", Action.READ, ["a"])
            await tx.add_role(made)
            assert await tx.role(client.id, made.id) == made.role()
            assert await tx.role_held(client.id, "a") == made.role()
            renamed = replace(old, name="other", actions=NO_ACTIONS)
            await tx.replace_role(old, renamed)
            assert await tx.role_held(client.id, OPERATOR) == renamed
            assert not await tx.is_managed(client.id)
            assert await tx.remove_members(renamed, None) == (OPERATOR,)
            await tx.remove_role(renamed)
            assert await tx.count_roles(client.id) == 1
            raise NotFound

        with pytest.raises(NotFound):
            await harness.store.run(unit)
        assert await state(harness.store, client) == before

    async def test_a_removed_client_leaves_no_roles(self, harness: Harness) -> None:
        gone, stays = await add(harness.store, new_client(), new_client())
        role, _ = await give(harness.store, new_role(gone, "r", members=["a"]), new_role(stays, "r", members=["a"]))
        others = await state(harness.store, stays)
        await harness.store.run(lambda tx: tx.remove(gone))
        assert await told(harness.store, lambda reads: reads.role(gone.id, role.id)) is None
        assert [await harness.store.role_held(gone.id, member) for member in ("a", OPERATOR)] == [None, None]
        assert (await harness.store.roles(gone.id, 0, 10)).total == 0
        assert (await harness.store.members(role, 0, 10)).total == 0
        assert (await harness.store.memberships(gone.id, MemberFilter())).total == 0
        await add(harness.store, new_client(id=gone.id))
        assert (await harness.store.memberships(gone.id, MemberFilter())).total == 1
        assert await state(harness.store, stays) == others

    async def test_a_commit_that_changes_roles_says_so(self, harness: Harness) -> None:
        """A client's first role is no change: nobody had any before."""
        (client,) = await add(harness.store, bare())
        assert not any(effect.roles for effect in harness.effects)
        (role,) = await give(harness.store, new_role(client, "reader", members=["a"]))
        renamed = replace(role, name="viewer")
        changes: list[tuple[Callable[[Transaction], Awaitable[object]], bool]] = [
            (lambda tx: tx.replace_role(role, renamed), True),
            (lambda tx: tx.add_members(renamed, ["b"]), True),
            (lambda tx: tx.remove_members(renamed, ["nobody"]), True),  # not looked at: it is rare, and asking again is cheap
            (lambda tx: tx.remove_members(renamed, ["b"]), True),
            (lambda tx: tx.leave_roles("nobody", "x"), False),
            (lambda tx: tx.leave_roles("a", "x"), True),
            (lambda tx: tx.roles_held(client.id, ["a"]), False),
            (lambda tx: tx.remove_role(renamed), True),
        ]
        assert harness.effects[-1].roles
        for change, changes_roles in changes:
            await harness.store.run(change)
            assert harness.effects[-1].roles == changes_roles

    async def test_a_change_of_roles_that_fails_says_nothing(self, harness: Harness) -> None:
        (client,) = await add(harness.store, bare())
        await give(harness.store, new_role(client, "reader"))
        before = len(harness.effects)
        with pytest.raises(RoleNameTaken):
            await give(harness.store, new_role(client, "reader"))
        assert len(harness.effects) == before


class RoleListContract:
    async def test_roles_come_the_oldest_first(self, harness: Harness) -> None:
        """The id breaks ties; the name has no say."""
        client, other = await add(harness.store, bare(), bare())
        made = [
            new_role(client, f"r{n}", created_at=created, id=f"client_{ids}")
            for n, (created, ids) in enumerate([(3, "a"), (1, "z"), (2, "b"), (1, "c"), (2, "B"), (FAR, "0")])
        ]
        await give(harness.store, new_role(other, "r"), *made)
        page = await harness.store.roles(client.id, 0, 10)
        (born,) = [role for role in page.items if role.id not in {one.id for one in made}]
        expected = sorted([born, *(one.role() for one in made)], key=lambda role: (role.created_at, role.id))
        assert page.items == tuple(expected)
        for offset in range(9):
            page = await harness.store.roles(client.id, offset, 3)
            assert (page.total, page.items) == (7, tuple(expected[offset : offset + 3]))
        page = await harness.store.roles(client.id, FAR, 3)
        assert (page.total, page.items) == (7, ())

    async def test_members_come_by_id(self, harness: Harness) -> None:
        client, other = await add(harness.store, bare(), bare())
        members = ["b", "B", "\u00e9", "e\u0301", "10", "9", "\U0001f525", "\uffee"]
        role, *_ = await give(
            harness.store,
            new_role(client, "r", members=members),
            new_role(client, "s", members=["a"]),
            new_role(other, "r", members=["a", "b"]),
        )
        for offset in range(10):
            page = await harness.store.members(role, offset, 3)
            assert (page.total, page.items) == (8, tuple(sorted(members)[offset : offset + 3]))
        page = await harness.store.members(role, FAR, 3)
        assert (page.total, page.items) == (8, ())

    async def test_what_is_not_there_has_empty_pages(self, harness: Harness) -> None:
        (client,) = await add(harness.store, bare())
        absent = new_role(client, "absent").role()
        assert (await harness.store.members(absent, 0, 10)).total == 0
        assert (await harness.store.roles(str(uuid.uuid4()), 0, 10)).total == 0
        assert (await harness.store.memberships(str(uuid.uuid4()), MemberFilter())).total == 0

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            (RoleFilter(), "abcd"),
            (RoleFilter(actions=NO_ACTIONS), "abcd"),
            (RoleFilter(actions=Action.READ), "abcd"),
            (RoleFilter(actions=Action.UPDATE), "ac"),
            (RoleFilter(actions=Action.READ | Action.UPDATE), "ac"),
            (RoleFilter(actions=Action.READ | Action.DELETE), ""),
            (RoleFilter(actions=ALL_ACTIONS), ""),
            (RoleFilter(role_id="client_1"), "bd"),
            (RoleFilter(role_id="client_3"), ""),
            (RoleFilter(role_id="client_5"), ""),
            (RoleFilter(role_id="client_9"), ""),
            (RoleFilter(role_name="reader"), "bd"),
            (RoleFilter(role_name="Reader"), ""),
            (RoleFilter(role_name="read%"), ""),
            (RoleFilter(role_name="nothing"), ""),
            (RoleFilter(role_name="empty"), ""),
            (RoleFilter(access_type=DIRECT), "abcd"),
            (RoleFilter(access_type=BY_DOMAIN), ""),
            (RoleFilter(access_type="direct_group"), ""),
            (RoleFilter(access_type="nonsense"), ""),
            (RoleFilter(access_provider_id="d1"), ""),
            (RoleFilter(Action.READ, "client_2", "writer", DIRECT), "ac"),
            (RoleFilter(Action.UPDATE, "client_1"), ""),
            (RoleFilter(Action.UPDATE, role_name="reader"), ""),
            (RoleFilter(role_id="client_1", role_name="writer"), ""),
            (RoleFilter(role_id="client_1", access_type=BY_DOMAIN), ""),
            (RoleFilter(access_type=DIRECT, access_provider_id="d1"), ""),
            (RoleFilter(Action.READ, "client_2", "writer", DIRECT, "d1"), ""),
        ],
    )
    async def test_memberships_are_those_whose_role_fits(self, harness: Harness, wanted: RoleFilter, found: str) -> None:
        """A role without an action is no membership; a role of another client is none here."""
        client, other = await add(harness.store, bare(), bare())
        reader, writer, *_ = await give(
            harness.store,
            new_role(client, "reader", Action.READ, "bd", id="client_1"),
            new_role(client, "writer", Action.READ | Action.UPDATE, "ac", id="client_2"),
            new_role(client, "nothing", NO_ACTIONS, "e", id="client_3"),
            new_role(client, "empty", Action.READ, (), id="client_4"),
            new_role(other, "reader", ALL_ACTIONS, "abefg", id="client_5"),
        )
        page = await harness.store.memberships(client.id, MemberFilter(role=wanted))
        expected = tuple(Membership(member, reader if member in "bd" else writer) for member in found)
        assert (page.total, page.items) == (len(expected), expected)

    @pytest.mark.parametrize("order", [None, "role_name", "role_id"])
    @pytest.mark.parametrize("descending", [False, True])
    async def test_the_order_of_memberships(self, harness: Harness, order: str | None, descending: bool) -> None:
        """Text sorts by code point; the member's id breaks ties in the same direction."""
        (client,) = await add(harness.store, bare())
        made = await give(
            harness.store,
            new_role(client, "b", members=["5", "1", "\u00e9"], id="client_2"),
            new_role(client, "B", members=["4", "z"], id="client_3"),
            new_role(client, "\u00e9", members=["2", "6", "Z"], id="client_1"),
            new_role(client, "nothing", NO_ACTIONS, members=["0"], id="client_0"),
        )
        ours = [Membership(member, role) for role in made[:3] for member in (await harness.store.members(role, 0, 10)).items]
        key = {
            None: lambda one: (one.member_id,),
            "role_name": lambda one: (one.role.name, one.member_id),
            "role_id": lambda one: (one.role.id, one.member_id),
        }[order]
        expected = tuple(sorted(ours, key=key, reverse=descending))
        for offset in (*range(10), FAR):
            wanted = MemberFilter(order=order, descending=descending, offset=offset, limit=3)
            page = await harness.store.memberships(client.id, wanted)
            assert (page.total, page.items) == (8, expected[offset : offset + 3])
