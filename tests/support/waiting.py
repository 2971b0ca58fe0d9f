"""Waiting for what another process or thread brings about, where nothing tells of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

PATIENCE = 120  # seconds; a test that waits this long has failed, on however busy a machine
_LOOK = 0.02


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Look until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(_LOOK)


async def come_true(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """The same in an event loop."""
    deadline = time.monotonic() + PATIENCE
    while not await holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        await asyncio.sleep(_LOOK)
