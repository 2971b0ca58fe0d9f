"""What is put between uvicorn's cycle of request and answer and its connection, or its application."""

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from edgeclients.http.scope import App, Message, Receive, Scope, Send


class Answers:
    """What one who answers needs of a transport; `close` is told when that is the end of the connection."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


def closing_unless_asked(app: App, cycle: RequestResponseCycle) -> App:
    """`app`, behind whose answer the connection ends if the caller still waits for leave to send its body.

    It may send the body, or not: what comes next could be either (RFC 9110 10.1.1).
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if cycle.waiting_for_100_continue:
                cycle.keep_alive = False
            await send(message)

        await app(scope, receive, sent)

    return handle
