"""Responses that are sent while their request may still arrive."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from litestar.response.base import ASGIResponse

from edgeclients.http.scope import Send

_WAITING_BYTES = 8 * 1024 * 1024  # of a response whose caller sends first and reads afterwards


class Streamed(ASGIResponse):
    """A response whose body is sent in parts, as they are made.

    What goes wrong before the first part is an error response. Afterwards the connection is closed, and the caller sees that
    the end is missing.
    """

    def __init__(self, parts: AsyncGenerator[bytes, None], media_type: str, headers: dict[str, str] | None = None) -> None:
        super().__init__()
        self._parts = parts
        self._start = {"content-type": media_type, **(headers or {})}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002 - the parts read the request
        """Send the response."""
        try:
            first: bytes | None = b""
            while first == b"":
                first = await anext(self._parts, None)
            raw = [(name.encode(), value.encode()) for name, value in self._start.items()]
            await send({"type": "http.response.start", "status": 200, "headers": raw})
            await _send_all(first or b"", self._parts, send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            await self._parts.aclose()


async def _send_all(first: bytes, parts: AsyncIterator[bytes], send: Send) -> None:
    """Send parts while more of them are made, up to a bound ahead of the caller."""
    waiting = bytearray(first)
    changed = asyncio.Condition()
    done = False

    def has_room() -> bool:
        return len(waiting) < _WAITING_BYTES or sending.done()

    async def sender() -> None:
        while True:
            async with changed:
                await changed.wait_for(lambda: waiting or done)
                part = bytes(waiting)
                waiting.clear()
                changed.notify_all()
            if not part:
                return
            await send({"type": "http.response.body", "body": part, "more_body": True})

    sending = asyncio.ensure_future(sender())
    try:
        async for part in parts:
            if not part:
                continue
            async with changed:
                await changed.wait_for(has_room)
                waiting.extend(part)
                changed.notify_all()
            if sending.done():
                break
        async with changed:
            done = True
            changed.notify_all()
        await sending
    finally:
        sending.cancel()
