"""Lists through somebody's eyes: what every store shows, and that it is what the checks of each client would let them do."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edgeclients.core.authz.access import Access
from edgeclients.core.clients import Clients
from edgeclients.core.parents import Parents
from edgeclients.core.secrets.issue import Secrets
from edgeclients.core.secrets.pool import Argon2Threads, HashQueue
from edgeclients.errors import DomainForbidden, Forbidden
from edgeclients.model import (
    ALL_ACTIONS,
    BY_DOMAIN,
    BY_GROUP,
    DIRECT,
    MEMBERSHIP,
    NO_ACTIONS,
    Action,
    Client,
    ClientFilter,
    Connection,
    ConnectionType,
    NewClient,
    NewRole,
    Role,
    RoleFilter,
    Session,
    Standing,
    Status,
    TagFilter,
    Viewer,
)
from edgeclients.operations import Operation
from edgeclients.ports import Authorizer, Store, Transaction
from tests.conformance.harness import KEYRING, ONE_STORE, OPERATOR, Harness, add, change, new_client
from tests.conformance.roles import bare, give, new_role
from tests.support import plain
from tests.support.plain import Seen
from tests.support.strategies import ACTIONS, FILTERS, GROUPS, ROLE_FILTERS, SHARED_CLIENTS, STANDINGS, USERS, VIEWERS

ANN = Viewer("ann", everything=False)
ADMIN = Viewer("ann", everything=True)
FAR = 2**63 - 1
OF_ALL = tuple(Status)
OF_A_DOMAIN = {Operation.LIST_CLIENTS, Operation.LIST_USER_CLIENTS}
ON_A_CLIENT = tuple(one for one in Operation if one.action and one not in OF_A_DOMAIN)


class Plant(NamedTuple):
    """Clients and roles that Ann, and others, have on them."""

    clients: dict[str, Client]
    roles: dict[str, Role]


async def plant(store: Store) -> Plant:
    """Two clients on which Ann may do something, one where her role allows nothing, one that is another's, and others."""
    new = [
        bare(name="read", tags=("t", "x"), metadata={"a": 1}, created_at=4, updated_at=5),
        bare(name="write", tags=("t",), metadata={"a": 2}, created_at=3),
        bare(name="nothing", tags=("t",), metadata={"a": 1}, created_at=2, updated_at=9),
        bare(name="others", tags=("x",), metadata={"a": 1}, created_at=1),
        bare(name="off", status=1, tags=("t",), metadata={"a": 1}, created_at=0),
        bare("d2", name="elsewhere", tags=("t",), metadata={"a": 1}, created_at=9),
    ]
    clients = {client.name: client for client in await add(store, *new)}
    roles = await give(
        store,
        new_role(clients["read"], "reader", Action.READ, ["ann"]),
        new_role(clients["write"], "writer", Action.READ | Action.UPDATE, ["bob", "ann"]),
        new_role(clients["nothing"], "reader", NO_ACTIONS, ["ann"]),
        new_role(clients["others"], "reader", Action.READ, ["bob"]),
        new_role(clients["off"], "reader", Action.READ, ["ann"]),
        new_role(clients["elsewhere"], "reader", Action.READ, ["ann"]),
        new_role(clients["read"], "empty", ALL_ACTIONS),
    )
    return Plant(clients, dict(zip(clients, roles, strict=False)))


async def names(store: Store, viewer: Viewer, **wanted: Any) -> str:
    """Who is listed, by name; the total is right with every way to page."""
    fields = {"order": "name", "descending": False, "limit": 100, **wanted}
    page = await store.page("d1", ClientFilter(**fields), viewer)
    for variant in ({"only_total": True}, {"offset": FAR}, {"offset": len(page.items)}, {"limit": 1}):
        cut = await store.page("d1", ClientFilter(**{**fields, **variant}), viewer)
        assert (cut.total, cut.items) == (page.total, page.items[:1] if variant == {"limit": 1} else ()), variant
    assert page.total == len(page.items)
    return " ".join(item.client.name for item in page.items)


