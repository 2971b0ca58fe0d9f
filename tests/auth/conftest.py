"""A service on each kind of storage that asks an Auth service, and those who call it."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import STORAGES
from tests.support.cloud.plant import Plant, planted
from tests.support.on_postgres import cloud_on


@pytest.fixture(scope="session", params=STORAGES)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """The service that most tests use; each has users of its own, and a domain of its own if it changes that."""
    with _planted(request, tmp_path_factory.mktemp("plant")) as running:
        yield running


@pytest.fixture
def plant(shared: Plant) -> Iterator[Plant]:
    """That service; who calls in a test hangs up with it."""
    with shared.visited():
        yield shared


@pytest.fixture(scope="session", params=STORAGES)
def shared_whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """One that asks domains, groups and channels services as well."""
    with _planted(request, tmp_path_factory.mktemp("whole"), ("domains", "groups", "channels")) as running:
        yield running


@pytest.fixture
def whole(shared_whole: Plant) -> Iterator[Plant]:
    """That service; who calls in a test hangs up with it."""
    with shared_whole.visited():
        yield shared_whole


@contextlib.contextmanager
def _planted(request: pytest.FixtureRequest, folder: Path, asked: Sequence[str] = ()) -> Iterator[Plant]:
    """A service on the storage that is the fixture's parameter."""
    with contextlib.ExitStack() as stack:
        env = {}
        if request.param == "cloud":
            env = stack.enter_context(cloud_on(request.getfixturevalue("postgres"), folder)).storage
        yield stack.enter_context(planted(folder / "data", asked, env))
