"""Receives messages: complete, within a timeout, and with limits for each connection."""

import asyncio
import time
from collections import deque
from typing import Final, TypeAlias, cast

import grpc

from edgeclients.errors import MalformedRequest, RequestTimedOut, Throttled

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"

TIMEOUT_SECONDS: Final = 10.0  # until a message is complete
EACH: Final = 8  # messages that one connection may read at a time
ALL: Final = 64  # for all connections; beyond this, one for each connection
LARGE_BYTES: Final = 16 * 1024
LARGE_EACH: Final = 16  # calls with large messages of one connection, until they are answered
_CHECK_SECONDS: Final = 1.0


class _Connection:
    """The calls of one connection that receive a message, or had a large one."""

    __slots__ = ("calls", "large", "reading", "waiting")

    def __init__(self) -> None:
        self.calls = 0
        self.large = 0
        self.reading = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    def wake(self) -> None:
        """Let the next waiting call check the limit again."""
        while self.waiting:
            one = self.waiting.popleft()
            if not one.done():
                one.set_result(None)
                return


class Receiving:
    """Receives messages within limits of time and memory.

    gRPC allocates up to 4 MiB for a message as soon as it is read. It has no timeout for the rest of the message, nor for a
    caller that does not read the answer. So receiving has a timeout. Each connection reads a few messages at a time, while
    its other calls wait and use little memory. The number of calls with large messages is limited.

    Args:
        seconds: the timeout of each message.
    """

    def __init__(self, seconds: float = TIMEOUT_SECONDS) -> None:
        self._seconds = seconds
        self._started: dict[asyncio.Task[object], float] = {}  # the oldest first
        self._late: set[asyncio.Task[object]] = set()
        self._connections: dict[str, _Connection] = {}
        self._reading = 0
        self._timer: asyncio.TimerHandle | None = None

    async def message(self, context: Context) -> bytes:
        """The one message of a call. Runs in the task of the call.

        Raises:
            MalformedRequest: the caller ended the call without a complete message.
            RequestTimedOut: the message did not arrive in time.
            Throttled: the message is large, and the connection has too many of these.
        """
        message = await self.next(context)
        if message is None:
            raise MalformedRequest("no message")
        return message

    async def next(self, context: Context) -> bytes | None:
        """The next message of a call; None if the caller has sent all. Runs in the task of the call.

        Raises:
            RequestTimedOut: the message did not arrive in time.
            Throttled: the message is large, and the connection has too many of these.
        """
        task = cast("asyncio.Task[object]", asyncio.current_task())
        self._started[task] = time.monotonic()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_CHECK_SECONDS, self._cancel_late)
        peer = context.peer()
        connection = self._connections.get(peer)
        if connection is None:
            connection = self._connections[peer] = _Connection()
        connection.calls += 1
        try:
            message = await self._read(connection, context)
        except asyncio.CancelledError:
            if task not in self._late or task.uncancel():
                raise
            raise RequestTimedOut from None
        finally:
            del self._started[task]
            self._late.discard(task)
            connection.calls -= 1
            if connection.waiting:
                connection.wake()
            self._drop_if_unused(peer, connection)
        if message is grpc.aio.EOF:
            return None
        if len(message) > LARGE_BYTES:
            self._count_large(peer, connection, context)
        return message

    async def _read(self, connection: _Connection, context: Context) -> bytes:
        while connection.reading >= (EACH if self._reading < ALL else 1):
            turn = asyncio.get_running_loop().create_future()
            connection.waiting.append(turn)
            await turn
        connection.reading += 1
        self._reading += 1
        try:
            message: bytes = await context.read()
            return message
        finally:
            connection.reading -= 1
            self._reading -= 1

    def _count_large(self, peer: str, connection: _Connection, context: Context) -> None:
        """Count a call with a large message until its answer, which is large as well, is delivered."""
        if connection.large >= LARGE_EACH:
            raise Throttled
        self._connections[peer] = connection
        connection.large += 1

        def answered(_: object) -> None:
            connection.large -= 1
            self._drop_if_unused(peer, connection)

        context.add_done_callback(answered)

    def _drop_if_unused(self, peer: str, connection: _Connection) -> None:
        if not connection.calls and not connection.large:
            self._connections.pop(peer, None)

    def _cancel_late(self) -> None:
        """Cancel the calls whose message is late."""
        self._timer = None
        deadline = time.monotonic() - self._seconds
        for task, since in self._started.items():
            if since > deadline:
                break
            if task not in self._late:
                self._late.add(task)
                task.cancel()
        if self._started:
            self._timer = asyncio.get_running_loop().call_later(_CHECK_SECONDS, self._cancel_late)
