"""The application behind the gate, imported and put together beside everything else: that takes longer than all the rest.

Whoever asks for one of its routes meanwhile waits; brokers do not, nor does whoever asks whether the service is alive.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from edgeclients.http.scope import RoutedApp


class DeferredApp:
    """An ASGI application that is made by `build`, in a thread, from `begin` on.

    Args:
        build: imports and makes it.
    """

    def __init__(self, build: Callable[[], RoutedApp]) -> None:
        self._build = build
        self._building: asyncio.Future[RoutedApp] | None = None
        self._app: RoutedApp | None = None

    def begin(self) -> None:
        """Start to make it."""
        self._building = asyncio.ensure_future(asyncio.to_thread(self._build))

    async def complete(self) -> RoutedApp:
        """The application, as soon as there is one."""
        if self._app is None:
            if self._building is None:
                self.begin()
            assert self._building is not None  # noqa: S101 - begun
            self._app = await asyncio.shield(self._building)
        return self._app

    def operation_at(self, method: str, segments: Sequence[str]) -> str:
        """As the application has it; empty while there is none."""
        return self._app.operation_at(method, segments) if self._app is not None else ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass an ASGI connection on."""
        app = self._app or await self.complete()
        await app(scope, receive, send)
