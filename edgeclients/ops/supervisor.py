"""Runs several worker processes on one host, and restarts ended ones with exponential back-off."""

import asyncio
import contextlib
import enum
import logging
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from edgeclients.errors import StartError

_FIRST_DELAY = 1.0  # seconds until the first restart
_LONGEST_DELAY = 30.0
_SOUND = 60.0  # seconds of running that reset the back-off
_RELOAD = 30.0  # seconds to wait for reloads
_REPORTS = 1024  # bytes read at a time

_log = logging.getLogger(__name__)


class WorkerError(Exception):
    """A worker has ended before it was ready. It has logged the reason, unless it was killed."""


class Report(enum.IntEnum):
    """One byte of a worker to its supervisor."""

    STEP = ord("s")  # of a slow start
    READY = ord(".")
    FAILING = ord("!")  # it runs and is not ready
    SOUND = ord("w")  # it is not stuck
    RELOADED = ord("r")


class Lifeline:
    """A worker's socket to its supervisor: it sends reports, and notices when the supervisor ends.

    Args:
        descriptor: the number of the inherited socket.

    Raises:
        StartError: it is not an open socket.
    """

    def __init__(self, descriptor: int) -> None:
        try:
            self._line = socket.socket(fileno=descriptor)
        except (OSError, ValueError) as error:
            raise StartError("--worker is reserved for the supervisor: set MG_CLIENTS_WORKERS instead") from error
        self._line.setblocking(False)  # noqa: FBT003 - positional by its signature

    def watch(self, stop: asyncio.Event) -> None:
        """Set `stop` when the supervisor has ended for any reason."""
        loop = asyncio.get_running_loop()

        def gone() -> None:
            loop.remove_reader(self._line)
            stop.set()

        loop.add_reader(self._line, gone)

    def send(self, what: Report) -> None:
        """Send one byte to the supervisor."""
        with contextlib.suppress(OSError):  # the supervisor has ended: `watch` handles that
            self._line.send(bytes((what,)))


class Supervisor:
    """Keeps `count` workers running.

    Args:
        command: the command of a worker; the descriptor of its `Lifeline` is appended as the last argument.
        env: the environment of a worker.
        count: the number of workers.
        grace: seconds for a worker to stop; its own shutdown takes at most 10.
        on_step: called when a worker reports a step of its start.
    """

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        count: int,
        grace: float = 15,
        on_step: Callable[[], None] = lambda: None,
    ) -> None:
        self._command = command
        self._env = env
        self._grace = grace
        self._on_step = on_step
        self._slots = [_Slot(number, self) for number in range(1, count + 1)]

    async def start(self) -> None:
        """Start all workers and return when they serve; the first starts alone, so that a common fault is reported once.

        Raises:
            WorkerError: one has ended instead; the others are stopped.
        """
        first, *others = self._slots
        starting = [asyncio.ensure_future(first.start())]
        try:
            await starting[0]
            starting += [asyncio.ensure_future(one.start()) for one in others]
            await asyncio.gather(*starting)
        except BaseException:
            for one in starting:
                one.cancel()
            await asyncio.wait(starting)
            await self.stop()
            raise

    async def run(self) -> None:
        """Restart ended workers, until this is cancelled."""
        await asyncio.gather(*(one.keep() for one in self._slots))

    def is_sound(self, seconds: float) -> bool:
        """Whether every worker was heard of within `seconds`; a start counts, so that a restart has time."""
        return all(one.is_sound(seconds) for one in self._slots)

    def fault(self) -> str:
        """How many workers are not ready, in words; empty if all are."""
        unready = sum(not one.is_ready() for one in self._slots)
        return f"{unready} of {len(self._slots)} workers are not ready: the log has the reason" if unready else ""

    async def reload(self) -> None:
        """Make all workers reload their certificates and keys; returns when those that serve have done so."""
        reloads = [asyncio.ensure_future(one.reload()) for one in self._slots]
        _, late = await asyncio.wait(reloads, timeout=_RELOAD)
        for one in late:
            one.cancel()

    async def stop(self) -> None:
        """Stop all workers, and return when they have ended."""
        await asyncio.gather(*(one.stop(self._grace) for one in self._slots))

    async def spawn(self) -> "_Worker":
        """A new worker process, which may not serve yet."""
        own_end, worker_end = socket.socketpair()
        with contextlib.closing(worker_end):
            reader, writer = await asyncio.open_connection(sock=own_end)
            try:
                # The last await: if it is cancelled, asyncio kills the process.
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    str(worker_end.fileno()),
                    env=self._env,
                    pass_fds=(worker_end.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                    start_new_session=True,  # terminal signals reach the supervisor only: SIGHUP would kill a starting worker
                )
            except BaseException:
                writer.close()
                raise
        return _Worker(process, reader, writer, self._on_step)


