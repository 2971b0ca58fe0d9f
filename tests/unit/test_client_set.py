"""Sets of clients against Python's sets, and the form in which they are stored."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclients.store.sqlite.client_set import BLOCK, ClientSet, add, decode, encode, remove

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")

NUMBERS = st.sets(st.integers(0, 3 * BLOCK), max_size=40)
PLACES = st.sets(st.integers(0, BLOCK - 1), min_size=1, max_size=40) | st.sets(st.integers(0, BLOCK - 1), min_size=120)


@given(NUMBERS, NUMBERS)
def test_what_sets_have_in_common(some: set[int], others: set[int]) -> None:
    one, other = ClientSet.of(some), ClientSet.of(others)
    for made, expected in ((one & other, some & others), (one | other, some | others), (one - other, some - others)):
        assert list(made) == sorted(expected)
        assert len(made) == len(expected)
        assert json.loads(made.json) == sorted(expected)
        assert all((number in made) == (number in expected) for number in some | others | {0, BLOCK})


@given(PLACES)
def test_what_is_stored_is_read(places: set[int]) -> None:
    stored = encode(sorted(places))
    assert len(stored) == min(2 * len(places), BLOCK // 8)
    assert set(ClientSet({0: decode(stored)})) == places


@given(PLACES, PLACES)
def test_clients_come_and_go(some: set[int], others: set[int]) -> None:
    stored = add(encode(sorted(some)), encode(sorted(others)))
    assert stored == encode(sorted(some | others))
    for place in others:
        stored = remove(stored, place)
    assert stored == encode(sorted(some - others))


def test_the_form_is_the_same_on_every_machine() -> None:
    assert encode([1, 258]) == b"\x01\x00\x02\x01"
    every_eighth = encode(list(range(0, BLOCK, 8)))
    assert every_eighth == b"\x01" * 256
