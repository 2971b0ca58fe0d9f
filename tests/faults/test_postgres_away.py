"""PostgreSQL goes away under a service that is at work, and comes back: callers are told, and it goes on by itself."""

import asyncio
import select
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import asyncpg
import grpc
import pytest

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from edgeclients.errors import StartError, Unavailable
from edgeclients.files import schema_path
from edgeclients.model import Effects, Role
from edgeclients.ports import Transaction
from edgeclients.store.limits import StoreLimits
from edgeclients.store.postgres.connect import connect
from edgeclients.store.postgres.migration import migrate, take_turns
from edgeclients.store.postgres.store import PostgresDatabase, PostgresStore
from edgeclients.store.postgres.transaction import PostgresTransaction
from tests.conformance.harness import add, new_client
from tests.support import asking
from tests.support.api import Api, basic
from tests.support.fronts import Front
from tests.support.inflight import is_in_flight
from tests.support.on_postgres import Cloud, clients_locked, cloud_on, secret_works
from tests.support.postgres import Packaged, Server, packaged
from tests.support.proxy import Proxy
from tests.support.raw import Raw, request
from tests.support.service import Service, started
from tests.support.waiting import PATIENCE, wait_until

WRITERS, READERS, ASKING = 4, 4, 4


@pytest.fixture(scope="module")
def module_own() -> Iterator[Packaged]:
    with packaged() as server:
        yield server


@pytest.fixture
def own(module_own: Packaged) -> Iterator[Packaged]:
    """A server of these tests' own, to be stopped; it runs again at the end, however a test ends."""
    yield module_own
    module_own.bring_back()


@pytest.fixture
def cloud(own: Packaged, tmp_path: Path) -> Iterator[Cloud]:
    with cloud_on(own.server, tmp_path) as made:
        yield made
        own.bring_back()  # the database is there to be dropped


