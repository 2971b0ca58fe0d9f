"""When clients last proved themselves: in memory, and now and then written where an engine keeps it.

Losing the last of it to a power cut is no harm; written with every change it would wear an SD card more than all the rest.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping

_log = logging.getLogger(__name__)


class Activity(ABC):
    """Who was seen when. To be used in one event loop.

    Args:
        seconds: how often what is new is written.
        now: the store's time.
    """

    def __init__(self, seconds: float, now: Callable[[], int]) -> None:
        self._seconds = seconds
        self._now = now
        self._last = 0  # time somebody was seen
        # None for a client that is no more: one that gets its id was never seen.
        self._new: dict[str, int | None] = {}
        self._being_written: dict[str, int | None] = {}
        self._timer: asyncio.Task[None] | None = None
        self._flushing = asyncio.Lock()
        self.flushes = 0

    def note(self, client_id: str) -> None:
        """`Store.note_seen`."""
        at = self._now()
        if at < self._last:  # the clock was set back: what was seen under it stays true
            at = max(at, self._new.get(client_id) or 0, self._being_written.get(client_id) or 0)
        else:
            self._last = at
        self._new[client_id] = at

    def forget(self, client_ids: Iterable[str]) -> None:
        """These clients are no more."""
        self._new.update(dict.fromkeys(client_ids))

    def in_memory(self) -> Mapping[str, int | None]:
        """What is newer than what was written, as of now; None for what holds no longer."""
        return {**self._being_written, **self._new} if self._being_written else self._new

    def newer(self, client_id: str, written: int | None) -> int | None:
        """When a client was last seen, where what was written says `written`."""
        known = self._new.get(client_id, self._being_written.get(client_id, written))
        return newest(known, written)

    def start(self) -> None:
        """Write what is new every now and then from here on."""
        self._timer = asyncio.ensure_future(self._flush_regularly())

    async def close(self) -> None:
        """Write what is new, the last time."""
        if self._timer:
            self._timer.cancel()
            await asyncio.wait([self._timer])
        await self.flush()

    async def flush(self) -> None:
        """Write what is new; if that fails it stays new."""
        # A task of its own: a flush that has begun is finished, whoever is cancelled.
        await asyncio.shield(asyncio.ensure_future(self._flush()))

    async def _flush(self) -> None:
        async with self._flushing:
            if not self._new:
                return
            self._being_written, self._new = self._new, {}
            try:
                await self._write(self._being_written)
            except Exception as error:  # noqa: BLE001 - nobody depends on it, and the next time it is tried again
                _log.warning("when clients were last seen was not written", extra={"error": str(error) or type(error).__name__})
                self._new = {**self._being_written, **self._new}
            else:
                self.flushes += 1
            self._being_written = {}

    @abstractmethod
    async def _write(self, news: Mapping[str, int | None]) -> None:
        """Write when clients were seen, and forget those that are no more (None), all or nothing."""

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self.flush()


def newest(known: int | None, written: int | None) -> int | None:
    """When a client was last seen, by memory and by what was written: a clock that was set back takes nothing back."""
    return known if known is None or written is None else max(known, written)
