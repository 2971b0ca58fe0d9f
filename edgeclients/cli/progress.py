"""How far a command is: a bar on a terminal, now and then a line elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

_WIDTH = 30
_BAR_SECONDS = 0.1
_LINE_SECONDS = 10.0


class ProgressBar:
    """The progress of a command through a file of `total` bytes."""

    def __init__(self, total: int, *, show: bool = True) -> None:
        self._total = max(1, total)
        self._show = show
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic() + (_BAR_SECONDS if self._terminal else _LINE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._show and self._terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def advance(self, done: int) -> None:
        """Show that so many bytes are done, if it is time."""
        now = time.monotonic()
        if not self._show or now < self._next:
            return
        share = min(1.0, done / self._total)
        if self._terminal:
            self._next = now + _BAR_SECONDS
            print(f"\r\033[K{'#' * int(share * _WIDTH):.<{_WIDTH}} {share:4.0%}", end="", file=sys.stderr, flush=True)
        else:
            self._next = now + _LINE_SECONDS
            print(f"{share:.0%} read", file=sys.stderr, flush=True)
