"""How long to wait before trying again."""

import random

_FIRST = 0.5
_LONGEST = 30.0


class Backoff:
    """Twice as long each time, up to a bound; between half of it and all, so that many do not come at once."""

    def __init__(self) -> None:
        self._next = _FIRST

    def reset(self) -> None:
        """It worked."""
        self._next = _FIRST

    def seconds(self) -> float:
        """How long to wait after one more failure."""
        most, self._next = self._next, min(_LONGEST, self._next * 2)
        return random.uniform(most / 2, most)  # noqa: S311 - nobody guesses it
