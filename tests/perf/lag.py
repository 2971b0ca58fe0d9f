"""The service with a watch on its event loop: `python -m tests.perf.lag`.

A line on stdin asks how late the loop was since the last one.

Every millisecond something small is due; how much later it happens is what everybody else in the loop waits.
"""

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

import uvloop

from edgeclients import settings
from edgeclients.wiring.service import build

_EVERY = 0.001
_SWITCH_SECONDS = 0.0005  # as the service has it


class Watch:
    """How late the loop was, in milliseconds."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._late: list[float] = []
        self._plan()

    def told(self) -> dict[str, float]:
        """What was seen since this was last asked; nothing late, if that was less than a moment ago."""
        late, self._late = sorted(self._late) or [0.0], []
        return {"count": len(late), "p50": late[len(late) // 2], "p99": late[len(late) * 99 // 100], "max": late[-1]}

    def _plan(self) -> None:
        self._due = time.perf_counter() + _EVERY  # the loop's own clock tells whole milliseconds
        self._loop.call_later(_EVERY, self._note)

    def _note(self) -> None:
        self._late.append(max(0.0, time.perf_counter() - self._due) * 1000)
        self._plan()


async def _main() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    async with build(settings.load(os.environ)) as running:
        await running.complete()
        sys.setswitchinterval(_SWITCH_SECONDS)
        watch = Watch()

        def answer() -> None:
            if sys.stdin.readline():
                _tell(watch.told())
            else:  # whoever asked has gone
                loop.remove_reader(sys.stdin)

        loop.add_reader(sys.stdin, answer)
        _tell({"msg": "ready", "http": running.http, "grpc": running.grpc})
        await stop.wait()


def _tell(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    uvloop.run(_main())
