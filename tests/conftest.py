"""What several suites use: one service for all that do not need their own."""

import asyncio
import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path

import grpc
import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from edgeclients.store.postgres.store import PostgresDatabase
from tests.support.api import Api
from tests.support.database import keep_events
from tests.support.on_postgres import Cloud, cloud_on
from tests.support.postgres import Server, server
from tests.support.program import EXECUTABLE, PROGRAM, fault
from tests.support.service import Service, grpc_served_by, started

# Examples have no deadline and are not called slow: the machine may be busy with something else.
hypothesis.settings.register_profile("house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("house")

# What is imported is compiled once, not by each of the many processes that are started here.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

WORKERS_PER_CORE = 2  # tests wait for other processes about as long as they compute


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many processes run the tests; this one alone, if only files or tests were named."""
    if all(".py" in named for named in config.args):
        return 0
    return WORKERS_PER_CORE * len(os.sched_getaffinity(0))


class Shares(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Who runs what: a file's functions, or a class, on one storage, stay together, as they share what takes long to make."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(ON_PRINTED_PORTS):
            return "printed ports"
        test, _, parameters = nodeid.partition("[")
        shared = [name for name in parameters.rstrip("]").split("-")[:2] if name in STORAGES + GRPC_SERVERS]
        return " ".join([super()._split_scope(test), *shared])


# What starts services on the ports that the pages print: one after the other.
ON_PRINTED_PORTS = ("tests/cli/test_readme.py", "tests/cli/test_pages.py")

# What takes longest, begun first: at the end there is nothing left to do beside it.
LONGEST = ("tests/perf/", "tests/rpc/test_storm.py", "tests/rpc/test_foreign_load.py", *ON_PRINTED_PORTS)


@pytest.hookimpl(trylast=True)  # after those that share a service were put side by side
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
    if EXECUTABLE:
        config.hook.pytest_deselected(items=list(filter(is_of_the_sources, items)))
        items[:] = itertools.filterfalse(is_of_the_sources, items)


IN_PROCESS = ("unit", "lane", "conformance", "perf")  # suites that start no program, or measure that of the sources


def is_of_the_sources(item: pytest.Item) -> bool:
    """Whether a test says nothing of an executable; a marker gives the reason."""
    return item.path.parent.name in IN_PROCESS or item.get_closest_marker("source_only") is not None


def pytest_configure() -> None:
    if fault():
        raise pytest.UsageError(fault())


def pytest_report_header() -> str:
    return f"program: {' '.join(PROGRAM)}"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Shares:
    return Shares(config, log)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The PostgreSQL server of the whole run; make a database of your own there."""
    with server() as running:
        yield running


@pytest.fixture(scope="session")
def prepared_postgres(postgres: Server) -> Iterator[str]:
    """The name of an empty database, migrated once: a template for others."""

    async def prepare() -> str:
        name = await stack.enter_async_context(postgres.database())
        await (await PostgresDatabase.opened(postgres.address(name))).close()
        return name

    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        yield runner.run(prepare())
        runner.run(stack.aclose())


@pytest.fixture
def cloud(postgres: Server, tmp_path: Path) -> Iterator[Cloud]:
    """An empty database, and a pepper."""
    with cloud_on(postgres, tmp_path) as made:
        yield made


# What speaks to the service only from outside is run on each kind of storage; the rest looks into a gateway's files.
STORAGES = ("gateway", "cloud")
ON_EACH_STORAGE = ("http", "rpc")


# What calls the gRPC port is run on each server of it.
GRPC_SERVERS = ("lane", "grpcio")
ON_EACH_SERVER = (
    *("rpc/", "tracing/test_calls.py", "cli/test_tls.py", "cli/test_reload.py", "cli/test_workers.py"),
    *("faults/test_grpc_hostile.py", "faults/test_shutdown.py", "faults/test_caller_gone.py"),
    *("faults/test_revocation_races.py", "faults/test_few_descriptors.py", "faults/test_grpc_sessions.py"),
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Say what serves gRPC to a test, and on which storage its shared service runs."""
    if metafunc.definition.nodeid.removeprefix("tests/").startswith(ON_EACH_SERVER):
        metafunc.parametrize("grpc_server", GRPC_SERVERS, indirect=True, scope="session")
    if "service" in metafunc.fixturenames and metafunc.definition.path.parent.name in ON_EACH_STORAGE:
        metafunc.parametrize("service", STORAGES, indirect=True, scope="session")


@pytest.fixture(scope="session", autouse=True)
def grpc_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """What serves gRPC in the services of a test; "" if that does not matter."""
    name: str = getattr(request, "param", "")
    with grpc_served_by(name):
        yield name


@pytest.fixture(scope="session")
def service(request: pytest.FixtureRequest, grpc_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service, shared: use a domain of your own (fixture `api`)."""
    with serving(request, tmp_path_factory) as running:
        yield running


@contextmanager
def serving(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service on the storage that a test is run on."""
    folder = tmp_path_factory.mktemp("service")
    with ExitStack() as stack:
        env = {"MG_CLIENTS_LOG_LEVEL": "debug"}
        if getattr(request, "param", STORAGES[0]) == "cloud":
            env |= stack.enter_context(cloud_on(request.getfixturevalue("postgres"), folder)).env
        running = stack.enter_context(started(folder / "data", env))
        if "MG_CLIENTS_MODE" not in env:
            keep_events(running)
        yield running


@pytest.fixture
def api(service: Service) -> Iterator[Api]:
    """The operator in a domain that no other test uses."""
    with Api(service) as caller:
        yield caller


@pytest.fixture
def other(service: Service) -> Iterator[Api]:
    """The same operator in another domain."""
    with Api(service) as caller:
        yield caller


@pytest.fixture(scope="session")
def stub(service: Service) -> Iterator[clients_pb2_grpc.ClientsServiceStub]:
    """A gRPC caller of the shared service."""
    with grpc.insecure_channel(service.grpc) as channel:
        yield clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]


def authenticate(stub: clients_pb2_grpc.ClientsServiceStub, token: str) -> str:
    """The id behind a token."""
    return str(stub.Authenticate(clients_pb2.AuthnReq(token=token)).id)
