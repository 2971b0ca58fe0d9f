"""Slow and stuck are told apart by steps; time is moved."""

from edgeclients.progress import Progress

LIMIT = 60.0


class Moved:
    """A clock."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_idle_is_not_stuck() -> None:
    clock = Moved()
    progress = Progress(clock)
    progress.begin()
    progress.end()
    clock.now += 10 * LIMIT
    assert not progress.is_stuck(LIMIT)
    progress.begin()
    assert not progress.is_stuck(LIMIT), "it begins just now"


def test_work_without_a_step_is_stuck() -> None:
    clock = Moved()
    progress = Progress(clock)
    progress.begin()
    for _ in range(5):
        clock.now += LIMIT
        assert not progress.is_stuck(LIMIT)
        progress.step()
    clock.now += LIMIT + 1
    assert progress.is_stuck(LIMIT)
    progress.end()
    assert not progress.is_stuck(LIMIT)


def test_the_end_of_one_piece_is_a_step_of_the_others() -> None:
    clock = Moved()
    progress = Progress(clock)
    progress.begin()
    progress.begin()
    clock.now += LIMIT + 1
    progress.end()
    assert not progress.is_stuck(LIMIT)
    clock.now += LIMIT + 1
    assert progress.is_stuck(LIMIT)


def test_what_only_the_kernel_counts_is_a_step() -> None:
    clock, pages = Moved(), [1]
    progress = Progress(clock)
    progress.counter = lambda: pages[0]
    progress.begin()
    assert not progress.is_stuck(LIMIT)
    for _ in range(3):
        clock.now += LIMIT
        pages[0] += 1
        assert not progress.is_stuck(LIMIT)
    clock.now += LIMIT + 1
    assert progress.is_stuck(LIMIT)


def test_each_step_is_heard() -> None:
    heard = []
    progress = Progress()
    progress.on_step = lambda: heard.append(1)
    progress.begin()
    progress.step()
    progress.end()
    assert len(heard) == 3
