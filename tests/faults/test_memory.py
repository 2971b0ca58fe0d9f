"""Memory that was needed once is given back while the process goes on."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.source_only("it calls parts of the program, without the program")

_GROWS = """
import asyncio
from edgeclients.ops import memory

async def main():
    giving = asyncio.ensure_future(memory.keep_giving_back(0.05))
    await asyncio.sleep(0)
    before = memory.resident_bytes()
    taken = [bytes(1000) for _ in range(200_000)]
    kept = [bytes(1000) for _ in range(10)]  # behind them: without being asked the C library gives back only what is last
    grown = memory.resident_bytes()
    del taken
    while memory.resident_bytes() > before + (grown - before) / 4:
        await asyncio.sleep(0.05)
    giving.cancel()
    print(grown - before, len(kept))

asyncio.run(main())
"""


def test_what_is_free_is_given_back() -> None:
    ended = subprocess.run([sys.executable, "-c", _GROWS], capture_output=True, text=True, timeout=300, check=True)
    assert int(ended.stdout.split()[0]) > 100_000_000