class Load:
    """Callers who go on whatever they are told, and what they were told: in answer to calls begun since it was last cleared."""

    def __init__(self, service: Service, domain: str) -> None:
        self.http: Counter[int] = Counter()
        self.rpc: Counter[str] = Counter()
        self.created: list[str] = []
        self._service = service
        self._domain = domain
        self._stop = threading.Event()
        with Api(service, domain) as api:
            self._client = api.create(name="asked for")
        threads = [(self._write, WRITERS), (self._read, READERS), (self._ask, ASKING)]
        self._threads = [threading.Thread(target=work) for work, number in threads for _ in range(number)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def until(self, condition: Callable[[], bool]) -> None:
        """Go on until this holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, (self.http, self.rpc)
            time.sleep(0.02)

    def until_all_get(self, http: set[int], rpc: str) -> None:
        """Go on until what everybody is told next is one of these."""
        self.http, self.rpc = Counter(), Counter()
        self.until(lambda: self.rpc[rpc] >= ASKING and all(self.http[status] for status in http))

    def _write(self) -> None:
        with Api(self._service, self._domain) as api:
            while not self._stop.is_set():
                told = self.http
                answer = api.request("POST", "/clients", json={"name": str(uuid.uuid4())})
                told[answer.status_code] += 1
                if answer.status_code == 201:
                    self.created.append(answer.json()["id"])
                else:
                    assert set(answer.json()) == {"message", "error"}

    def _read(self) -> None:
        with Api(self._service, self._domain) as api:
            while not self._stop.is_set():
                told = self.http
                told[api.request("GET", "/clients?limit=3").status_code] += 1

    def _ask(self) -> None:
        wrong = basic(self._client["id"], str(uuid.uuid4()))  # never remembered, so the database is asked each time
        with grpc.insecure_channel(self._service.grpc) as channel:
            stub = clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]
            while not self._stop.is_set():
                told = self.rpc
                try:
                    stub.Authenticate(clients_pb2.AuthnReq(token=wrong))
                except grpc.RpcError as error:
                    told[error.code().name] += 1


def is_ready(service: Service) -> bool:
    return asking.get(f"{service.http}/ready").status_code == 200


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_a_restart_under_load_is_told_and_survived(own: Packaged, cloud: Cloud, tmp_path: Path, how: signal.Signals) -> None:
    with started(tmp_path / "data", cloud.env) as service:
        domain = f"d-{uuid.uuid4().hex}"
        with Load(service, domain) as load:
            load.until_all_get({200, 201}, "PERMISSION_DENIED")
            own.stop(how)
            load.until_all_get({503}, "UNAVAILABLE")
            assert not is_ready(service)
            own.start()
            load.until_all_get({200, 201}, "PERMISSION_DENIED")
            load.until(lambda: is_ready(service))
            load.until_all_get({200, 201}, "PERMISSION_DENIED")
            assert set(load.http) == {200, 201}, "nothing is left of it"
            assert set(load.rpc) == {"PERMISSION_DENIED"}
        with Api(service, domain) as api:
            for client_id in load.created:
                assert api.request("GET", f"/clients/{client_id}").status_code == 200
        messages = Counter(str(line["msg"]) for line in service.lines)
        assert messages["the database is unavailable"] >= 1
        assert messages["the database is available again"] >= 1
        assert not [line for line in service.lines if "Traceback" in str(line)]


def test_a_service_without_callers_finds_its_way_back(own: Packaged, cloud: Cloud, tmp_path: Path) -> None:
    with started(tmp_path / "data", cloud.env) as service, Api(service) as api:
        client = api.create()
        own.stop()
        assert api.request("POST", "/clients", json={}).status_code == 503
        assert not is_ready(service)
        own.start()
        wait_until(lambda: is_ready(service), "the database to be used again")
        assert secret_works(service, client)
        api.create()


def test_sessions_that_an_administrator_ends_are_opened_anew(cloud: Cloud, tmp_path: Path) -> None:
    end = "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
    with started(tmp_path / "data", cloud.env) as service, Api(service) as api:
        for _ in range(5):
            assert cloud.rows(f"{end} current_database()")[0][0] >= 1
            assert api.request("POST", "/clients", json={}).status_code in {201, 503}  # it may meet the end of its session
            api.create()


@pytest.mark.source_only("it calls parts of the program, without the program")
async def test_a_line_that_goes_dead_is_told_to_those_who_read(postgres: Server, prepared_postgres: str) -> None:
    async with postgres.database(prepared_postgres) as name:
        with Front(postgres, None) as front:
            store = PostgresStore(front.server.address(name), 3, StoreLimits(), lambda _: None)
            async with store:
                new = new_client()
                await add(store, new)
                assert await store.client(new.client.id) == new.client
                front.hold()
                with pytest.raises(Unavailable):
                    await store.client(new.client.id)
                front.hold(held=False)
                assert await store.client(new.client.id) == new.client


@pytest.mark.source_only("it calls parts of the program, without the program")
async def test_a_session_that_can_only_read_is_not_used_again(postgres: Server, prepared_postgres: str) -> None:
    """As after a switch to another server: it is open, and of no use for changes."""
    async with (
        postgres.database(prepared_postgres) as name,
        PostgresStore(postgres.address(name), 3, StoreLimits(), lambda _: None) as store,
    ):
        sessions: list[int] = []

        async def unit(tx: Transaction) -> None:
            assert isinstance(tx, PostgresTransaction)
            sessions.append(await tx._connection.fetchval("SELECT pg_backend_pid()"))
            if len(sessions) == 2:
                await tx._connection.execute("SET LOCAL transaction_read_only = on")
            await tx.insert([new_client()])

        await store.run(unit)
        with pytest.raises(Unavailable):
            await store.run(unit)
        await store.run(unit)
        assert sessions[0] == sessions[1] != sessions[2]


@pytest.mark.source_only("it calls parts of the program, without the program")
async def test_a_commit_of_unknown_outcome_voids_what_it_may_have_revoked(postgres: Server, prepared_postgres: str) -> None:
    async with postgres.database(prepared_postgres) as name:
        told: list[Effects] = []
        store = PostgresStore(postgres.address(name), 3, StoreLimits(), told.append)
        async with store:
            new = new_client()
            await add(store, new)
            await postgres.execute(
                "CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS"
                " $$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END$$;"
                " CREATE CONSTRAINT TRIGGER leave AFTER INSERT ON revocations DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION leave()",
                name,
            )
            with pytest.raises(Unavailable):
                await store.run(lambda tx: tx.revoke([new.client.id]))
            assert told[-1] == Effects(granted=True, events=True, unsure=True)
            assert store.writer.failing
            role = new.role.role()
            with pytest.raises(Unavailable):
                await store.run(partial(_revoke_and_leave, new.client.id, role))
            assert told[-1] == Effects(granted=True, events=True, roles=True, unsure=True)
            await add(store, new_client())
            assert not store.writer.failing


async def _revoke_and_leave(client_id: str, role: Role, tx: Transaction) -> None:
    await tx.revoke([client_id])
    await tx.remove_members(role, None)


def test_several_that_start_at_once_migrate_once(cloud: Cloud, tmp_path: Path) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    services = []
    with asyncio.Runner() as runner:
        link = runner.run(connect(cloud.server.address(cloud.name)))
        runner.run(take_turns(link))
        try:
            services = [Service.launch(tmp_path / str(number), cloud.env) for number in range(4)]
            wait_until(lambda: cloud.rows(waiting) == [(4,)], "four that wait for their turn")
            assert cloud.rows("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
        finally:
            link.terminate()
    try:
        for service in services:
            service.wait_ready()
        assert cloud.rows("SELECT version FROM schema_migrations ORDER BY version") == [
            (number,) for number, _ in enumerate(schema_path("postgres").glob("*.sql"), 1)
        ]
        for service in services:
            with Api(service, "plant") as api:
                api.create()
        assert cloud.rows("SELECT count(*) FROM clients") == [(4,)]
    finally:
        for service in services:
            service.stop()


def test_it_stops_though_the_database_is_silent(cloud: Cloud, tmp_path: Path) -> None:
    """And tells those who wait."""
    with Proxy(cloud.server.port) as way:
        env = cloud.through(cloud.server._replace(host="127.0.0.1", port=way.port))
        with started(tmp_path / "data", env) as service:
            with Api(service) as api:
                assert secret_works(service, api.create())
            with clients_locked(cloud), Raw(service) as raw:
                raw.send(request(service, "POST", "/d/clients", b"{}"))
                wait_until(lambda: _waits_for_silence(service, raw, way), "a create that the database does not answer")
                service.process.terminate()
                assert (answer := raw.answer()).status == 503
                assert answer.error == "unavailable"
                assert service.end() == 0
        assert not [line for line in service.lines if "Traceback" in str(line)]


def _waits_for_silence(service: Service, raw: Raw, way: Proxy) -> bool:
    """Whether the create on `raw` is under way and the database silent; one that has given up on the lock is sent again."""
    if select.select([raw.socket], [], [], 0)[0]:
        raw.answer()
        raw.send(request(service, "POST", "/d/clients", b"{}"))
    if not is_in_flight(service, 1):
        return False
    way.freeze()
    if is_in_flight(service, 1):
        return True
    way.thaw()
    return False


@pytest.mark.parametrize("workers", ["1", "2"])
def test_one_that_waits_for_its_turn_can_be_stopped(cloud: Cloud, tmp_path: Path, workers: str) -> None:
    with asyncio.Runner() as runner:
        link = runner.run(connect(cloud.server.address(cloud.name)))
        runner.run(take_turns(link))
        try:
            env = {**cloud.env, "MG_CLIENTS_WORKERS": workers, "MG_CLIENTS_DB_MAX_CONNECTIONS": "3"}
            service = Service.launch(tmp_path / "data", env)
            service.wait_for("another edgeclients starts on this database: waiting for it")
            assert service.stop() == 0
            assert "stopped before it was ready" in [line["msg"] for line in service.lines]
        finally:
            link.terminate()


@pytest.mark.source_only("it calls parts of the program, without the program")
async def test_a_migration_that_fails_leaves_nothing_of_itself(postgres: Server, tmp_path: Path) -> None:
    (tmp_path / "0001_good.sql").write_text("CREATE TABLE good (id int);")
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE half (id int); SELECT 1 / 0;")
    async with postgres.database() as name:

        async def start() -> None:
            link = await connect(postgres.address(name))
            try:
                await migrate(link, name, tmp_path)
            finally:
                link.terminate()

        for _ in range(2):
            with pytest.raises(asyncpg.DivisionByZeroError):
                await start()
        (tmp_path / "0002_bad.sql").write_text("CREATE TABLE whole (id int);")
        await start()
        tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        assert await postgres.rows(name, tables) == [("good",), ("schema_migrations",), ("whole",)]


@pytest.mark.source_only("it calls parts of the program, without the program")
async def test_a_server_that_is_stopped_is_told_at_the_start(own: Packaged) -> None:
    own.stop()
    with pytest.raises(StartError, match="cannot be reached"):
        await PostgresDatabase.opened(own.server.address("postgres"))
