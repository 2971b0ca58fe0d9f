"""Adapters between uvicorn's request-response cycle and its transport or application."""

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from edgeclients.http.scope import App, Message, Receive, Scope, Send


class CycleTransport:
    """The methods of a transport that a cycle uses, with another `close`."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


def closing_without_continue(app: App, cycle: RequestResponseCycle) -> App:
    """`app`, which closes the connection after its response if the caller still waits for `100 Continue`.

    Such a caller may send the body or omit it, so its next bytes are ambiguous (RFC 9110 10.1.1).
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_closing(message: Message) -> None:
            if cycle.waiting_for_100_continue:
                cycle.keep_alive = False
            await send(message)

        await app(scope, receive, send_closing)

    return handle
