"""h2spec itself, against a method that answers a request without a message, as its tests want it."""

import pytest

from tests.lane.served import serving
from tests.support.foreign import Missing, program
from tests.support.mixed_calls import Spec, h2spec

SECONDS = 5


def test_all_of_it() -> None:
    try:
        program("h2spec")
    except Missing as missing:
        pytest.skip(f"h2spec: {missing}")
    with serving() as served:
        port = int(served.address.rpartition(":")[2])
        assert h2spec(port, "/t/Greet", SECONDS) == Spec(145, set())
