"""Transactions that are tried, and leave everything as it was."""

from collections.abc import Sequence

from edgeclients.core.provisioning.record import BadLine
from edgeclients.core.provisioning.writing import Done


class UndoneError(Exception):
    """Ends a transaction without a change, with what became of its lines."""

    def __init__(self, outcomes: Sequence[Done | BadLine] = ()) -> None:
        super().__init__()
        self.outcomes = list(outcomes)

    def forget(self) -> None:
        """Let go of the lines, which the frames of the transaction refer to, and these to each other."""
        self.__traceback__ = None
