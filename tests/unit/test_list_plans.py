"""How lists are found in a domain of 100,000: by key, whoever looks. What SQLite plans is read, what it does is counted."""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import aiosqlite
import pytest

from edgeclients.model import (
    ALL_ACTIONS,
    Action,
    ClientFilter,
    ConnectionType,
    MemberFilter,
    Role,
    RoleFilter,
    TagFilter,
    Viewer,
)
from edgeclients.store.limits import StoreLimits
from edgeclients.store.sqlite.client_set import BLOCK, encode
from edgeclients.store.sqlite.database import SqliteDatabase
from edgeclients.store.sqlite.search import TAG
from edgeclients.store.sqlite.store import SqliteStore
from edgeclients.store.sqlite.terms import Term, terms

CLIENTS = 100_000
SOME, OWNER, ADMIN = Viewer("some", everything=False), Viewer("owner", everything=False), Viewer("some", everything=True)
GROUPED = Viewer("some", everything=False, groups=frozenset({"group", "none"}))
CHANNEL = "channel"
CROWD = "c40d0000-0000-4000-8000-000000000000"  # one client of another domain with many roles and members
CROWD_ROLES, CROWD_MEMBERS = 300, 3_000

# Virtual machine instructions: as many as nothing takes, as many as one row may, and the stride they are counted with.
NOTHING, A_ROW, STRIDE = 300, 100, 20

TAGGED, ROOM = TagFilter(("tag-5",), match_all=True), {"room": "r-7"}


def client_id(number: int) -> str:
    """The id of a client; the higher the number, the later its name, its creation and its change."""
    return f"{number:08x}-0000-4000-8000-000000000000"


def is_held(number: int) -> bool:
    """Whether "some" has a role on that client."""
    return number % 100 == 5


def is_tagged(number: int) -> bool:
    return number % 10 == 5


def is_grouped(number: int) -> bool:
    """Whether that client is in the group that "some" sees."""
    return number % 100 in {5, 6}


def is_in_room(number: int) -> bool:
    return number // 10 % 100 == 7


def _number(name: str) -> str:
    return f"(SELECT n FROM names WHERE name = {name})"


D1, OWNERS = _number("'d1'"), _number("'owner'")


