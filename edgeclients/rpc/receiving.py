"""Receiving messages: whole, in bounded time, and not too many of one caller at once."""

import asyncio
import time
from collections import deque
from typing import Final, cast

import grpc

from edgeclients.errors import MalformedRequest, RequestTimedOut, Throttled
from edgeclients.rpc.traced import Context

SECONDS: Final = 10.0  # until a message is there
EACH: Final = 8  # messages on their way over one connection
ALL: Final = 64  # of all; beyond, one over each connection
LARGE_BYTES: Final = 16 * 1024
LARGE_EACH: Final = 16  # calls of one connection with large messages, from then on until they are answered
_LOOK_SECONDS: Final = 1.0


class _Connection:
    """The calls of one connection that are received, or large."""

    __slots__ = ("calls", "large", "reading", "waiting")

    def __init__(self) -> None:
        self.calls = 0
        self.large = 0
        self.reading = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    def wake(self) -> None:
        """Let the next one that waits look again."""
        while self.waiting:
            one = self.waiting.popleft()
            if not one.done():
                one.set_result(None)
                return


class Receiving:
    """Messages on their way to us.

    gRPC makes room for a message of up to 4 MiB as soon as somebody reads it, and waits for the rest, and until the answer is
    taken, as long as its caller likes. So there is an end to waiting, messages are read a few at a time of each connection,
    while the others of that connection wait, in little room, and large ones have places.

    Args:
        seconds: for each of them.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._since: dict[asyncio.Task[object], float] = {}  # the oldest first
        self._late: set[asyncio.Task[object]] = set()
        self._connections: dict[str, _Connection] = {}
        self._reading = 0
        self._timer: asyncio.TimerHandle | None = None

    async def message(self, context: Context) -> bytes:
        """The one message of a call, in its task.

        Raises:
            MalformedRequest: the caller has ended it, and there is none, or half of one.
            RequestTimedOut: it has not come in time.
            Throttled: it is large, and too many of that connection are.
        """
        message = await self.next(context)
        if message is None:
            raise MalformedRequest("no message")
        return message

    async def next(self, context: Context) -> bytes | None:
        """The next message of a call, in its task; None: its caller has ended it.

        Raises:
            RequestTimedOut: it has not come in time.
            Throttled: it is large, and too many of that connection are.
        """
        task = cast("asyncio.Task[object]", asyncio.current_task())
        self._since[task] = time.monotonic()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)
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
            del self._since[task]
            self._late.discard(task)
            connection.calls -= 1
            if connection.waiting:
                connection.wake()
            self._forget(peer, connection)
        if message is grpc.aio.EOF:
            return None
        if len(message) > LARGE_BYTES:
            self._large(peer, connection, context)
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

    def _large(self, peer: str, connection: _Connection, context: Context) -> None:
        """Count a call with a large message until its answer, which is large as well, has been taken."""
        if connection.large >= LARGE_EACH:
            raise Throttled
        self._connections[peer] = connection
        connection.large += 1

        def answered(_: object) -> None:
            connection.large -= 1
            self._forget(peer, connection)

        context.add_done_callback(answered)

    def _forget(self, peer: str, connection: _Connection) -> None:
        if not connection.calls and not connection.large:
            self._connections.pop(peer, None)

    def _look(self) -> None:
        """End the calls whose message is late."""
        self._timer = None
        deadline = time.monotonic() - self._seconds
        for task, since in self._since.items():
            if since > deadline:
                break
            if task not in self._late:
                self._late.add(task)
                task.cancel()
        if self._since:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)
