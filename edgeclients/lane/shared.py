"""What the connections of a server have in common."""

import asyncio
from typing import TYPE_CHECKING

from edgeclients.lane import frames, hpack
from edgeclients.lane.calls import Method
from edgeclients.lane.limits import Limits
from edgeclients.lane.memory import Budget
from edgeclients.lane.requests import Requests

if TYPE_CHECKING:
    from edgeclients.lane.connection import Connection


class Shared:
    """Methods, limits, memory, and the connections themselves.

    Args:
        methods: by path.
        limits: of each connection.
        budget: memory for long messages.
    """

    def __init__(self, methods: dict[bytes, Method], limits: Limits, budget: Budget) -> None:
        self.methods = methods
        self.limits = limits
        self.budget = budget
        self.decoder = hpack.decoders()
        self.requests = Requests()
        self.connections: set[Connection] = set()
        self.is_closed = False
        """No more connections are taken: those whose TLS handshake is under way come later."""
        self._is_empty: asyncio.Event = asyncio.Event()
        self._is_empty.set()
        self.greeting = b"".join(
            (
                frames.settings(
                    {
                        frames.MAX_CONCURRENT_STREAMS: limits.streams,
                        frames.INITIAL_WINDOW_SIZE: limits.window_bytes,
                        frames.MAX_HEADER_LIST_SIZE: limits.header_list_bytes,
                    }
                ),
                frames.window_update(0, limits.connection_window_bytes - frames.DEFAULT_WINDOW),
            )
        )

    @property
    def is_full(self) -> bool:
        """Whether another connection is one too many."""
        return self.is_closed or len(self.connections) >= self.limits.connections

    def add(self, connection: "Connection") -> None:
        """Note a connection."""
        self.connections.add(connection)
        self._is_empty.clear()

    def discard(self, connection: "Connection") -> None:
        """Note its end."""
        self.connections.discard(connection)
        if not self.connections:
            self._is_empty.set()

    async def emptied(self) -> None:
        """Wait until there is no connection."""
        await self._is_empty.wait()
