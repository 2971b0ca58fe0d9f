"""Keeping processes running: those that end at once, those that do not listen, those that never serve."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import psutil
import pytest

from edgeclients.ops.supervisor import Supervisor, WorkerError
from tests.support.waiting import come_true

SAY_READY = "import socket, sys; line = socket.socket(fileno=int(sys.argv[1])); line.send(b'.')"
SERVE = f"{SAY_READY}; line.recv(1)"
END_AT_ONCE = f"{SAY_READY}; sys.exit(3)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SAY_READY}; signal.pause()"
TALK = f"""
import signal
signal.signal(signal.SIGHUP, lambda *_: line.send(b'r'))
{SAY_READY}
while said := line.recv(1):
    line.send(said)
"""
NEVER_READY = "raise SystemExit(7)"
SLOW_TO_START = "import time; time.sleep(600)"


def _children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]


@contextlib.asynccontextmanager
async def _supervised(program: str, count: int = 2, grace: float = 15) -> AsyncIterator[Supervisor]:
    before = set(_children())
    supervisor = Supervisor([sys.executable, "-c", program], {}, count, grace)
    try:
        yield supervisor
    finally:
        await supervisor.stop()
        assert set(_children()) == before


async def test_as_many_as_wanted_serve_until_they_are_stopped() -> None:
    before = len(_children())
    async with _supervised(SERVE, 3) as supervisor:
        await supervisor.start()
        assert len(_children()) == before + 3


async def test_what_keeps_ending_is_started_ever_later(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        async with _supervised(END_AT_ONCE, 1) as supervisor:
            await supervisor.start()
            running = asyncio.ensure_future(supervisor.run())
            while len(caplog.messages) < 3:  # it takes 1 + 2 seconds
                await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.wait([running])
    told = [(record.__dict__["ended_with"], record.__dict__["seconds"]) for record in caplog.records]
    assert told == [("exit code 3", 1.0), ("exit code 3", 2.0), ("exit code 3", 4.0)]


async def test_one_that_does_not_hear_is_killed() -> None:
    async with _supervised(DEAF, grace=0.1) as supervisor:
        await supervisor.start()


async def test_one_that_ends_before_it_serves_is_an_error() -> None:
    async with _supervised(NEVER_READY) as supervisor:
        with pytest.raises(WorkerError, match="worker 1: exit code 7 before it was ready"):
            await supervisor.start()


async def test_a_start_can_be_given_up() -> None:
    before = len(_children())
    async with _supervised(SLOW_TO_START) as supervisor:
        starting = asyncio.ensure_future(supervisor.start())
        while len(_children()) == before:
            await asyncio.sleep(0.01)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting


async def test_what_cannot_be_run_is_an_error() -> None:
    supervisor = Supervisor(["/no/such/program"], {}, 2)
    with pytest.raises(FileNotFoundError):
        await supervisor.start()


async def test_a_reload_is_over_when_each_worker_says_so() -> None:
    async with _supervised(TALK) as supervisor:
        await supervisor.start()
        for _ in range(3):
            await supervisor.reload()


async def test_a_reload_does_not_wait_for_a_worker_that_ends_instead() -> None:
    async with _supervised(SERVE) as supervisor:  # SIGHUP ends it
        await supervisor.start()
        await supervisor.reload()


async def test_a_worker_that_says_nothing_is_not_sound() -> None:
    async with _supervised(TALK, 1) as supervisor:
        await supervisor.start()
        (slot,) = supervisor._slots
        worker = slot._worker
        assert worker is not None
        before = worker.heard_at
        await come_true(_false(lambda: supervisor.is_sound(0.05)), "time to pass")
        worker._writer.write(b"w")
        await come_true(_true(lambda: worker.heard_at > before), "it to be heard")
        assert supervisor.is_sound(3600)


async def test_workers_that_are_not_ready_are_counted() -> None:
    async with _supervised(TALK) as supervisor:
        await supervisor.start()
        assert supervisor.fault() == ""
        worker = supervisor._slots[0]._worker
        assert worker is not None
        worker._writer.write(b"!")
        await come_true(_true(lambda: supervisor.fault().startswith("1 of 2 workers")), "it to be heard")
        worker._writer.write(b".")
        await come_true(_false(lambda: bool(supervisor.fault())), "it to be heard")


async def test_steps_of_a_start_are_passed_on() -> None:
    steps: list[int] = []
    supervisor = Supervisor(
        [sys.executable, "-c", f"{SAY_READY}; line.send(b'sss'); line.recv(1)"], {}, 1, 15, lambda: steps.append(1)
    )
    try:
        await supervisor.start()
        await come_true(_true(lambda: len(steps) == 3), "all of them")
    finally:
        await supervisor.stop()


def _true(holds: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return holds()

    return look


def _false(holds: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    return _true(lambda: not holds())
