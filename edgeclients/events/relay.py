"""Sends the outbox: at least once, in order, from where it stopped.

A round starts when a commit reports new events, and ends when none are left. Meanwhile one of the processes on a store has
a lease. The lease only saves duplicate work: no event's arrival depends on it. Every sender follows the sequence numbers
in order, and starts at or before the first event that was not acknowledged. So a reader that skips known `event_id`s
gets the events in order in every case.
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

BATCH = 100  # events per call of the sink; one can have more than 100 KiB
REMOVE_AFTER = 1000  # events sent before they are deleted from the outbox together, in one commit
LEASE = 30  # seconds; renewed by each deletion
LINGER = 1.0  # seconds to wait for more events before the last deletion of a round
POLL = 10.0  # seconds between polls of the outbox without a notification: a command may have written to it
_LAST_REMOVAL_SECONDS = 1.0
_RETRY = 1.0  # seconds after which the lease of another owner may have ended


class LeaseTakenError(Exception):
    """Another process has the lease."""


class Relay:
    """Sends the outbox of a store until it is stopped.

    Args:
        store: the store with the outbox.
        sink: the destination.
        wake: set when there are new events.
        owner: the owner of the lease; different for any two concurrent relays.
        streams: the streams that report missing events.
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
        self._sent_numbers: list[int] = []
        self._lease_renewed_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._failing: str | None = None
        self._detail = ""
        self.seen: OutboxState | None = None
        self.sent = 0
        self.succeeded_at: int | None = None
        self.failures: Counter[str] = Counter()

    def start(self) -> None:
        """Start the relay."""
        self._task = asyncio.create_task(self._run())

    async def stop(self, seconds: float) -> None:
        """Send what can be sent in `seconds`, and stop."""
        self._stop.set()
        self._wake.set()
        if self._task is not None:
            if not self._failing:
                await asyncio.wait([self._task], timeout=seconds)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_LAST_REMOVAL_SECONDS)
        await self._sink.close()

    async def look(self) -> None:
        """Read the state of the outbox for metrics; the previous one stays if the store cannot answer."""
        with contextlib.suppress(DomainError):
            self.seen = await self._store.outbox_state()

    async def document(self) -> dict[str, Any]:
        """The state of the relay, for people."""
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
        """How many events wait, as last read."""
        return self.seen.waiting if self.seen else 0

    @property
    def oldest_age(self) -> float:
        """Seconds since the oldest waiting event happened."""
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
            elif not self._stop.is_set():  # the stop may have set `_wake` while the round waited for more
                await _until(self._wake, POLL)

    async def _try_round(self) -> float | None:
        """Send what waits; returns the seconds until the next attempt if that failed."""
        try:
            await self._round()
        except LeaseTakenError:
            self._recover()
            return _RETRY
        except NotSent as failure:
            return self._fail(failure.kind, failure.detail)
        except DomainError as failure:
            return self._fail("storage", type(failure).__name__)
        except Exception:  # noqa: BLE001 - it is logged and retried
            _log.exception("sending events failed unexpectedly")
            return self._fail("unexpected", "")
        self._recover()
        return None

    def _fail(self, kind: str, detail: str) -> float:
        self.failures[kind] += 1
        if self._failing != kind or (kind == "denied" and self._detail != detail):
            _log.warning("events cannot be sent: they wait in the outbox", extra={"kind": kind, "error": detail})
        self._detail = detail
        self._failing = kind
        return self._backoff.seconds()

    def _recover(self) -> None:
        self._backoff.reset()
        if self._failing:
            _log.info("events are sent again")
        self._failing = None

    async def _round(self) -> None:
        """Send the waiting events, and those that arrive meanwhile.

        Raises:
            LeaseTakenError: another process has the lease.
            NotSent, DomainError: a failure; what was acknowledged before is recorded as sent, now or in the next round.
        """
        state = self.seen = await self._store.outbox_state()
        if not state.waiting and state.gap is None and not self._sent_numbers:
            return
        await self._remove_sent()
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
            await self._remove_sent(last=True)

    async def _next(self, store_id: str, after: int) -> Sequence[tuple[int, Event]]:
        """The next events, after reporting to the streams what is missing before them."""
        while True:
            events = await self._store.outbox(after, self._limit)
            # Read after the events: it includes what was dropped before these.
            if (await self._store.outbox_state()).gap is None:
                return events
            await self._remove_sent()  # what was dropped after it was sent is no gap
            gap = (await self._store.outbox_state()).gap
            if gap is not None:
                await self._send(markers(store_id, gap, self._streams, self._store.now() * 1000))
                await self._remove_sent(gap)

    async def _send_events(self, store_id: str, events: Sequence[tuple[int, Event]]) -> None:
        await self._send([entry(store_id, number, event) for number, event in events])
        self.sent += len(events)
        self._sent_numbers += [number for number, _ in events]
        if len(self._sent_numbers) >= REMOVE_AFTER or time.monotonic() - self._lease_renewed_at > LEASE / 3:
            await self._remove_sent()

    async def _send(self, entries: Sequence[Entry]) -> None:
        try:
            await self._sink.send(entries)
        except NotSent as failure:
            if failure.kind == "refused":
                self._limit = 1  # one entry may be at fault: the others are not sent repeatedly with it
            raise
        self._limit = min(BATCH, self._limit * 2)
        self._recover()
        self.succeeded_at = self._store.now()

    async def _more(self) -> bool:
        """Whether there may be more events after a moment."""
        if self._stop.is_set():
            return False
        more = await _until(self._wake, LINGER)
        self._wake.clear()
        return more

    async def _remove_sent(self, gap: Gap | None = None, *, last: bool = False) -> None:
        """Delete sent events from the outbox, and renew the lease, or with `last` release it.

        Raises:
            LeaseTakenError: another process has the lease.
        """
        numbers = tuple(self._sent_numbers)

        async def unit(tx: Transaction) -> bool:
            if not await tx.lease_outbox(self._owner, LEASE):
                return False
            await tx.remove_sent(numbers, gap)
            if last:
                await tx.release_outbox(self._owner)
            return True

        if not await self._store.run(unit):
            self._sent_numbers.clear()  # the owner of the lease sends them again, and deletes them
            raise LeaseTakenError
        del self._sent_numbers[: len(numbers)]
        self._lease_renewed_at = time.monotonic()


async def _until(event: asyncio.Event, seconds: float) -> bool:
    """Wait for `event`, at most `seconds`; whether it was set."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
