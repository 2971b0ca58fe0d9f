"""Several equal processes on one host, kept running: one that ends is started again, later each time if it keeps ending."""

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Mapping, Sequence

from edgeclients.errors import StartError

_FIRST_DELAY = 1.0  # seconds until what has ended is started again
_LONGEST_DELAY = 30.0
_SOUND = 60.0  # seconds of running after which an end is no longer one of a row
_READY = b"."

_log = logging.getLogger(__name__)


class WorkerError(Exception):
    """A worker has ended before it served. It has told why, unless it was killed."""


class Lifeline:
    """A worker's end of the line to its supervisor.

    Args:
        descriptor: the number of the open socket that the worker was started with.

    Raises:
        StartError: it is none.
    """

    def __init__(self, descriptor: int) -> None:
        try:
            self._line = socket.socket(fileno=descriptor)
        except (OSError, ValueError) as error:
            raise StartError("--worker is for the supervisor: set MG_CLIENTS_WORKERS") from error
        self._line.setblocking(False)  # noqa: FBT003

    def watch(self, stop: asyncio.Event) -> None:
        """Have `stop` set when the supervisor is gone, however it went."""
        loop = asyncio.get_running_loop()

        def gone() -> None:
            loop.remove_reader(self._line)
            stop.set()

        loop.add_reader(self._line, gone)

    def ready(self) -> None:
        """Say that the worker serves."""
        with contextlib.suppress(OSError):  # nobody is left to hear it: `watch` says so too
            self._line.send(_READY)


class Supervisor:
    """Keeps `count` workers running.

    Args:
        command: what a worker is started with; the number of its `Lifeline` follows as the last argument.
        env: its environment.
        count: how many.
        grace: seconds for a worker to stop; its own shutdown has 10.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str], count: int, grace: float = 15) -> None:
        self._command = command
        self._env = env
        self._grace = grace
        self._keeping = [_Kept(number, self) for number in range(1, count + 1)]

    async def start(self) -> None:
        """Return when all of them serve; the first alone, so that what is wrong for all is told once.

        Raises:
            WorkerError: one has ended instead; the others are stopped.
        """
        first, *others = self._keeping
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
        """Start again what ends, until this is cancelled."""
        await asyncio.gather(*(one.keep() for one in self._keeping))

    async def reload(self) -> None:
        """Have all of them read their certificates and keys anew."""
        for one in self._keeping:
            one.reload()

    async def stop(self) -> None:
        """Tell all to stop, and return when they have."""
        await asyncio.gather(*(one.stop(self._grace) for one in self._keeping))

    async def spawn(self) -> "_Worker":
        """One more worker, which does not serve yet."""
        ours, theirs = socket.socketpair()
        with contextlib.closing(theirs):
            reader, writer = await asyncio.open_connection(sock=ours)
            try:
                # The last that is waited for: given up meanwhile, asyncio ends the process.
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    str(theirs.fileno()),
                    env=self._env,
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                    start_new_session=True,  # what a terminal says is said to us: SIGHUP would end one that cannot hear it yet
                )
            except BaseException:
                writer.close()
                raise
        return _Worker(process, reader, writer)


class _Worker:
    """One process, and our end of the line to it."""

    def __init__(self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process = process
        self._reader = reader
        self._writer = writer
        self._serving = asyncio.ensure_future(self._serves())

    async def is_ready(self) -> bool:
        """Return when it serves; False if it has ended instead."""
        return await asyncio.shield(self._serving)

    async def _serves(self) -> bool:
        with contextlib.suppress(ConnectionError):
            if await self._reader.read(len(_READY)):
                return True
        await self.process.wait()
        return False

    async def ended(self) -> str:
        """Return when it has ended; how, for people."""
        code = await self.process.wait()
        self._writer.close()
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    def reload(self) -> None:
        """SIGHUP, once it serves: before, it may not hear it, and that would be its end."""
        if self._serving.done():
            self._hang_up()
        else:
            self._serving.add_done_callback(lambda _: self._hang_up())

    def _hang_up(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGHUP)

    async def stop(self, grace: float) -> None:
        """SIGTERM, and SIGKILL for one that does not hear it."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), grace)
                break
        self._writer.close()


class _Kept:
    """One of the workers, whichever process it is at the time."""

    def __init__(self, number: int, supervisor: Supervisor) -> None:
        self._number = number
        self._supervisor = supervisor
        self._worker: _Worker | None = None
        self._delay = _FIRST_DELAY

    async def start(self) -> None:
        self._worker = await self._supervisor.spawn()
        if not await self._worker.is_ready():
            raise WorkerError(f"worker {self._number}: {await self._worker.ended()} before it served")

    async def keep(self) -> None:
        while True:
            await self._until_it_ends()
            await asyncio.sleep(self._delay)
            self._delay = min(2 * self._delay, _LONGEST_DELAY)
            try:
                self._worker = await self._supervisor.spawn()
            except (OSError, RuntimeError) as error:  # asyncio may need a thread for it
                _log.error("a worker cannot be started", extra={"worker": self._number, "error": str(error)})

    async def _until_it_ends(self) -> None:
        worker, began = self._worker, time.monotonic()
        if worker is None:
            return
        how = await worker.ended()
        self._worker = None
        if time.monotonic() - began >= _SOUND:
            self._delay = _FIRST_DELAY
        _log.error(
            "a worker has ended and is started again",
            extra={"worker": self._number, "ended_with": how, "seconds": self._delay},
        )

    def reload(self) -> None:
        if self._worker is not None:
            self._worker.reload()

    async def stop(self, grace: float) -> None:
        if self._worker is not None:
            await self._worker.stop(grace)
