"""A server for all tests that need no special one; somebody is served by it before and after each of them."""

from collections.abc import Iterator

import pytest

from tests.lane.peers import Peer
from tests.lane.served import Served, serving
from tests.support.waiting import wait_until


@pytest.fixture(scope="session")
def shared() -> Iterator[Served]:
    """One server for all."""
    with serving() as running:
        yield running


@pytest.fixture
def served(shared: Served) -> Iterator[Served]:
    """It, and nothing is left of what a test has done to it: another connection is served, nothing is logged."""
    shared.do(shared.gate.clear)
    shared.begun = shared.cancelled = 0
    shared.lost.clear()
    shared.seen.clear()
    with Peer(shared.address) as honest:
        honest.is_served()
        yield shared
        honest.is_served()
        wait_until(lambda: shared.lane.connections == 1, "the end of other connections")
        honest.is_served()
    shared.settled()
    shared.unlogged()


@pytest.fixture
def peer(served: Served) -> Iterator[Peer]:
    """A connection."""
    with Peer(served.address) as connection:
        yield connection
