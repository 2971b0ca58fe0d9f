"""Callers on the data directory's socket: commands of this program, which the file's permissions have admitted."""

from collections.abc import Awaitable, Callable
from typing import Any

from edgeclients.http.scope import LOCAL, App
from edgeclients.model import Identity


class LocalCallers:
    """Admits every caller, as the operator `operator_id`, or where there is none under the name that it gives."""

    def __init__(self, operator_id: str) -> None:
        self._operator_id = operator_id

    async def identify(self, token: str, _: Any) -> Identity:
        """The identity of a caller that presents its name."""
        return Identity(self._operator_id or token[:36], super_admin=True)


def marked_local(app: App) -> App:
    """An ASGI application whose requests are marked as those of commands."""

    async def local(scope: Any, receive: Any, send: Any) -> None:
        scope[LOCAL] = True
        await app(scope, receive, send)

    return local


def flushing(app: App, path: str, flush: Callable[[], Awaitable[None]]) -> App:
    """An ASGI application that calls `flush` for a POST to `path`; any other request is for `app`."""

    async def local(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", path):
            await app(scope, receive, send)
            return
        await flush()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return local
