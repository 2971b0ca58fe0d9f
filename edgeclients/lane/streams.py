"""The state of one stream."""

import asyncio
from collections import deque

from edgeclients.lane.calls import Call, Method
from edgeclients.lane.requests import Request


class Stream:
    """A stream that is open, or half closed by the peer."""

    __slots__ = (
        *("begun_at", "buffer", "call", "expiry", "held", "is_answered", "is_ended", "method", "number", "received"),
        *("receive_window", "request", "send_window", "task", "unsent", "waiting"),
    )

    def __init__(self, number: int, request: Request, method: Method, call: Call, begun_at: float) -> None:
        self.number = number
        self.request = request
        self.method = method
        self.call = call
        self.begun_at = begun_at
        self.buffer = bytearray()
        self.received = 0
        self.held = 0
        """Bytes of the budget that it has."""
        self.receive_window = 0
        self.send_window = 0
        self.is_ended = False
        """The peer sends no more."""
        self.is_answered = False
        """Our headers are sent."""
        self.task: asyncio.Task[None] | None = None
        self.expiry: asyncio.TimerHandle | None = None
        self.unsent: deque[tuple[bytes, bytes | None]] = deque()
        """Data that waits for windows, each with the block of trailers that follows it, if it is the last."""
        self.waiting: asyncio.Future[None] | None = None
        """A handler that waits for a message, or for room to send."""

    def end(self) -> None:
        """Stop everything that is done for it."""
        if self.task is not None:
            self.task.cancel()
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None
