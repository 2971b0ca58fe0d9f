"""Unary calls: limited, counted, with errors of the one table."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from edgeclients.errors import Throttled
from edgeclients.lane.calls import Call, CallFailed, Status, Unary
from edgeclients.ops.metrics import Requests
from edgeclients.rpc.failures import failure_of

Work: TypeAlias = Callable[[bytes, Call], Awaitable[bytes]]
AtOnce: TypeAlias = Callable[[bytes], bytes | None]


class Calls(NamedTuple):
    """Shared state of the unary calls of a service.

    `requests` counts calls, `max_active` limits the calls in progress.
    """

    requests: Requests
    max_active: int

    def unary(self, method: str, work: Work, at_once: AtOnce | None = None) -> Unary:
        """The method of this name, which returns the result of `work`.

        Args:
            method: its name.
            work: what it does with a message.
            at_once: does the same without waiting, or returns None.
        """
        requests, count, clock = self.requests, self.requests.count, time.perf_counter

        async def later(message: bytes, call: Call) -> bytes:
            started = clock()
            try:
                self._admit()
                requests.active += 1
                try:
                    answer = await work(message, call)
                finally:
                    requests.active -= 1
            except Exception as error:  # noqa: BLE001 - becomes INTERNAL; the log has the details
                raise self._failed(method, error, started) from None
            except asyncio.CancelledError:
                count(method, "CANCELLED", clock() - started)
                raise
            count(method, "OK", clock() - started)
            return answer

        return Unary(later, self._now(method, at_once) if at_once is not None else None, self._counting_lost(method))

    def _now(self, method: str, at_once: AtOnce) -> Callable[[bytes, Call], bytes | None]:
        count, clock = self.requests.count, time.perf_counter

        def now(message: bytes, _: Call) -> bytes | None:
            started = clock()
            try:
                self._admit()
                answer = at_once(message)
            except Exception as error:  # noqa: BLE001 - likewise
                raise self._failed(method, error, started) from None
            if answer is not None:
                count(method, "OK", clock() - started)
            return answer

        return now

    def _failed(self, method: str, error: Exception, started: float) -> CallFailed:
        """The failure of a call, counted. Whoever raises it keeps it in no variable: his frame and it would keep each other."""
        failure = failure_of(method, error)
        self.requests.count(method, failure.status.name, time.perf_counter() - started)
        return failure

    def _counting_lost(self, method: str) -> Callable[[Status, float], None]:
        def lost(status: Status, seconds: float) -> None:
            self.requests.count(method, status.name, seconds)

        return lost

    def _admit(self) -> None:
        """Check the limit of calls in progress.

        Raises:
            Throttled: the limit is reached.
        """
        if self.requests.active >= self.max_active:
            raise Throttled
