"""The context shared by all parts of a running service."""

import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from edgeclients.model import Effects
from edgeclients.ops.metrics import Metrics
from edgeclients.ops.reload import Reloading
from edgeclients.settings import Settings

if TYPE_CHECKING:
    from edgeclients.ops.tracing import Tracing

_log = logging.getLogger(__name__)


class Context(NamedTuple):
    """The context that every part is built with.

    `reloading` reloads certificates and keys on request. `stack` closes the parts in reverse order of their start. `traces`
    creates spans; None if there is no collector.
    """

    settings: Settings
    reloading: Reloading
    metrics: Metrics
    traces: "Tracing | None"
    stack: contextlib.AsyncExitStack


class Commits:
    """Passes the effects of each commit to the listeners, in the order of their registration."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Effects], None]] = []

    def add(self, listener: Callable[[Effects], None]) -> None:
        """Call `listener` after each commit from now on."""
        self._listeners.append(listener)

    def __call__(self, effects: Effects) -> None:
        """Call all listeners; the caller of the commit gets its result afterwards."""
        for listener in self._listeners:
            try:
                listener(effects)
            except Exception:  # noqa: BLE001 - an authenticator may be somebody else's; the other listeners need the effects
                _log.exception("an effect of a commit failed")
