"""Token buckets: a number at once, then so many a second."""

from edgeclients.core.token_bucket import TokenBuckets, whole_seconds


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _ration(clock: Clock, keys: int = 10) -> TokenBuckets[str]:
    return TokenBuckets(3, 0.5, keys, clock)


def test_a_burst_is_allowed_and_no_more() -> None:
    ration = _ration(Clock())
    for _ in range(3):
        assert ration.wait("a") == 0
        ration.take("a")
    assert ration.wait("a") == 2


def test_one_key_does_not_cost_another() -> None:
    ration = _ration(Clock())
    for _ in range(9):
        ration.take("a")
    assert ration.wait("b") == 0


def test_what_is_used_up_comes_back_with_time_and_not_beyond_the_burst() -> None:
    clock = Clock()
    ration = _ration(clock)
    for _ in range(3):
        ration.take("a")
    clock.now += 1
    assert ration.wait("a") == 1
    clock.now += 1
    assert ration.wait("a") == 0
    clock.now += 1_000_000
    for _ in range(3):
        assert ration.wait("a") == 0
        ration.take("a")
    assert ration.wait("a") > 0


def test_whoever_goes_on_is_kept_waiting_no_longer_for_it() -> None:
    ration = _ration(Clock())
    for _ in range(100):
        ration.take("a")
    assert ration.wait("a") == 2


def test_what_was_no_failure_is_given_back() -> None:
    ration = _ration(Clock())
    for _ in range(100):
        ration.take("a")
        ration.give_back("a")
    assert ration.wait("a") == 0
    ration.give_back("a")
    ration.give_back("never seen")
    for _ in range(3):
        ration.take("a")
    assert ration.wait("a") > 0


def test_keys_are_bounded_and_the_longest_unused_is_forgotten() -> None:
    ration = _ration(Clock(), keys=2)
    for key in ("a", "b", "c"):
        for _ in range(3):
            ration.take(key)
    assert (ration.wait("a"), ration.wait("b"), ration.wait("c")) == (0, 2, 2)


def test_a_wait_is_told_in_whole_seconds() -> None:
    assert [whole_seconds(wait) for wait in (0, 0.2, 1, 1.1)] == [1, 1, 1, 2]
