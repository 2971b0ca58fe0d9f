"""Unary calls: received, limited, counted, and answered with bytes."""

import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

import grpc

from edgeclients.errors import Throttled
from edgeclients.ops.metrics import Requests
from edgeclients.rpc.failures import failure_of
from edgeclients.rpc.receiving import Receiving
from edgeclients.rpc.traced import Context, Handler

Work: TypeAlias = Callable[[bytes, Context], Awaitable[bytes]]


class Calls(NamedTuple):
    """What all unary calls of a service share.

    `requests` counts them, `receiving` receives their messages, and `most` are worked on at a time.
    """

    requests: Requests
    receiving: Receiving
    most: int

    def handler(self, method: str, work: Work) -> Handler:
        """A handler that answers with what `work` makes of the message.

        It is called before the message has come, and receives it itself; so a message that is malformed is our error, and not
        gRPC's.
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
            except grpc.aio.BaseError:
                raise  # the call is over: there is nobody to answer
            except Exception as error:  # noqa: BLE001 - answered as INTERNAL, with all of it in the log
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
        """Let a call be worked on.

        Raises:
            Throttled: as many as may are.
        """
        if self.requests.active >= self.most:
            raise Throttled
