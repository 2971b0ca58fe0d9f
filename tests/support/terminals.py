"""A service with a terminal, and one without, whatever the tests have."""

import os
import sys
from collections.abc import Sequence
from typing import Self

from tests.support.program import PROGRAM

_PROGRAM = """
import os, signal, sys
path, streams, nohup, *command = sys.argv[1:]
os.setsid()
if path:
    terminal = os.open(path, os.O_RDWR)  # of whoever leads a session and has none yet
    for number in map(int, streams):
        os.dup2(terminal, number)
    os.close(terminal)
signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)  # whatever the tests were started under
os.execv(command[0], command)
"""


def _command(path: str, streams: str, *, nohup: bool) -> Sequence[str]:
    return (sys.executable, "-c", _PROGRAM, path, streams, "nohup" if nohup else "", *PROGRAM, "serve")


WITHOUT: Sequence[str] = _command("", "", nohup=False)
"""What starts a service that no terminal controls."""


class Terminal:
    """A terminal, until it hangs up."""

    def __init__(self) -> None:
        self._ours, self._theirs = os.openpty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._theirs)
        if self._ours >= 0:
            self.hang_up()

    def command(self, streams: str = "", *, nohup: bool = False) -> Sequence[str]:
        """What starts a service from here; `streams` are those of its standard streams that are the terminal."""
        return _command(os.ttyname(self._theirs), streams, nohup=nohup)

    def hang_up(self) -> None:
        """As when a window is closed or a line breaks."""
        ours, self._ours = self._ours, -1
        os.close(ours)

    def read_until(self, text: str) -> str:
        """What is shown, up to where this has appeared."""
        shown = ""
        while text not in shown:
            shown += os.read(self._ours, 65536).decode()
        return shown