class _Worker:
    """One worker process, and the supervisor's end of its lifeline."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_step: Callable[[], None],
    ) -> None:
        self.process = process
        self.ready = False
        self.heard_at = time.monotonic()
        self._reader = reader
        self._writer = writer
        self._on_step = on_step
        self._serving: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._reloaded = asyncio.Event()
        self._listening = asyncio.ensure_future(self._listen())

    async def serves(self) -> bool:
        """Wait until the worker serves: True; or has ended: False."""
        return await asyncio.shield(self._serving)

    async def _listen(self) -> None:
        with contextlib.suppress(ConnectionError):
            while reports := await self._reader.read(_REPORTS):
                self.heard_at = time.monotonic()
                for one in reports:
                    self._hear(one)
        self.ready = False
        await self.process.wait()
        self._reloaded.set()
        if not self._serving.done():
            self._serving.set_result(False)

    def _hear(self, one: int) -> None:
        if one == Report.STEP:
            self._on_step()
        elif one == Report.RELOADED:
            self._reloaded.set()
        elif one in {Report.READY, Report.FAILING}:
            self.ready = one == Report.READY
            if not self._serving.done():
                self._serving.set_result(True)

    async def ended(self) -> str:
        """Wait until the process has ended, and return its exit code or signal as text."""
        code = await self.process.wait()
        self._writer.close()
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    async def reload(self) -> None:
        """Send SIGHUP as soon as the worker serves: before, it may have no handler, and SIGHUP would kill it.

        Returns when a worker that serves has reloaded, or has ended.
        """
        if self._serving.done():
            if self.process.returncode is not None:
                return
            self._reloaded.clear()
            self._hang_up()
            await self._reloaded.wait()
        else:
            self._serving.add_done_callback(lambda _: self._hang_up())

    def _hang_up(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGHUP)

    async def stop(self, grace: float) -> None:
        """Send SIGTERM, then SIGKILL if the process has not ended within `grace` seconds."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), grace)
                break
        self._writer.close()


class _Slot:
    """One of the workers, across restarts of its process."""

    def __init__(self, number: int, supervisor: Supervisor) -> None:
        self._number = number
        self._supervisor = supervisor
        self._worker: _Worker | None = None
        self._delay = _FIRST_DELAY
        self._heard_at = time.monotonic()

    async def start(self) -> None:
        self._worker = await self._supervisor.spawn()
        if not await self._worker.serves():
            raise WorkerError(f"worker {self._number}: {await self._worker.ended()} before it was ready")

    def is_sound(self, seconds: float) -> bool:
        if self._worker is not None:
            self._heard_at = self._worker.heard_at
        return time.monotonic() - self._heard_at <= seconds

    def is_ready(self) -> bool:
        return self._worker is not None and self._worker.ready

    async def keep(self) -> None:
        while True:
            await self._until_it_ends()
            await asyncio.sleep(self._delay)
            self._delay = min(2 * self._delay, _LONGEST_DELAY)
            try:
                self._worker = await self._supervisor.spawn()
            except (OSError, RuntimeError) as error:  # asyncio may need a new thread
                _log.error("a worker cannot be started", extra={"worker": self._number, "error": str(error)})

    async def _until_it_ends(self) -> None:
        worker, started = self._worker, time.monotonic()
        if worker is None:
            return
        how = await worker.ended()
        self._heard_at = time.monotonic()
        self._worker = None
        if time.monotonic() - started >= _SOUND:
            self._delay = _FIRST_DELAY
        _log.error(
            "a worker has ended and is restarted",
            extra={"worker": self._number, "ended_with": how, "seconds": self._delay},
        )

    async def reload(self) -> None:
        if self._worker is not None:
            await self._worker.reload()

    async def stop(self, grace: float) -> None:
        if self._worker is not None:
            await self._worker.stop(grace)