def _rows() -> Iterator[tuple[str, Iterable[tuple[Any, ...]]]]:
    """Statements, and what to run them with."""
    client = (
        "INSERT INTO client_rows (id, domain, secret, secret_lookup, name, created_at)"
        f" VALUES (uuid_bytes(?1), {_number('?2')}, '', CAST(?1 AS BLOB), ?1, ?3)"
    )
    of_client = "(SELECT n FROM client_rows WHERE id = uuid_bytes(?1))"
    role = (
        "INSERT INTO role_rows (client, name, id, actions, created_at, created_by)"
        f" VALUES ({of_client}, ?2, role_bytes(?3), ?4, ?5, {OWNERS})"
    )
    member = f"INSERT INTO member_rows (client, member, role) VALUES ({of_client}, {_number('?2')}, role_bytes(?3))"
    ids = [client_id(number) for number in range(CLIENTS)]
    some = [one for number, one in enumerate(ids) if is_held(number)]
    rooms = [next(iter(terms({"room": f"r-{room}"}))) for room in range(100)]
    names = ["d1", "d2", "owner", "some", CHANNEL, "group", *(f"group-{n}" for n in range(100))]
    names += [f"m{n:04}" for n in range(CROWD_MEMBERS)]
    yield "INSERT INTO names (name) VALUES (?)", ((name,) for name in names)
    yield client, ((one, "d1", number) for number, one in enumerate(ids))
    parent = f"UPDATE client_rows SET parent_group = {_number('?1')} WHERE id = uuid_bytes(?2)"
    yield (
        parent,
        (("group" if is_grouped(n) else f"group-{n % 100}", one) for n, one in enumerate(ids) if n % 2 or is_grouped(n)),
    )
    yield role, ((one, "admin", f"admin {one}", int(ALL_ACTIONS), 1) for one in ids)
    yield role, ((one, "reader", f"reader {one}", int(Action.READ), 2) for one in some)
    yield member, ((one, "owner", f"admin {one}") for one in ids)
    yield member, ((one, "some", f"reader {one}") for one in some)
    found: dict[tuple[Term, int], list[int]] = {}
    for number in range(CLIENTS):
        block, place = divmod(number + 1, BLOCK)  # the first client's number is 1
        for term in (TAG, f"tag-{number % 10}"), rooms[number // 10 % 100]:
            found.setdefault((term, block), []).append(place)
    search = f"INSERT INTO search_rows VALUES ({D1}, ?, ?, ?, ?)"
    yield search, ((*term, block, encode(places)) for (term, block), places in found.items())
    channel = f"INSERT INTO connection_rows VALUES ({_number('?2')}, {D1}, {of_client}, ?3)"
    yield channel, ((one, CHANNEL, int(ConnectionType.PUBLISH)) for one in [*ids[:100], *some[-100:]])
    yield client, [(CROWD, "d2", 0)]
    yield "UPDATE store_state SET indexed_through = (SELECT max(n) FROM client_rows)", [()]
    yield "INSERT INTO totals SELECT domain, status, count(*) FROM client_rows GROUP BY domain, status", [()]
    yield role, ((CROWD, f"role {n:03}", f"crowd {n:03}", int(Action.READ), 3) for n in range(CROWD_ROLES))
    yield member, ((CROWD, f"m{n:04}", f"crowd {n % CROWD_ROLES:03}") for n in range(CROWD_MEMBERS))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database."""
    path = tmp_path_factory.mktemp("fleet") / "clients.db"
    database = SqliteDatabase(path)
    database.connection.execute("PRAGMA synchronous = OFF")
    database.connection.execute("BEGIN")
    for sql, rows in _rows():
        database.connection.executemany(sql, rows)
    database.connection.execute("COMMIT")
    database.close()
    return path


class Ran(NamedTuple):
    """A statement that was run, how SQLite does it, and the instructions that took."""

    sql: str
    plan: tuple[str, ...]
    steps: int


class Watched:
    """The connection of a list, which notes what is run on it; all else is the connection itself."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._steps = 0
        self.traced: list[str] = []
        self.ran: list[tuple[str, tuple[Any, ...], int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def watch(self) -> None:
        await self._connection.set_trace_callback(self.traced.append)
        await self._connection.set_progress_handler(self._step, STRIDE)

    async def execute_fetchall(self, sql: str, parameters: Iterable[Any] = ()) -> Iterable[Any]:
        values, self._steps = tuple(parameters), 0
        rows = await self._connection.execute_fetchall(sql, values)
        self.ran.append((sql, values, self._steps))
        return rows

    async def told(self) -> list[Ran]:
        """What was run in the list's transaction, with its plan; nothing has slipped by."""
        assert (self.traced[0], len(self.traced) - 2, self.traced[-1]) == ("BEGIN", len(self.ran), "ROLLBACK")
        told = []
        for sql, values, steps in self.ran:
            rows = await self._connection.execute_fetchall(f"EXPLAIN QUERY PLAN {sql}", values)
            told.append(Ran(sql, tuple(row[3] for row in rows), steps))
        return told

    def _step(self) -> None:
        self._steps += STRIDE


class Fleet(NamedTuple):
    """A store on that database, and its lists' connection."""

    store: SqliteStore
    watched: Watched


@pytest.fixture
async def ours(fleet: Path) -> AsyncIterator[Fleet]:
    """The store, watched."""
    async with SqliteStore(SqliteDatabase(fleet), StoreLimits(query_seconds=60), lambda _: None) as store:
        first = store._scanner._all[-1]  # of those that are idle, the one that is taken
        watched = Watched(first.connection)
        await watched.watch()
        first.connection = cast("aiosqlite.Connection", watched)
        yield Fleet(store, watched)


def scans(ran: Ran) -> list[str]:
    """The steps of a plan that go through a whole table, or through an index made of one on the way.

    What the statement has made itself may be gone through: it is no larger than what was found by key. And where a
    constant keeps every row away, no plan matters.
    """
    if ran.steps < NOTHING:
        return []
    made = {name for step in ran.plan if (name := re.sub(r"^(MATERIALIZE|CO-ROUTINE) ", "", step)) != step}
    if "fitting" in made and any(step.startswith("SEARCH r USING PRIMARY KEY") for step in ran.plan):
        made.add("r")  # it is told by its alias, which is that of the table it is made of
    given = {step for step in ran.plan if "VIRTUAL TABLE" in step}  # a list that came with the question
    whole = [step for step in ran.plan if step not in given and (step.startswith("SCAN ") or " AUTOMATIC " in step)]
    return [step for step in whole if step.removeprefix("SCAN ").removeprefix("SEARCH ").split(" USING ")[0] not in made]


Fits = Callable[[int], bool]


class Case(NamedTuple):
    """Whose list, what is asked for, and what is found: numbers of clients."""

    viewer: Viewer
    wanted: ClientFilter
    fits: Fits


def case(viewer: Viewer, fits: Fits, role: RoleFilter | None = None, **wanted: Any) -> Case:
    return Case(viewer, ClientFilter(role=role or RoleFilter(), **wanted), fits)


def nobody(number: int) -> bool:
    return False


def everybody(number: int) -> bool:
    return True


DIRECT, BY_GROUP, BY_DOMAIN, NONSENSE = (
    RoleFilter(access_type=name) for name in ("direct", "direct_group", "domain", "nonsense")
)
READ, DELETE = RoleFilter(actions=Action.READ), RoleFilter(actions=Action.DELETE)
READER = RoleFilter(role_name="reader")
ONE = RoleFilter(role_id=f"reader {client_id(5)}")
BOTH: dict[str, Any] = {"tags": TAGGED, "metadata": ROOM}

CASES = {
    "member": case(SOME, is_held),
    "member, by name, up": case(SOME, is_held, order="name", descending=False),
    "member, by creation": case(SOME, is_held, order="created_at"),
    "member, far down": case(SOME, is_held, offset=700),
    "member, beyond the end": case(SOME, is_held, offset=5000),
    "member, only the total": case(SOME, is_held, only_total=True),
    "member, action": case(SOME, is_held, READ),
    "member, action not allowed": case(SOME, nobody, DELETE),
    "member, role id": case(SOME, lambda n: n == 5, ONE),
    "member, role name": case(SOME, is_held, READER),
    "member, direct": case(SOME, is_held, DIRECT),
    "member, by domain": case(SOME, nobody, BY_DOMAIN),
    "member, no access type": case(SOME, nobody, NONSENSE),
    "member, tag": case(SOME, is_held, tags=TAGGED),
    "member, metadata": case(SOME, nobody, metadata=ROOM),
    "member, tag and metadata and role": case(SOME, nobody, READER, **BOTH),
    "member, channel": case(SOME, lambda n: is_held(n) and (n < 100 or n >= CLIENTS - 10_000), channel_id=CHANNEL),
    "member, name": case(SOME, lambda n: is_held(n) and f"{n:08x}".endswith("d"), name="d-0000"),
    "member, id": case(SOME, lambda n: n == 105, id=client_id(105)),
    "grouped": case(GROUPED, lambda n: is_held(n) or is_grouped(n)),
    "grouped, by name, up": case(GROUPED, lambda n: is_held(n) or is_grouped(n), order="name", descending=False),
    "grouped, only the total": case(GROUPED, lambda n: is_held(n) or is_grouped(n), only_total=True),
    "grouped, by group": case(GROUPED, lambda n: is_grouped(n) and not is_held(n), BY_GROUP),
    "grouped, direct": case(GROUPED, is_held, DIRECT),
    "grouped, tag": case(GROUPED, lambda n: is_tagged(n) and (is_held(n) or is_grouped(n)), tags=TAGGED),
    "grouped, metadata": case(GROUPED, lambda n: is_in_room(n) and (is_held(n) or is_grouped(n)), metadata=ROOM),
    "grouped, parent": case(GROUPED, lambda n: is_held(n) or is_grouped(n), parent_group_id="group"),
    "owner": case(OWNER, everybody),
    "owner, by name, up": case(OWNER, everybody, order="name", descending=False),
    "owner, only the total": case(OWNER, everybody, only_total=True),
    "owner, role name": case(OWNER, nobody, READER),
    "owner, tag": case(OWNER, is_tagged, tags=TAGGED),
    "owner, tag and metadata": case(OWNER, lambda n: is_tagged(n) and is_in_room(n), **BOTH),
    "owner, tag and metadata and action": case(OWNER, lambda n: is_tagged(n) and is_in_room(n), DELETE, **BOTH),
    "admin": case(ADMIN, everybody),
    "admin, by name, up": case(ADMIN, everybody, order="name", descending=False),
    "admin, by creation": case(ADMIN, everybody, order="created_at"),
    "admin, beyond the end": case(ADMIN, everybody, offset=2 * CLIENTS),
    "admin, only the total": case(ADMIN, everybody, only_total=True),
    "admin, action": case(ADMIN, is_held, READ),
    "admin, role id": case(ADMIN, lambda n: n == 5, ONE),
    "admin, role name": case(ADMIN, is_held, READER),
    "admin, direct": case(ADMIN, is_held, DIRECT),
    "admin, by domain": case(ADMIN, lambda n: not is_held(n), BY_DOMAIN),
    "admin, by domain, only the total": case(ADMIN, lambda n: not is_held(n), BY_DOMAIN, only_total=True),
    "admin, by domain, tag": case(ADMIN, lambda n: is_tagged(n) and not is_held(n), BY_DOMAIN, tags=TAGGED),
    "admin, tag, by name": case(ADMIN, is_tagged, tags=TAGGED, order="name"),
    "admin, no access type": case(ADMIN, nobody, NONSENSE),
    "admin, tag and metadata": case(ADMIN, lambda n: is_tagged(n) and is_in_room(n), **BOTH),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_list_of_clients_is_found_by_key(ours: Fleet, name: str) -> None:
    viewer, wanted, fits = CASES[name]
    page = await ours.store.page("d1", wanted, viewer)
    for ran in await ours.watched.told():
        assert scans(ran) == [], ran
    found = [number for number in range(CLIENTS) if fits(number)]
    if wanted.descending:
        found.reverse()
    assert page.total == len(found)
    shown = [] if wanted.only_total else found[wanted.offset :][: wanted.limit]
    assert [item.client.id for item in page.items] == [client_id(number) for number in shown]
    otherwise = "domain" if viewer.everything else "direct_group"
    assert [item.access_type for item in page.items] == [
        "direct" if viewer is OWNER or is_held(number) else otherwise for number in shown
    ]


@pytest.mark.parametrize(("name", "most"), [("member", 2), ("owner", 5), ("admin", 2), ("member, only the total", 2)])
async def test_a_list_takes_few_statements(ours: Fleet, name: str, most: int) -> None:
    viewer, wanted, _ = CASES[name]
    await ours.store.page("d1", wanted, viewer)
    assert len(await ours.watched.told()) == most


@pytest.mark.parametrize("name", ["admin", "admin, by name, up", "admin, by creation", "admin, by domain"])
async def test_a_page_of_all_ends_when_it_is_full(ours: Fleet, name: str) -> None:
    """It walks an index that has its order."""
    viewer, wanted, _ = CASES[name]
    await ours.store.page("d1", wanted, viewer)
    *_, page = await ours.watched.told()
    assert page.steps < wanted.limit * 5 * A_ROW


@pytest.mark.parametrize(
    "name",
    ["member", "member, role name", "member, tag", "member, only the total", "admin, direct", "grouped", "grouped, by group"],
)
async def test_a_member_is_served_for_their_own_roles_only(ours: Fleet, name: str) -> None:
    """What they see costs what they have, not what the domain has."""
    viewer, wanted, fits = CASES[name]
    await ours.store.page("d1", wanted, viewer)
    assert sum(ran.steps for ran in await ours.watched.told()) < sum(map(fits, range(CLIENTS))) * 3 * A_ROW


async def test_a_list_by_last_seen_goes_through_its_candidates_once(ours: Fleet) -> None:
    """Not once for each client of the domain."""
    page = await ours.store.page("d1", ClientFilter(tags=TAGGED, order="last_seen_at"), ADMIN)
    assert sum(steps for _, _, steps in ours.watched.ran) < CLIENTS * A_ROW
    tagged = [client_id(number) for number in reversed(range(CLIENTS)) if is_tagged(number)]
    assert (page.total, [item.client.id for item in page.items]) == (len(tagged), tagged[:10])


@pytest.mark.parametrize("name", ["member, by domain", "member, no access type", "admin, no access type"])
async def test_what_nobody_can_have_is_not_looked_for(ours: Fleet, name: str) -> None:
    viewer, wanted, _ = CASES[name]
    assert (await ours.store.page("d1", wanted, viewer)).total == 0
    for ran in await ours.watched.told():
        assert ran.steps < NOTHING, ran


async def test_the_parent_groups_of_a_domain_are_found_by_key(ours: Fleet) -> None:
    """A step a group, however many clients are in it."""
    groups = await ours.store.parent_groups("d1", 100)
    for ran in await ours.watched.told():
        assert [step for step in scans(ran) if step != "SCAN parents"] == [], ran
        assert ran.steps < len(groups) * A_ROW
    assert sorted(groups) == sorted({"group", *(f"group-{n}" for n in range(1, 100, 2) if not is_grouped(n))})


def crowd_role(number: int) -> Role:
    return Role(f"crowd {number:03}", CROWD, f"role {number:03}", Action.READ, 3, "owner")


async def test_roles_of_a_client_are_found_by_key(ours: Fleet) -> None:
    page = await ours.store.roles(CROWD, 5, 10)
    for ran in await ours.watched.told():
        assert scans(ran) == [], ran
        assert ran.steps < CROWD_ROLES * A_ROW
    assert (page.total, page.items) == (CROWD_ROLES, tuple(map(crowd_role, range(5, 15))))


async def test_members_of_a_role_are_found_by_key(ours: Fleet) -> None:
    page = await ours.store.members(crowd_role(7), 2, 3)
    for ran in await ours.watched.told():
        assert scans(ran) == [], ran
        assert ran.steps < CROWD_MEMBERS * A_ROW
    assert (page.total, page.items) == (CROWD_MEMBERS // CROWD_ROLES, ("m0607", "m0907", "m1207"))


@pytest.mark.parametrize("order", [None, "role_name", "role_id"])
@pytest.mark.parametrize("role", [RoleFilter(), READ, RoleFilter(role_name="role 007"), RoleFilter(role_id="crowd 007")])
async def test_memberships_are_found_by_key(ours: Fleet, order: str | None, role: RoleFilter) -> None:
    """Roles and members are gone through once, not members once a role."""
    page = await ours.store.memberships(CROWD, MemberFilter(order=order, limit=20, role=role))
    for ran in await ours.watched.told():
        assert scans(ran) == [], ran
        assert ran.steps < (CROWD_ROLES + CROWD_MEMBERS) * A_ROW, ran
    every = [(f"m{n:04}", crowd_role(n % CROWD_ROLES)) for n in range(CROWD_MEMBERS)]
    found = [one for one in every if one[1] == crowd_role(7)] if role.role_name or role.role_id else every
    if order is not None:
        found.sort(key=lambda one: (one[1].id, one[0]))
    assert page.total == len(found)
    assert page.items == tuple(found[:20])
