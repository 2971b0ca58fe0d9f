"""When clients last authenticated, and denied logins: kept in memory, and written at intervals where the engine keeps it.

A power cut may lose the newest times without harm. Written with every change, they would wear an SD card more than all
other writes.
"""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from edgeclients.store.denials import Denials, Denied, Found

_log = logging.getLogger(__name__)


class Activity(ABC):
    """When each client was last seen. Use it in one event loop.

    Args:
        seconds: the interval of writing.
        now: the store's time.
    """

    def __init__(self, seconds: float, now: Callable[[], int]) -> None:
        self._seconds = seconds
        self._now = now
        self._last = 0  # the newest time noted
        # None for a removed client: a new one with the same id was never seen.
        self._new: dict[str, int | None] = {}
        self._being_written: dict[str, int | None] = {}
        self._timer: asyncio.Task[None] | None = None
        self._flushing = asyncio.Lock()
        self._denials = Denials()
        self._newest = 0  # entry of the journal that is known
        self._sifting: asyncio.Task[None] | None = None
        self.flushes = 0

    def note(self, client_id: str) -> None:
        """`Store.note_seen`."""
        at = self._now()
        if at < self._last:  # the clock was set back: times noted before stay
            at = max(at, self._new.get(client_id) or 0, self._being_written.get(client_id) or 0)
        else:
            self._last = at
        self._new[client_id] = at

    def note_denied(self, name: str) -> None:
        """`Store.note_denied`."""
        self._denials.note(name, self._now())
        if self._sifting is None and self._denials.are_many():
            self._sifting = asyncio.ensure_future(self._sift())

    def forget(self, removed: Mapping[str, str]) -> None:
        """Note that these clients were removed from these domains."""
        if removed:
            self._new.update(dict.fromkeys(removed))
            self._denials.note_removed(removed)

    def in_memory(self) -> Mapping[str, int | None]:
        """What is newer than the written times, as of now; None for removed clients."""
        return {**self._being_written, **self._new} if self._being_written else self._new

    def newer(self, client_id: str, written: int | None) -> int | None:
        """When a client was last seen, if the written time is `written`."""
        known = self._new.get(client_id, self._being_written.get(client_id, written))
        return newest(known, written)

    @contextlib.asynccontextmanager
    async def denied(self) -> AsyncIterator[Sequence[Denied]]:
        """The denials that are not written yet. None is written until the context is left: leave it soon."""
        async with self._flushing:
            await self._look_up()
            yield self._denials.known()

    def start(self) -> None:
        """Start to write new times at intervals."""
        self._timer = asyncio.ensure_future(self._flush_regularly())

    async def close(self) -> None:
        """Write new times once more, and stop."""
        if self._timer:
            self._timer.cancel()
            await asyncio.wait([self._timer])
        if self._sifting:
            await asyncio.wait([self._sifting])
        await self.flush()

    async def flush(self) -> None:
        """Write new times; after a failure they stay new."""
        # In a separate task: a flush that has started completes, even if its caller is cancelled.
        await asyncio.shield(asyncio.ensure_future(self._flush()))

    async def _flush(self) -> None:
        async with self._flushing:
            if not self._new and not self._denials:
                return
            self._being_written, self._new = self._new, {}
            denied: list[Denied] = []
            try:
                await self._look_up()
                denied = self._denials.take()
                await self._write(self._being_written, denied)
            except Exception as error:  # noqa: BLE001 - nothing depends on it, and the next flush tries again
                _log.warning("last-seen times could not be written", extra={"error": str(error) or type(error).__name__})
                self._new = {**self._being_written, **self._new}
                self._denials.give_back(denied)
            else:
                self.flushes += 1
            self._being_written = {}

    async def _sift(self) -> None:
        try:
            await self._look_up()
        except Exception as error:  # noqa: BLE001 - the names of clients are lost, not the number of denials
            _log.warning("names of denied logins could not be looked up", extra={"error": str(error) or type(error).__name__})
            self._denials.sift(self._denials.names(), Found({}, self._newest))
        finally:
            self._sifting = None

    async def _look_up(self) -> None:
        if names := self._denials.names():
            found = await self._find(names)
            self._newest = found.newest
            self._denials.sift(names, found)

    @abstractmethod
    async def _write(self, news: Mapping[str, int | None], denied: Sequence[Denied]) -> None:
        """Write when clients were seen, delete removed ones (None), and add denials, all or nothing."""

    @abstractmethod
    async def _find(self, names: Sequence[str]) -> Found:
        """Which of these names are those of clients, or of removed ones that the journal knows."""

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self.flush()


def newest(known: int | None, written: int | None) -> int | None:
    """When a client was last seen, by memory and by the written time: a clock set back reverts nothing."""
    return known if known is None or written is None else max(known, written)
