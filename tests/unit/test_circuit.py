"""A service that does not answer is left alone for a while, and tried with one call."""

from edgeclients.peers.circuit import FAILURES, Circuit


class Clock:
    """Seconds, as far as the test has turned them."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fail(circuit: Circuit, times: int) -> list[bool]:
    """Ask in vain: whether each opened it."""
    return [circuit.failed(trial=circuit.begin()) for _ in range(times)]


def test_it_opens_with_the_fifth_failure_in_a_row() -> None:
    circuit = Circuit(Clock())
    assert fail(circuit, FAILURES - 1) == [False] * 4
    circuit.succeeded(trial=circuit.begin())
    assert fail(circuit, FAILURES) == [False] * 4 + [True]
    assert circuit.is_open
    assert circuit.wait() == 1.0


def test_after_its_pause_one_call_is_let_through() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    fail(circuit, FAILURES)
    clock.now = 0.9
    assert 0 < circuit.wait() < 0.2
    clock.now = 1.0
    assert circuit.wait() == 0
    assert circuit.begin()
    assert circuit.wait() > 0  # for everybody else
    circuit.succeeded(trial=True)
    assert (circuit.is_open, circuit.wait()) == (False, 0)


def test_the_pause_doubles_with_each_trial_that_fails_and_starts_anew_after_success() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    fail(circuit, FAILURES)
    pauses = []
    for _ in range(7):
        pauses.append(circuit.wait())
        clock.now += circuit.wait()
        assert circuit.failed(trial=circuit.begin())
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    clock.now += circuit.wait()
    circuit.succeeded(trial=circuit.begin())
    fail(circuit, FAILURES)
    assert circuit.wait() == 1


def test_a_trial_whose_caller_left_says_nothing() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    fail(circuit, FAILURES)
    clock.now = 1.0
    assert circuit.begin()
    circuit.gave_up(trial=True)
    assert (circuit.is_open, circuit.wait()) == (True, 0)


def test_answers_to_calls_from_before_do_not_decide() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    early = [circuit.begin() for _ in range(3)]
    fail(circuit, FAILURES)
    circuit.succeeded(trial=early[0])
    assert circuit.is_open
    clock.now = 1.0
    assert not circuit.failed(trial=early[1])
    circuit.gave_up(trial=early[2])
    assert circuit.wait() == 0
