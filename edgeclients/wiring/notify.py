"""Reports the state of the process to its manager: systemd, or in a worker the supervisor.

systemd gets messages only if it passes `NOTIFY_SOCKET`, which the unit's `Type=notify` means (systemd/README.md#notify).
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from edgeclients.concurrency import StoppedError, cancel_and_wait
from edgeclients.ops.supervisor import Lifeline, Report
from edgeclients.progress import Progress

if TYPE_CHECKING:
    from edgeclients.ops.notify import NotifySocket

STUCK_SECONDS = 60.0  # without progress
_EXTENSION_SECONDS = 60  # of the time-out of the start, from each step of a migration on
_EXTEND_EVERY = 5.0  # seconds
_LOOK_EVERY = 2.0  # seconds between two looks for a new fault
_WATCHDOG = "WATCHDOG_USEC"


class _Throttle:
    """Passes one step every few seconds."""

    def __init__(self) -> None:
        self._passed_at = float("-inf")

    def passes(self) -> bool:
        """Whether a step that is made now is to be reported."""
        now = time.monotonic()
        if now - self._passed_at < _EXTEND_EVERY:
            return False
        self._passed_at = now
        return True


class Manager:
    """A manager that wants no reports; subclasses send them."""

    worker_environment: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    """Variables that make workers report to their supervisor."""

    @contextlib.contextmanager
    def starting(self, progress: Progress) -> Iterator[None]:  # noqa: ARG002 - subclasses use it
        """The start of the process; the steps of `progress` extend its time-out."""
        yield

    @contextlib.asynccontextmanager
    async def serving(
        self,
        words: str,  # noqa: ARG002 - subclasses use it
        fault: Callable[[], str],  # noqa: ARG002 - likewise
        sound: Callable[[], bool],  # noqa: ARG002 - likewise
    ) -> AsyncIterator[None]:
        """The time in which the process serves.

        Args:
            words: the state without a fault.
            fault: why the process is not ready; empty if it is.
            sound: whether it makes progress; otherwise its manager should end it.
        """
        yield

    async def reload(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work`, which reloads files."""
        await work()

    def failed(self, reason: str) -> None:
        """Report why the process ends."""


class Systemd(Manager):
    """systemd, which gets messages over its socket.

    Args:
        notify: the socket.
        watchdog: the longest pause between two reports, in seconds; 0: systemd wants none.
    """

    def __init__(self, notify: "NotifySocket", watchdog: float) -> None:
        self._socket = notify
        self._watchdog = watchdog
        self._words = ""
        self._shown = ""
        self._steps = _Throttle()
        self.worker_environment = {_WATCHDOG: str(int(watchdog * 1_000_000))}

    @override
    @contextlib.contextmanager
    def starting(self, progress: Progress) -> Iterator[None]:
        self._socket.send(self._status("starting"))
        progress.on_step = self._extend
        try:
            yield
        except StoppedError:
            self._stopping()
            raise
        finally:
            progress.on_step = None

    @override
    @contextlib.asynccontextmanager
    async def serving(self, words: str, fault: Callable[[], str], sound: Callable[[], bool]) -> AsyncIterator[None]:
        self._words = words
        self._socket.send("READY=1", self._status(words))
        work: list[Coroutine[Any, Any, None]] = [self._keep_status(fault)]
        if self._watchdog:
            work.append(beat(self._watchdog / 2, sound, lambda: self._socket.hint("WATCHDOG=1")))
        try:
            async with running(*work):
                yield
        finally:
            self._stopping()

    @override
    async def reload(self, work: Callable[[], Awaitable[None]]) -> None:
        words, self._words = self._words, "reloading certificates and keys"
        self._socket.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", self._status(self._words))
        try:
            await work()
        finally:
            self._words = words
            self._socket.send("READY=1", self._status(words))

    @override
    def failed(self, reason: str) -> None:
        self._socket.send(self._status(reason))

    def _stopping(self) -> None:
        self._socket.send("STOPPING=1", self._status("stopping"))

    def _extend(self) -> None:
        if self._steps.passes():
            self._socket.hint(self._status("preparing the database"), f"EXTEND_TIMEOUT_USEC={_EXTENSION_SECONDS * 1_000_000}")

    async def _keep_status(self, fault: Callable[[], str]) -> None:
        while True:
            self._socket.resend()
            text = fault() or self._words
            if text != self._shown:
                self._socket.send(self._status(text))
            await asyncio.sleep(_LOOK_EVERY)

    def _status(self, text: str) -> str:
        from edgeclients.ops.notify import status

        self._shown = text
        return status(text)


class Supervised(Manager):
    """The supervisor of this worker, which gets reports over the lifeline.

    Args:
        lifeline: the worker's end.
        watchdog: the longest pause between two reports, in seconds; 0: it wants none; None: nor reports of faults.
    """

    def __init__(self, lifeline: Lifeline, watchdog: float | None) -> None:
        self._lifeline = lifeline
        self._watchdog = watchdog
        self._steps = _Throttle()

    @override
    @contextlib.contextmanager
    def starting(self, progress: Progress) -> Iterator[None]:
        if self._watchdog is not None:
            progress.on_step = self._step
        try:
            yield
        finally:
            progress.on_step = None

    @override
    @contextlib.asynccontextmanager
    async def serving(self, words: str, fault: Callable[[], str], sound: Callable[[], bool]) -> AsyncIterator[None]:
        self._lifeline.send(Report.READY)
        work: list[Coroutine[Any, Any, None]] = []
        if self._watchdog is not None:
            work.append(self._keep_faults(fault))
        if self._watchdog:
            pause = min(self._watchdog, STUCK_SECONDS) / 4
            work.append(beat(pause, sound, lambda: self._lifeline.send(Report.SOUND)))
        async with running(*work):
            yield

    @override
    async def reload(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:
            self._lifeline.send(Report.RELOADED)

    def _step(self) -> None:
        if self._steps.passes():
            self._lifeline.send(Report.STEP)

    async def _keep_faults(self, fault: Callable[[], str]) -> None:
        failing = False
        while True:
            if failing != bool(fault()):
                failing = not failing
                self._lifeline.send(Report.FAILING if failing else Report.READY)
            await asyncio.sleep(_LOOK_EVERY)


def found(environ: MutableMapping[str, str]) -> Manager:
    """systemd, if it wants to be notified. Its variables are removed from `environ`, so that no child inherits them."""
    address = environ.pop("NOTIFY_SOCKET", "")
    if not address:
        return Manager()
    from edgeclients.ops.notify import NotifySocket, watchdog_seconds

    seconds = watchdog_seconds(environ, os.getpid())
    for name in (_WATCHDOG, "WATCHDOG_PID"):
        environ.pop(name, None)
    return Systemd(NotifySocket(address), seconds)


def of_worker(lifeline: Lifeline, environ: MutableMapping[str, str]) -> Supervised:
    """The supervisor, with what it wants to hear (`Manager.worker_environment`)."""
    given = environ.pop(_WATCHDOG, None)
    return Supervised(lifeline, None if given is None else int(given) / 1_000_000)


def words(http: str, grpc: str) -> str:
    """The state of a process that serves on these addresses."""
    return f"serving HTTP on {http} and gRPC on {grpc}"


async def beat(seconds: float, sound: Callable[[], bool], send: Callable[[], None]) -> None:
    """Call `send` now and every `seconds`, but only while `sound` holds and the event loop turns."""
    while True:
        if sound():
            send()
        await asyncio.sleep(seconds)


@contextlib.asynccontextmanager
async def running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run endless `work` until the context is left."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        yield
    finally:
        await cancel_and_wait(tasks)
