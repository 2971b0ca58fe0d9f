"""Memory that is free, given back to the system: the C library keeps what many callers at once have made it take."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Final

_SECONDS: Final = 10.0
_LONGEST_SECONDS: Final = 60.0
_WORTH_IT: Final = 32 * 1024 * 1024  # bytes above the least it has been

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


async def keep_giving_back(seconds: float = _SECONDS) -> None:
    """Give back what the process does not use, whenever it has grown; never returns.

    Args:
        seconds: between two looks; more as long as nothing is found that is free.
    """
    least, pause = resident_bytes(), seconds
    while True:
        await asyncio.sleep(pause)
        before = resident_bytes()
        least = min(least, before)
        if before < least + _WORTH_IT:
            pause = seconds
            continue
        await asyncio.to_thread(_trim)
        given = before - resident_bytes()
        pause = seconds if given > _WORTH_IT // 4 else min(2 * pause, _LONGEST_SECONDS)


def resident_bytes() -> int:
    """Memory of this process that is not swapped out."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def _trim() -> None:
    import ctypes

    with contextlib.suppress(AttributeError):  # musl has none, and gives back by itself
        ctypes.CDLL(None).malloc_trim(0)
