"""A service in gateway storage that asks an Auth service, and those who call it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cloud.plant import Plant, planted


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """The service that most tests share; each has users of its own, and a domain of its own if it changes that."""
    with planted(tmp_path_factory.mktemp("plant") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """One that asks domains, groups and channels services as well."""
    everything: Any = ("domains", "groups", "channels")
    with planted(tmp_path_factory.mktemp("whole") / "data", everything) as running:
        yield running
