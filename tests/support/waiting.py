"""Waiting for what another process or thread brings about, where nothing tells of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

PATIENCE = 120  # seconds; a test that waits this long has failed, on however busy a machine
_LOOK, _SELDOM = 0.02, 0.2  # seconds between two looks, at first and in the end: looking takes time from what is waited for


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Look until it holds."""
    for pause in _pauses(what):
        if holds():
            return
        time.sleep(pause)


async def come_true(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """The same in an event loop."""
    for pause in _pauses(what):
        if await holds():
            return
        await asyncio.sleep(pause)


def _pauses(what: str) -> Iterator[float]:
    began = time.monotonic()
    while (waited := time.monotonic() - began) < PATIENCE:
        yield min(_LOOK + waited / 20, _SELDOM)
    raise AssertionError(f"waited in vain for {what}")
