"""What every part of a running service is built with."""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from edgeclients.model import Effects
from edgeclients.ops.metrics import Metrics
from edgeclients.ops.reload import Reloading
from edgeclients.settings import Settings

if TYPE_CHECKING:
    from edgeclients.ops.tracing import Tracing


class Context(NamedTuple):
    """What every part is built with.

    `reloading` reads certificates and keys again on request. `stack` closes what was opened, the last first. `traces` makes
    spans; None where there is no collector.
    """

    settings: Settings
    reloading: Reloading
    metrics: Metrics
    traces: "Tracing | None"
    stack: contextlib.AsyncExitStack


class Commits:
    """Tells listeners what each commit causes, in the order in which they were added."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Effects], None]] = []

    def add(self, listener: Callable[[Effects], None]) -> None:
        """Call `listener` after each commit from now on."""
        self._listeners.append(listener)

    def __call__(self, effects: Effects) -> None:
        """A commit has happened; its caller gets the result after this."""
        for listener in self._listeners:
            listener(effects)
