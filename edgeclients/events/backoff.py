"""Exponential back-off."""

import random

_FIRST = 0.5
_LONGEST = 30.0


class Backoff:
    """Exponential back-off up to a bound; a random part of up to half keeps many callers from retrying at once."""

    def __init__(self) -> None:
        self._next = _FIRST

    def reset(self) -> None:
        """Start over after a success."""
        self._next = _FIRST

    def seconds(self) -> float:
        """How long to wait after one more failure."""
        most, self._next = self._next, min(_LONGEST, self._next * 2)
        return random.uniform(most / 2, most)  # noqa: S311 - guessing it gains nothing
