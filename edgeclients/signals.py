"""The signals of a service, handled from its start on."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable


class Signals:
    """Ignores SIGUSR1 and SIGUSR2 from now on, and holds SIGHUP back until `listen` is called.

    For a program started from a terminal, SIGHUP means that the terminal was closed: it stops. For any other, and under
    `nohup`, it requests a reload of files.

    Args:
        worker: whether a supervisor decides when to stop; a closed terminal is then handled there.
    """

    def __init__(self, *, worker: bool) -> None:
        is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        # Checked now: a process has no terminal any more once that is closed.
        self._is_stop = not worker and not is_nohup and _has_terminal()
        self._received = False
        self._notify: Callable[[], None] | None = None
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        # Not the event loop's handler, which is installed too late and removed before the process ends.
        signal.signal(signal.SIGHUP, self._handle)

    def listen(self, stop: asyncio.Event, reread: asyncio.Event) -> None:
        """Set `stop` on SIGTERM and SIGINT, and the event that SIGHUP stands for; to be called in the event loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        wanted = stop if self._is_stop else reread

        def notify() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: there is nothing left to stop
                loop.call_soon_threadsafe(wanted.set)

        self._notify = notify
        if self._received:
            wanted.set()

    def _handle(self, *_: object) -> None:
        self._received = True
        if self._notify is not None:
            self._notify()


def _has_terminal() -> bool:
    """Whether a terminal controls this process, whatever its standard streams are."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
