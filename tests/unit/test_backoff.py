"""How long is waited before something is tried again."""

from edgeclients.events.backoff import Backoff


def test_it_grows_up_to_a_bound_and_begins_anew() -> None:
    backoff = Backoff()
    waits = [backoff.seconds() for _ in range(12)]
    bounds = [0.5, 1, 2, 4, 8, 16, *[30] * 6]
    assert all(bound / 2 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))
    backoff.reset()
    assert backoff.seconds() <= 0.5


def test_no_two_wait_alike() -> None:
    assert len({Backoff().seconds() for _ in range(20)}) > 1
