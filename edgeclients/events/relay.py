"""Sends the outbox: at least once, in order, from where it stopped.

A round begins when a commit says that there are events, and ends when none are left. One process of all that share a store
has a lease meanwhile. That spares double work, and no event's arrival depends on it: every sender goes through the numbers in
order and begins at or before the first event that was not acknowledged, so whoever leaves out `event_id`s seen before reads
the events in order, whatever happened.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from edgeclients.errors import DomainError, NotSent
from edgeclients.events.backoff import Backoff
from edgeclients.events.entries import Entry, entry, markers
from edgeclients.model import Event, Gap, OutboxState, rfc3339
from edgeclients.ports import EventSink, Store, Transaction

_log = logging.getLogger(__name__)

BATCH = 100  # events a server is given at a time; one can have more than 100 KiB
SETTLE = 1000  # events sent before they are taken out of the outbox together: each time is a commit
LEASE = 30  # seconds; renewed by each settling
LINGER = 1.0  # seconds to wait for more before the last settling of a round
POLL = 10.0  # seconds between looks at an outbox nobody has said anything of: a command may have written to it
_LAST_SETTLING = 1.0  # seconds
_RETRY = 1.0  # seconds after which a lease of somebody else may have ended


class LeaseTakenError(Exception):
    """Somebody else sends."""


class Relay:
    """Sends the outbox of a store until it is stopped.

    Args:
        store: whose outbox.
        sink: where to.
        wake: set when there are new events.
        owner: whose lease it is; two that run at a time have different ones.
        streams: where it must be said when events are missing.
    """

    def __init__(self, store: Store, sink: EventSink, wake: asyncio.Event, owner: str, streams: Sequence[str]) -> None:
        self._store = store
        self._sink = sink
        self._wake = wake
        self._owner = owner
        self._streams = streams
        self._stop = asyncio.Event()
        self._backoff = Backoff()
        self._limit = BATCH
        self._unsettled: list[int] = []
        self._settled_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._failing: str | None = None
        self._detail = ""
        self.seen: OutboxState | None = None
        self.sent = 0
        self.succeeded_at: int | None = None
        self.failures: Counter[str] = Counter()

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self, seconds: float) -> None:
        """Send what can be sent in so many seconds, and end."""
        self._stop.set()
        self._wake.set()
        if self._task is not None:
            if not self._failing:
                await asyncio.wait([self._task], timeout=seconds)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_LAST_SETTLING)
        await self._sink.close()

    async def look(self) -> None:
        """See how far it is, for metrics; what was seen before stays if the store cannot say."""
        with contextlib.suppress(DomainError):
            self.seen = await self._store.outbox_state()

    async def document(self) -> dict[str, Any]:
        """How it goes, for people."""
        await self.look()
        return {
            "relay": "failing" if self._failing else "on",
            "waiting": self.waiting,
            "oldest_age": round(self.oldest_age, 3),
            "dropped": self.dropped,
            "last_success": None if self.succeeded_at is None else rfc3339(self.succeeded_at),
            "failures": dict(self.failures),
        }

    @property
    def waiting(self) -> int:
        """How many events wait, as last seen."""
        return self.seen.waiting if self.seen else 0

    @property
    def oldest_age(self) -> float:
        """Seconds since the oldest event that waits happened."""
        oldest = self.seen.oldest_at if self.seen else None
        return 0.0 if oldest is None else max(0.0, (self._store.now() - oldest // 1000) / 1e6)

    @property
    def dropped(self) -> int:
        """How many events were dropped unsent."""
        return self.seen.dropped if self.seen else 0

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            last = self._stop.is_set()
            pause = await self._try_round()
            if last:
                return
            if pause is not None:
                await _until(self._stop, pause)
            elif not self._stop.is_set():  # which woke it perhaps while it still waited for more
                await _until(self._wake, POLL)

    async def _try_round(self) -> float | None:
        """Send what waits; if that cannot be done, the seconds after which to try again."""
        try:
            await self._round()
        except LeaseTakenError:
            self._recover()
            return _RETRY
        except NotSent as failure:
            return self._fail(failure.kind, failure.detail)
        except DomainError as failure:
            return self._fail("storage", type(failure).__name__)
        except Exception:  # noqa: BLE001 - it goes on, and the log has it all
            _log.exception("sending events failed unexpectedly")
            return self._fail("unexpected", "")
        self._recover()
        return None

    def _fail(self, kind: str, detail: str) -> float:
        self.failures[kind] += 1
        if self._failing != kind or (kind == "denied" and self._detail != detail):
            _log.warning("events cannot be sent, and wait", extra={"kind": kind, "error": detail})
        self._detail = detail
        self._failing = kind
        return self._backoff.seconds()

    def _recover(self) -> None:
        self._backoff.reset()
        if self._failing:
            _log.info("events are sent again")
        self._failing = None

    async def _round(self) -> None:
        """Send what waits, and what comes meanwhile.

        Raises:
            LeaseTakenError: somebody else does.
            NotSent, DomainError: it went wrong; what was acknowledged before is noted as sent, now or in the next round.
        """
        state = self.seen = await self._store.outbox_state()
        if not state.waiting and state.gap is None and not self._unsettled:
            return
        await self._settle()
        try:
            after = 0
            while True:
                events = await self._next(state.store_id, after)
                if events:
                    await self._send_events(state.store_id, events)
                    after = events[-1][0]
                elif not await self._more():
                    break
        finally:
            await self._settle(last=True)

    async def _next(self, store_id: str, after: int) -> Sequence[tuple[int, Event]]:
        """The next events; of what is missing in front of them the streams have been told."""
        while True:
            events = await self._store.outbox(after, self._limit)
            # Looked at behind the events: what was dropped before these is in it.
            if (await self._store.outbox_state()).gap is None:
                return events
            await self._settle()  # what was dropped after it was sent is no gap
            gap = (await self._store.outbox_state()).gap
            if gap is not None:
                await self._send(markers(store_id, gap, self._streams, self._store.now() * 1000))
                await self._settle(gap)

    async def _send_events(self, store_id: str, events: Sequence[tuple[int, Event]]) -> None:
        await self._send([entry(store_id, number, event) for number, event in events])
        self.sent += len(events)
        self._unsettled += [number for number, _ in events]
        if len(self._unsettled) >= SETTLE or time.monotonic() - self._settled_at > LEASE / 3:
            await self._settle()

    async def _send(self, entries: Sequence[Entry]) -> None:
        try:
            await self._sink.send(entries)
        except NotSent as failure:
            if failure.kind == "refused":
                self._limit = 1  # one entry may be at fault: the others shall not be sent over and over with it
            raise
        self._limit = min(BATCH, self._limit * 2)
        self._recover()
        self.succeeded_at = self._store.now()

    async def _more(self) -> bool:
        """Whether there may be more events, after a moment."""
        if self._stop.is_set():
            return False
        there_are = await _until(self._wake, LINGER)
        self._wake.clear()
        return there_are

    async def _settle(self, gap: Gap | None = None, *, last: bool = False) -> None:
        """Take what was sent out of the outbox, and hold the lease from now, or with `last` no longer.

        Raises:
            LeaseTakenError: somebody else has it.
        """
        numbers = tuple(self._unsettled)

        async def unit(tx: Transaction) -> bool:
            if not await tx.lease_outbox(self._owner, LEASE):
                return False
            await tx.remove_sent(numbers, gap)
            if last:
                await tx.release_outbox(self._owner)
            return True

        if not await self._store.run(unit):
            self._unsettled.clear()  # whoever has it sends them again, and takes them out
            raise LeaseTakenError
        del self._unsettled[: len(numbers)]
        self._settled_at = time.monotonic()


async def _until(event: asyncio.Event, seconds: float) -> bool:
    """Wait for `event`, so long at most; whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
