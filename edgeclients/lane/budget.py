"""Memory for long messages, of all connections of a process together."""


class Budget:
    """Room for messages that are longer than a stream's window.

    Args:
        most: bytes in all.
    """

    def __init__(self, most: int) -> None:
        self._left = most

    def take(self, size: int) -> bool:
        """Take room, if there is so much left."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give_back(self, size: int) -> None:
        """Give it back."""
        self._left += size
