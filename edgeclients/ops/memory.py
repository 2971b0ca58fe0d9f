"""Returns free memory to the system: the C library keeps the memory of a peak load."""

import asyncio
import contextlib
import gc
import os
from pathlib import Path
from typing import Final

_SECONDS: Final = 10.0
_LONGEST_SECONDS: Final = 60.0
_WORTH_IT: Final = 8 * 1024 * 1024  # bytes above the minimum so far

_M_ARENA_MAX: Final = -8  # malloc.h
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def share_one_heap() -> None:
    """Let all threads use the heap of the C library's first thread: each heap of its own keeps the memory of a peak load.

    Call it before threads are started.
    """
    import ctypes

    with contextlib.suppress(AttributeError):  # musl has one heap
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


async def keep_giving_back(seconds: float = _SECONDS) -> None:
    """Return unused memory to the system whenever the process has grown; run until cancelled.

    Args:
        seconds: the pause between two checks; it grows while checks find no free memory.
    """
    minimum, pause = resident_bytes(), seconds
    while True:
        await asyncio.sleep(pause)
        before = resident_bytes()
        minimum = min(minimum, before)
        if before < minimum + _WORTH_IT:
            pause = seconds
            continue
        await asyncio.to_thread(_trim)
        freed = before - resident_bytes()
        pause = seconds if freed > _WORTH_IT // 4 else min(2 * pause, _LONGEST_SECONDS)


def resident_bytes() -> int:
    """The resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def _trim() -> None:
    import ctypes

    gc.collect()  # empties the interpreter's lists of free objects, each of which keeps its surroundings
    with contextlib.suppress(AttributeError):  # musl has no malloc_trim, and returns memory itself
        ctypes.CDLL(None).malloc_trim(0)
