"""The state of one stream, which its handler sees as a call."""

import asyncio
from typing import TYPE_CHECKING

from typing_extensions import override

from edgeclients.lane.calls import Call, Fields, Method
from edgeclients.lane.requests import Request

if TYPE_CHECKING:
    from edgeclients.lane.exchange import Exchange


class Stream(Call):
    """A stream that is open, or half closed by the peer."""

    __slots__ = (
        *(
            "begun_at",
            "buffer",
            "exchange",
            "expiry",
            "held",
            "held_fields",
            "held_message",
            "is_answered",
            "is_ended",
            "is_handed_over",
            "is_open",
            "method",
            "number",
        ),
        *(
            "receive_window",
            "received",
            "request",
            "send_window",
            "stalled_at",
            "task",
            "trailers",
            "unsent",
            "waiting",
            "waits_since",
        ),
    )

    def __init__(self, exchange: "Exchange", number: int, request: Request, method: Method, send_window: int) -> None:
        self.exchange = exchange
        self.number = number
        self.request = request
        self.method = method
        self.begun_at = exchange.now
        self.is_open = True
        self.is_ended = False
        """The peer sends no more."""
        self.is_answered = False
        """Our headers are sent."""
        self.is_handed_over = False
        """The method has got its message."""
        self.buffer = bytearray()
        """What has arrived of messages that were not received."""
        self.received = 0
        """Bytes of all messages."""
        self.held = self.held_fields = self.held_message = 0
        """Bytes of memory: for `buffer`, for long lists of headers, for the message that its handler has."""
        self.receive_window = exchange.window_bytes
        self.send_window = send_window
        self.unsent = bytearray()
        """What waits for room."""
        self.trailers: bytes | None = None
        """They follow what waits."""
        self.stalled_at = 0.0
        self.task: asyncio.Task[None] | None = None
        self.expiry: asyncio.TimerHandle | None = None
        self.waiting: asyncio.Future[None] | None = None
        """A handler that waits for a message, or for room to send."""
        self.waits_since: float | None = None
        """Since when a message is waited for."""

    @property
    @override
    def fields(self) -> Fields:
        return self.request.fields

    @property
    @override
    def peer(self) -> str:
        return self.exchange.peer

    @override
    async def receive(self) -> bytes | None:
        return await self.exchange.receive(self)

    @override
    async def send(self, message: bytes) -> None:
        await self.exchange.send(self, message)

    async def wait(self) -> None:
        """Wait until `wake`."""
        self.waiting = self.exchange.loop.create_future()
        try:
            await self.waiting
        finally:
            self.waiting = None

    def wake(self, failure: Exception | None = None) -> None:
        """Let the handler go on, or raise `failure` in it."""
        waiting = self.waiting
        if waiting is None or waiting.done():
            return
        if failure is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(failure)

    def end(self) -> None:
        """Stop everything that is done for it."""
        self.is_open = False
        if self.task is not None:
            self.task.cancel()
            self.task = None
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None
