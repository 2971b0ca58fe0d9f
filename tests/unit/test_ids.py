"""New ids of clients: UUIDv7 that ascend, whatever the clock does."""

import itertools
import uuid

from hypothesis import given
from hypothesis import strategies as st

from edgeclients.core.ids import EntityIds
from edgeclients.core.rules import is_uuid

NOW = 1_790_000_000_123_456
_times = st.integers(0, 1 << 60) | st.integers(NOW - 2000, NOW + 2000)


def test_an_id_is_a_uuid_of_version_7_that_starts_with_the_time() -> None:
    new = EntityIds().new(NOW)
    assert is_uuid(new)
    parsed = uuid.UUID(new)
    assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, new)
    assert parsed.int >> 80 == NOW // 1000


@given(st.lists(_times, min_size=2, max_size=200))
def test_ids_ascend_whatever_the_clock_does(times: list[int]) -> None:
    ids = EntityIds()
    made = [ids.new(now) for now in times]
    assert made == sorted(set(made))
    assert all(uuid.UUID(one).version == 7 for one in made)


def bits_of(new: str) -> int:
    """A UUID without version and variant."""
    value = uuid.UUID(new).int
    return (value >> 80) << 74 | (value >> 64 & 0xFFF) << 62 | value & (1 << 62) - 1


def test_ids_of_one_moment_are_not_to_be_guessed() -> None:
    ids = EntityIds()
    made = [bits_of(ids.new(NOW)) for _ in range(10_000)]
    steps = {later - earlier for earlier, later in itertools.pairwise(made)}
    assert len(steps) > 9_900
    assert sum(steps) / len(steps) > 1 << 30


def test_two_processes_make_different_ids_in_one_moment() -> None:
    first, second = EntityIds(), EntityIds()
    assert not {first.new(NOW) for _ in range(1000)} & {second.new(NOW) for _ in range(1000)}
