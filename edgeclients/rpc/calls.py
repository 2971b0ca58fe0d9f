"""Unary calls: receive a message, limit and count calls, return bytes."""

import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from edgeclients.errors import Throttled
from edgeclients.ops.metrics import Requests
from edgeclients.rpc.failures import failure_of
from edgeclients.rpc.receiving import Receiving
from edgeclients.rpc.traced import Context, Handler

Work: TypeAlias = Callable[[bytes, Context], Awaitable[bytes]]


class Calls(NamedTuple):
    """Shared state of the unary calls of a service.

    `requests` counts calls, `receiving` receives their messages, `max_active` limits the calls in progress.
    """

    requests: Requests
    receiving: Receiving
    max_active: int

    def handler(self, method: str, work: Work) -> Handler:
        """A handler that returns the result of `work` for the message of a call.

        gRPC calls it before the message has arrived. The handler receives the message itself, so that it, and not gRPC,
        reports a malformed one.
        """
        requests, receiving = self.requests, self.receiving

        async def handle(_: object, context: Context) -> bytes:
            started = time.perf_counter()
            code, working = "CANCELLED", 0
            try:
                message = await receiving.message(context)
                self._admit()
                requests.active += (working := 1)
                answer = await work(message, context)
            except Exception as error:  # noqa: BLE001 - becomes INTERNAL; the log has the details
                failure = failure_of(method, error)
                code = failure.code
                await failure.end(context)
            else:
                code = "OK"
                return answer
            finally:
                requests.active -= working
                requests.count(method, code, time.perf_counter() - started)
            raise AssertionError("abort raises")

        return handle

    def _admit(self) -> None:
        """Check the limit of calls in progress.

        Raises:
            Throttled: the limit is reached.
        """
        if self.requests.active >= self.max_active:
            raise Throttled
