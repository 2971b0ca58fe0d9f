"""Waiting for what another process or thread brings about, where nothing tells of it."""

import time
from collections.abc import Callable

PATIENCE = 60  # seconds; a test that waits this long has failed
_LOOK = 0.02


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Look until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(_LOOK)
