"""Memory for what connections keep: messages that are not complete, answers that wait, long lists of headers."""

OWN_BYTES = 64 * 1024
"""What a connection keeps without drawing on the budget."""
_PARTS = 4  # of the budget, one of which a connection may have


class Budget:
    """Memory of all connections of a process together.

    Args:
        most: bytes in all.
    """

    def __init__(self, most: int) -> None:
        self.left = most
        self.streams = 0
        """How many are open."""
        self.most_each = max(most // _PARTS, 1)


class Share:
    """The memory that one connection uses.

    Args:
        budget: what it draws on beyond `OWN_BYTES`.
    """

    __slots__ = ("_drawn", "_used", "budget")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._used = self._drawn = 0

    def take(self, size: int) -> bool:
        """Use so many bytes more, if they are there."""
        more = max(self._used + size - OWN_BYTES - self._drawn, 0)
        if more > self.budget.left or self._drawn + more > self.budget.most_each:
            return False
        self._used += size
        self._drawn += more
        self.budget.left -= more
        return True

    def give_back(self, size: int) -> None:
        """Use so many bytes less."""
        self._used -= size
        less = self._drawn - max(self._used - OWN_BYTES, 0)
        if less > 0:
            self._drawn -= less
            self.budget.left += less