class ViewContract:
    async def test_a_row_says_by_what_it_is_seen(self, harness: Harness) -> None:
        clients, roles = await plant(harness.store)
        wanted = ClientFilter(order="created_at")
        page = await harness.store.page("d1", wanted, ANN)
        assert [(item.client, item.role, item.access_type) for item in page.items] == [
            (clients["read"], roles["read"], DIRECT),
            (clients["write"], roles["write"], DIRECT),
        ]
        page = await harness.store.page("d1", wanted, ADMIN)
        assert [(item.client, item.role, item.access_type) for item in page.items] == [
            (clients["read"], roles["read"], DIRECT),
            (clients["write"], roles["write"], DIRECT),
            (clients["nothing"], None, BY_DOMAIN),
            (clients["others"], None, BY_DOMAIN),
        ]
        page = await harness.store.page("d1", wanted)
        assert [(item.role, item.access_type) for item in page.items] == [(None, None)] * 4

    async def test_the_built_in_role_shows_a_client_to_who_made_it(self, harness: Harness) -> None:
        new = new_client()
        await add(harness.store, new)
        (item,) = (await harness.store.page("d1", ClientFilter(), Viewer(OPERATOR, everything=False))).items
        assert (item.client.id, item.role, item.access_type) == (new.client.id, new.role.role(), DIRECT)

    async def test_a_view_shows_no_private_metadata(self, harness: Harness) -> None:
        await add(harness.store, new_client(private_metadata='{"a":1}'))
        for viewer in (ADMIN, Viewer(OPERATOR, everything=False)):
            (item,) = (await harness.store.page("d1", ClientFilter(), viewer)).items
            assert item.client.private_metadata == "{}"

    async def test_a_view_stays_in_its_domain(self, harness: Harness) -> None:
        clients, roles = await plant(harness.store)
        for viewer in (ANN, ADMIN):
            page = await harness.store.page("d2", ClientFilter(), viewer)
            assert [(item.client, item.role) for item in page.items] == [(clients["elsewhere"], roles["elsewhere"])]
            assert (await harness.store.page("d3", ClientFilter(), viewer)).total == 0

    async def test_nobody_sees_nothing(self, harness: Harness) -> None:
        await plant(harness.store)
        assert await names(harness.store, Viewer("nobody", everything=False)) == ""
        assert await names(harness.store, Viewer("", everything=False)) == ""
        assert await names(harness.store, Viewer("nobody", everything=True)) == "nothing others read write"

    @pytest.mark.parametrize(
        ("wanted", "member", "admin"),
        [
            (RoleFilter(), "read write", "nothing others read write"),
            (RoleFilter(access_type=DIRECT), "read write", "read write"),
            (RoleFilter(access_type=BY_DOMAIN), "", "nothing others"),
            (RoleFilter(access_type="direct_group"), "", ""),
            (RoleFilter(access_type="nonsense"), "", ""),
            (RoleFilter(actions=Action.READ), "read write", "read write"),
            (RoleFilter(actions=Action.READ | Action.UPDATE), "write", "write"),
            (RoleFilter(actions=Action.DELETE), "", ""),
            (RoleFilter(actions=NO_ACTIONS), "read write", "read write"),
            (RoleFilter(role_name="reader"), "read", "read"),
            (RoleFilter(role_name="READER"), "", ""),
            (RoleFilter(role_name="empty"), "", ""),
            (RoleFilter(role_id="none"), "", ""),
            (RoleFilter(Action.READ, role_name="reader", access_type=DIRECT), "read", "read"),
            (RoleFilter(Action.UPDATE, role_name="reader"), "", ""),
            (RoleFilter(role_name="reader", access_type=BY_DOMAIN), "", ""),
            (RoleFilter(Action.READ, access_type=BY_DOMAIN), "", ""),
            (RoleFilter(Action.READ, access_type="direct_group"), "", ""),
        ],
    )
    async def test_what_is_said_of_roles_is_about_the_viewers(
        self, harness: Harness, wanted: RoleFilter, member: str, admin: str
    ) -> None:
        await plant(harness.store)
        assert await names(harness.store, ANN, role=wanted) == member
        assert await names(harness.store, ADMIN, role=wanted) == admin

    async def test_a_role_is_wanted_by_its_id(self, harness: Harness) -> None:
        _, roles = await plant(harness.store)
        for viewer in (ANN, ADMIN):
            for name, found in (("read", "read"), ("write", "write"), ("nothing", ""), ("others", ""), ("elsewhere", "")):
                role_id = roles[name].id
                assert await names(harness.store, viewer, role=RoleFilter(role_id=role_id)) == found, name
                assert await names(harness.store, viewer, role=RoleFilter(role_id=role_id, access_type=BY_DOMAIN)) == ""

    @pytest.mark.parametrize(
        ("wanted", "member", "admin", "by_domain"),
        [
            ({"tags": TagFilter(("t",), match_all=False)}, "read write", "nothing read write", "nothing"),
            ({"tags": TagFilter(("t", "x"), match_all=True)}, "read", "read", ""),
            ({"tags": TagFilter(("x", "y"), match_all=False)}, "read", "others read", "others"),
            ({"metadata": {"a": 1}}, "read", "nothing others read", "nothing others"),
            ({"metadata": {"a": 1}, "tags": TagFilter(("t",), match_all=True)}, "read", "nothing read", "nothing"),
            ({"name": "R"}, "read write", "others read write", "others"),
            ({"created_from": 2, "created_to": 3}, "write", "nothing write", "nothing"),
            ({"parent_group_id": ""}, "read write", "nothing others read write", "nothing others"),
            ({"statuses": (Status.DISABLED,)}, "off", "off", ""),
            ({"statuses": OF_ALL}, "off read write", "nothing off others read write", "nothing others"),
        ],
    )
    async def test_filters_meet_in_a_view(
        self, harness: Harness, wanted: dict[str, Any], member: str, admin: str, by_domain: str
    ) -> None:
        await plant(harness.store)
        for direct in (RoleFilter(access_type=DIRECT), RoleFilter(actions=Action.READ)):
            assert await names(harness.store, ADMIN, role=direct, **wanted) == member
            assert await names(harness.store, ANN, role=direct, **wanted) == member
        assert await names(harness.store, ANN, **wanted) == member
        assert await names(harness.store, ADMIN, **wanted) == admin
        assert await names(harness.store, ADMIN, role=RoleFilter(access_type=BY_DOMAIN), **wanted) == by_domain

    async def test_a_view_by_id(self, harness: Harness) -> None:
        clients, _ = await plant(harness.store)
        for name, member, admin in (("read", "read", "read"), ("others", "", "others"), ("elsewhere", "", ""), ("off", "", "")):
            assert await names(harness.store, ANN, id=clients[name].id) == member
            assert await names(harness.store, ADMIN, id=clients[name].id) == admin

    async def test_a_view_by_channel(self, harness: Harness) -> None:
        """What a client may do on the channel comes with what the viewer may do with the client."""
        clients, roles = await plant(harness.store)
        channel, (publish, subscribe) = str(uuid.uuid4()), ConnectionType
        ways = [("read", publish), ("read", subscribe), ("nothing", publish), ("others", subscribe), ("off", publish)]

        async def unit(tx: Transaction) -> None:
            await tx.connect([Connection(channel, "d1", clients[name].id, way) for name, way in ways])

        await harness.store.run(unit)
        page = await harness.store.page("d1", ClientFilter(channel_id=channel, order="name", descending=False), ADMIN)
        assert [(item.client.name, item.connection_types, item.role, item.access_type) for item in page.items] == [
            ("nothing", (publish,), None, BY_DOMAIN),
            ("others", (subscribe,), None, BY_DOMAIN),
            ("read", (publish, subscribe), roles["read"], DIRECT),
        ]
        assert await names(harness.store, ANN, channel_id=channel) == "read"
        assert await names(harness.store, ANN, channel_id=channel, connection_type=subscribe) == "read"
        assert await names(harness.store, ADMIN, channel_id=channel, connection_type=subscribe) == "others read"
        assert await names(harness.store, ANN, channel_id=channel, metadata={"a": 2}) == ""
        assert await names(harness.store, ANN, channel_id=str(uuid.uuid4())) == ""

    @pytest.mark.parametrize("order", ["name", "created_at", "updated_at"])
    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("viewer", [ANN, ADMIN], ids=["member", "admin"])
    async def test_a_view_has_every_order_and_its_pages_add_up(
        self, harness: Harness, order: str, descending: bool, viewer: Viewer
    ) -> None:
        clients = await add(
            harness.store, *(bare(name="Aaé"[n % 3], created_at=n // 4, updated_at=[None, 2][n % 2]) for n in range(20))
        )
        roles = [new_role(client, "r", Action.READ, ["ann"]) for client in clients[::3]]
        held = {role.entity_id: role for role in await give(harness.store, *roles)}
        for offset in range(0, 25, 3):
            wanted = ClientFilter(order=order, descending=descending, offset=offset, limit=3)
            assert await _seen(harness.store, "d1", wanted, viewer) == plain.view(clients, held, wanted, viewer)

    async def test_a_view_has_what_its_groups_give(self, harness: Harness) -> None:
        """Behind what roles give; of everything it is not said."""
        one, two = (str(uuid.uuid4()) for _ in range(2))
        new = [
            bare(name="both", parent_group_id=one),
            bare(name="grouped", parent_group_id=one),
            bare(name="idle", parent_group_id=one),
            bare(name="other", parent_group_id=two),
            bare(name="off", parent_group_id=one, status=1),
            bare(name="role"),
            bare("d2", name="elsewhere", parent_group_id=one),
        ]
        clients = {client.name: client for client in await add(harness.store, *new)}
        await give(
            harness.store,
            new_role(clients["both"], "reader", Action.READ, ["ann"]),
            new_role(clients["idle"], "idle", NO_ACTIONS, ["ann"]),
            new_role(clients["role"], "writer", Action.UPDATE, ["ann"]),
        )
        viewer = Viewer("ann", everything=False, groups=frozenset({one, "none"}))
        page = await harness.store.page("d1", ClientFilter(order="name", descending=False), viewer)
        assert [(item.client.name, item.role is not None, item.access_type) for item in page.items] == [
            ("both", True, DIRECT),
            ("grouped", False, BY_GROUP),
            ("idle", False, BY_GROUP),
            ("role", True, DIRECT),
        ]
        assert await names(harness.store, viewer, role=RoleFilter(access_type=BY_GROUP)) == "grouped idle"
        assert await names(harness.store, viewer, role=RoleFilter(access_type=DIRECT)) == "both role"
        assert await names(harness.store, viewer, role=RoleFilter(access_type=BY_DOMAIN)) == ""
        assert await names(harness.store, viewer, role=RoleFilter(actions=Action.READ)) == "both"
        assert await names(harness.store, viewer, parent_group_id=one) == "both grouped idle"
        assert await names(harness.store, viewer, parent_group_id="") == "role"
        assert await names(harness.store, viewer, statuses=OF_ALL) == "both grouped idle off role"
        assert await names(harness.store, replace(viewer, everything=True), role=RoleFilter(access_type=BY_GROUP)) == ""
        assert await names(harness.store, replace(viewer, user_id="nobody")) == "both grouped idle"

    async def test_the_parent_groups_of_a_domain(self, harness: Harness) -> None:
        groups = sorted(str(uuid.uuid4()) for _ in range(3))
        new = [bare(parent_group_id=groups[number % 3], status=number % 2) for number in range(9)]
        await add(harness.store, *new, bare(), bare("d2", parent_group_id=str(uuid.uuid4())))
        assert sorted(await harness.store.parent_groups("d1", 10)) == groups
        assert len(await harness.store.parent_groups("d1", 2)) == 2
        assert await harness.store.parent_groups("d3", 10) == ()
        for client in new:
            await change(harness.store, client.client, parent_group_id=None)
        assert await harness.store.parent_groups("d1", 10) == ()

    async def test_a_view_changes_with_its_roles(self, harness: Harness) -> None:
        clients, roles = await plant(harness.store)
        role, given = roles["read"], replace(roles["nothing"], actions=Action.CONNECT_TO_CHANNEL)
        await harness.store.run(lambda tx: tx.replace_role(role, replace(role, actions=NO_ACTIONS)))
        assert await names(harness.store, ANN) == "write"
        await harness.store.run(lambda tx: tx.replace_role(roles["nothing"], given))
        assert await names(harness.store, ANN) == "nothing write"
        await harness.store.run(lambda tx: tx.remove_members(roles["write"], ["ann"]))
        assert await names(harness.store, ANN) == "nothing"
        await harness.store.run(lambda tx: tx.add_members(roles["others"], ["ann"]))
        assert await names(harness.store, ANN) == "nothing others"
        await harness.store.run(lambda tx: tx.remove_role(given))
        assert await names(harness.store, ANN) == "others"
        await harness.store.run(lambda tx: tx.remove(clients["others"]))
        assert await names(harness.store, ANN) == ""
        assert await names(harness.store, ADMIN) == "nothing read write"


class ViewPropertiesContract:
    @ONE_STORE
    @given(
        drawn=st.lists(SHARED_CLIENTS, max_size=8),
        asked=st.lists(st.tuples(FILTERS, ROLE_FILTERS, VIEWERS), min_size=1, max_size=6),
    )
    async def test_a_view_is_what_the_model_says(
        self,
        harness: Harness,
        drawn: list[dict[str, Any]],
        asked: list[tuple[ClientFilter, dict[str, Any], Viewer]],
    ) -> None:
        shared = await _share(harness.store, drawn)
        for filters, of_role, viewer in asked:
            wanted = replace(filters, role=shared.role_filter(of_role))
            expected = plain.view(shared.clients, shared.held(viewer.user_id), wanted, viewer)
            assert await _seen(harness.store, shared.domain, wanted, viewer) == expected
            total = await harness.store.page(shared.domain, replace(wanted, only_total=True), viewer)
            assert (total.total, total.items) == (expected[0], ())

    @ONE_STORE
    @given(drawn=st.lists(SHARED_CLIENTS, max_size=8), user=st.sampled_from(USERS), limit=st.integers(1, 5))
    async def test_a_view_has_what_a_role_allows_something_on(
        self, harness: Harness, drawn: list[dict[str, Any]], user: str, limit: int
    ) -> None:
        store = harness.store
        shared = await _share(store, drawn)
        listed = await _all_pages(store, shared.domain, Viewer(user, everything=False), limit)
        held = {client.id: await store.role_held(client.id, user) for client in shared.clients}
        assert sorted(listed) == sorted(client_id for client_id, role in held.items() if role is not None and role.actions)
        assert sorted(await _all_pages(store, shared.domain, Viewer(user, everything=True), limit)) == sorted(held)

    @ONE_STORE
    @given(
        drawn=st.lists(SHARED_CLIENTS, max_size=8),
        callers=st.lists(
            st.tuples(
                st.sampled_from(USERS),
                st.none() | STANDINGS | st.just(MEMBERSHIP),
                st.dictionaries(st.sampled_from(GROUPS), ACTIONS),
            ),
            min_size=1,
            max_size=6,
        ),
    )
    async def test_a_caller_is_shown_what_they_may_do_something_to(
        self, harness: Harness, drawn: list[dict[str, Any]], callers: list[tuple[str, Standing | None, dict[str, Action]]]
    ) -> None:
        """Whoever has no standing in the domain is refused."""
        shared = await _share(harness.store, drawn)
        wanted = ClientFilter(statuses=OF_ALL, limit=100)
        for user, standing, groups in callers:
            session = Session(user, shared.domain, super_admin=False, request_id="")
            access = Access(harness.store, Standings({(user, shared.domain): standing} if standing else {}, groups))
            secrets = Secrets(harness.store, KEYRING, HashQueue(Argon2Threads(1), 1))
            clients = Clients(harness.store, access, secrets, Parents(harness.store, access))
            if standing is None:
                with pytest.raises(DomainForbidden):
                    await clients.page(session, wanted)
                continue
            allowed = [client.id for client in shared.clients if await _may_do_something(access, session, client)]
            page = await clients.page(session, wanted)
            assert sorted(item.client.id for item in page.items) == sorted(allowed)
            assert page.total == len(allowed)


class Standings(Authorizer):
    """`ports.Authorizer` that knows what it is told: who is what in which domain, and what groups give anybody."""

    def __init__(self, standings: Mapping[tuple[str, str], Standing], groups: Mapping[str, Action]) -> None:
        self._standings = standings
        self._groups = groups

    async def standing(self, session: Session, operation: str, client_ids: Sequence[str] = ()) -> Standing:
        standing = self._standings.get((session.user_id, session.domain_id))
        if standing is None:
            raise DomainForbidden
        return replace(standing, by_group=bool(self._groups))

    async def group_actions(self, session: Session, operation: str, group_ids: Sequence[str]) -> Mapping[str, Action]:
        return {group: self._groups[group] for group in group_ids if group in self._groups}


async def _may_do_something(access: Access, session: Session, client: Client) -> bool:
    """Whether any operation on a client admits the caller."""
    for operation in ON_A_CLIENT:
        permit = await access.permit(session, operation, client.id)
        try:
            return await access.admitted(permit, client.id) == client
        except Forbidden:
            continue
    return False


class Shared(NamedTuple):
    """Clients of a domain of their own, and the roles on them."""

    domain: str
    clients: list[Client]
    roles: list[NewRole]

    def held(self, user: str) -> dict[str, Role]:
        """The roles somebody has, by client."""
        return {role.entity_id: role.role() for role in self.roles if user in role.members}

    def role_filter(self, drawn: Mapping[str, Any]) -> RoleFilter:
        """A filter as drawn, with the id of the role whose place was."""
        of_role = dict(drawn)
        if (place := of_role.pop("role_id", None)) is not None:
            of_role["role_id"] = self.roles[place].id if place < len(self.roles) else "none"
        return RoleFilter(**of_role)


async def _share(store: Store, drawn: Sequence[dict[str, Any]]) -> Shared:
    """Write the clients drawn with their roles, some of them to another domain."""
    domain = uuid.uuid4().hex
    new: list[NewClient] = []
    further: list[NewRole] = []
    for one in drawn:
        made = bare(f"{domain}-2" if one["elsewhere"] else domain, **one["client"])
        roles = [
            new_role(made.client, name, actions, [user for user, held in one["held"].items() if held == name])
            for name, actions in one["roles"].items()
        ]
        new.append(replace(made, role=roles[0]) if roles else made)
        further += roles[1:]

    async def unit(tx: Transaction) -> None:
        await tx.insert(new)
        for role in further:
            await tx.add_role(role)

    await store.run(unit)
    return Shared(domain, [one.client for one in new if one.client.domain_id == domain], [*(one.role for one in new), *further])


async def _seen(store: Store, domain: str, wanted: ClientFilter, viewer: Viewer) -> tuple[int, list[Seen]]:
    """A page as the plain model tells it."""
    page = await store.page(domain, wanted, viewer)
    return page.total, [Seen(item.client.id, item.role, item.access_type or "") for item in page.items]


async def _all_pages(store: Store, domain: str, viewer: Viewer, limit: int) -> list[str]:
    """The ids of all pages."""
    listed: list[str] = []
    while True:
        page = await store.page(domain, ClientFilter(statuses=OF_ALL, offset=len(listed), limit=limit), viewer)
        listed += [item.client.id for item in page.items]
        if not page.items:
            assert page.total == len(listed)
            return listed
