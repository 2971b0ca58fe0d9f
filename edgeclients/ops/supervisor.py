"""Runs several worker processes on one host, and restarts ended ones with exponential back-off."""

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Mapping, Sequence

from edgeclients.errors import StartError

_FIRST_DELAY = 1.0  # seconds until the first restart
_LONGEST_DELAY = 30.0
_SOUND = 60.0  # seconds of running that reset the back-off
_READY = b"."

_log = logging.getLogger(__name__)


class WorkerError(Exception):
    """A worker has ended before it was ready. It has logged the reason, unless it was killed."""


class Lifeline:
    """A worker's socket to its supervisor: it reports readiness, and notices when the supervisor ends.

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

    def ready(self) -> None:
        """Report to the supervisor that the worker serves."""
        with contextlib.suppress(OSError):  # the supervisor has ended: `watch` handles that
            self._line.send(_READY)


class Supervisor:
    """Keeps `count` workers running.

    Args:
        command: the command of a worker; the descriptor of its `Lifeline` is appended as the last argument.
        env: the environment of a worker.
        count: the number of workers.
        grace: seconds for a worker to stop; its own shutdown takes at most 10.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str], count: int, grace: float = 15) -> None:
        self._command = command
        self._env = env
        self._grace = grace
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

    async def reload(self) -> None:
        """Make all workers reload their certificates and keys."""
        for one in self._slots:
            one.reload()

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
        return _Worker(process, reader, writer)


class _Worker:
    """One worker process, and the supervisor's end of its lifeline."""

    def __init__(self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process = process
        self._reader = reader
        self._writer = writer
        self._serving = asyncio.ensure_future(self._serves())

    async def is_ready(self) -> bool:
        """Wait until the worker serves: True; or has ended: False."""
        return await asyncio.shield(self._serving)

    async def _serves(self) -> bool:
        with contextlib.suppress(ConnectionError):
            if await self._reader.read(len(_READY)):
                return True
        await self.process.wait()
        return False

    async def ended(self) -> str:
        """Wait until the process has ended, and return its exit code or signal as text."""
        code = await self.process.wait()
        self._writer.close()
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    def reload(self) -> None:
        """Send SIGHUP as soon as the worker serves: before, it may have no handler, and SIGHUP would kill it."""
        if self._serving.done():
            self._hang_up()
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

    async def start(self) -> None:
        self._worker = await self._supervisor.spawn()
        if not await self._worker.is_ready():
            raise WorkerError(f"worker {self._number}: {await self._worker.ended()} before it was ready")

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
        self._worker = None
        if time.monotonic() - started >= _SOUND:
            self._delay = _FIRST_DELAY
        _log.error(
            "a worker has ended and is restarted",
            extra={"worker": self._number, "ended_with": how, "seconds": self._delay},
        )

    def reload(self) -> None:
        if self._worker is not None:
            self._worker.reload()

    async def stop(self, grace: float) -> None:
        if self._worker is not None:
            await self._worker.stop(grace)
