"""The application behind the gate, built in the background: its import takes longer than the rest of the start.

Requests to its routes wait meanwhile. Calls of brokers and requests to `/health` do not.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from edgeclients.http.scope import RoutedApp


class DeferredApp:
    """An ASGI application that a thread builds once `begin` is called.

    Args:
        build: imports and creates the application.
    """

    def __init__(self, build: Callable[[], RoutedApp]) -> None:
        self._build = build
        self._building: asyncio.Future[RoutedApp] | None = None
        self._app: RoutedApp | None = None

    def begin(self) -> None:
        """Start to build the application."""
        self._building = asyncio.ensure_future(asyncio.to_thread(self._build))

    async def complete(self) -> RoutedApp:
        """Wait for the application, and return it."""
        if self._app is None:
            if self._building is None:
                self.begin()
            assert self._building is not None  # noqa: S101 - begin() has set it
            self._app = await asyncio.shield(self._building)
        return self._app

    def operation_at(self, method: str, segments: Sequence[str]) -> str:
        """The operation of a path; empty if there is none, or while the application is not built."""
        return self._app.operation_at(method, segments) if self._app is not None else ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass an ASGI connection to the application."""
        app = self._app or await self.complete()
        await app(scope, receive, send)
