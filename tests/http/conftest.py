"""What tests of more than one caller use."""

from collections.abc import Iterator

import pytest

from tests.support.commands import ready_to_run
from tests.support.people import People, Town
from tests.support.service import Service


@pytest.fixture(scope="session")
def people(service: Service) -> Iterator[People]:
    """Those who may call the shared service."""
    with ready_to_run():
        made = People(service)
        yield made
        made.close()


@pytest.fixture
def town(people: People) -> Town:
    """A domain that no other test uses, with its people."""
    return people.town()
