"""A service in gateway storage that asks an Auth service, and those who call it."""

from collections.abc import Iterator

import pytest

from tests.support.cloud.plant import Plant, planted


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """The service that most tests use; each has users of its own, and a domain of its own if it changes that."""
    with planted(tmp_path_factory.mktemp("plant") / "data") as running:
        yield running


@pytest.fixture
def plant(shared: Plant) -> Iterator[Plant]:
    """That service; who calls in a test hangs up with it."""
    with shared.visited():
        yield shared


@pytest.fixture(scope="session")
def shared_whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """One that asks domains, groups and channels services as well."""
    with planted(tmp_path_factory.mktemp("whole") / "data", ("domains", "groups", "channels")) as running:
        yield running


@pytest.fixture
def whole(shared_whole: Plant) -> Iterator[Plant]:
    """That service; who calls in a test hangs up with it."""
    with shared_whole.visited():
        yield shared_whole
