"""What signals mean to a service, from its first moment on."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable


class Signals:
    """SIGUSR1 and SIGUSR2 mean nothing from now on; what SIGHUP means is done once somebody listens.

    Where the program was started from a terminal, SIGHUP says that this is gone: a stop. Anywhere else, and under `nohup`, it
    asks for files to be read anew.

    Args:
        worker: whether a supervisor decides when to stop; then the terminal is its business, too.
    """

    def __init__(self, *, worker: bool) -> None:
        is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        # Now, for whose terminal is gone has none any more.
        self._is_stop = not worker and not is_nohup and _has_terminal()
        self._came = False
        self._tell: Callable[[], None] | None = None
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        # Not the event loop's handler: the first would come too late, and the last be gone before the process is.
        signal.signal(signal.SIGHUP, self._hear)

    def listen(self, stop: asyncio.Event, reread: asyncio.Event) -> None:
        """Have `stop` set by SIGTERM and SIGINT, and what SIGHUP asks for by that; to be called in the event loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        wanted = stop if self._is_stop else reread

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: there is nothing left to stop
                loop.call_soon_threadsafe(wanted.set)

        self._tell = tell
        if self._came:
            wanted.set()

    def _hear(self, *_: object) -> None:
        self._came = True
        if self._tell is not None:
            self._tell()


def _has_terminal() -> bool:
    """Whether a terminal controls this process, whatever its standard streams are."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
